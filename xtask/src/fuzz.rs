//! `cargo xtask fuzz`: texts that nobody would write, for what reads texts of users.
//!
//! The targets in `fuzz/` are run one after the other. They begin with what lies in `testdata/`, and
//! with what earlier runs found worth keeping: that, and inputs that made a target fail, are kept below
//! the target directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{self, cargo, heading, target_directory, workspace};
use crate::system;

/// What one target reads.
struct Target {
    name: &'static str,
    /// The inputs that a file of the corpus gives.
    seeds: fn(&Path, &str) -> Vec<String>,
}

const TARGETS: [Target; 4] = [
    Target {
        name: "file",
        seeds: |path, text| if is_dockerfile(path) { vec![text.to_owned()] } else { Vec::new() },
    },
    Target {
        name: "instruction",
        seeds: |path, text| if is_dockerfile(path) { lines(text) } else { Vec::new() },
    },
    Target {
        name: "expansion",
        seeds: |path, text| {
            let words = lines(text).into_iter().filter(|line| is_dockerfile(path) && line.contains('$'));
            words.map(|line| line + "\na/b.c,*,").collect()
        },
    },
    Target {
        name: "patterns",
        seeds: |path, text| {
            if has_extension(path, "dockerignore") { vec![format!("{text}\na/b.c")] } else { Vec::new() }
        },
    },
];

/// How long each target runs unless `--seconds` says otherwise.
const SECONDS: u32 = 60;

/// What is to be run.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// One target; all of them where none is named.
    target: Option<String>,
    seconds: u32,
}

impl Request {
    fn parse(arguments: &[&str]) -> Result<Request> {
        let mut request = Request { target: None, seconds: SECONDS };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--seconds" => {
                    let value = rest.next().context("--seconds takes a number")?;
                    request.seconds = value.parse().with_context(|| format!("--seconds {value}"))?;
                }
                name if TARGETS.iter().any(|target| target.name == name) => {
                    request.target = Some(name.to_owned());
                }
                other => {
                    let names = TARGETS.map(|target| target.name).join(", ");
                    bail!("{other} is no target; there are {names}");
                }
            }
        }
        Ok(request)
    }
}

/// Runs the chore.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let request = Request::parse(arguments)?;
    if !system::has_program("cargo-fuzz") {
        bail!("cargo-fuzz is not installed; this does it: cargo install cargo-fuzz");
    }
    let directory = target_directory()?.join("fuzz");
    let is_wanted = |target: &&Target| request.target.as_deref().is_none_or(|name| name == target.name);
    for target in TARGETS.iter().filter(is_wanted) {
        heading(&format!("{} for {} s", target.name, request.seconds));
        target.run(&directory, request.seconds)?;
    }
    Ok(())
}

impl Target {
    fn run(&self, directory: &Path, seconds: u32) -> Result<()> {
        let seeds = directory.join("seeds").join(self.name);
        self.write_seeds(&seeds)?;
        let corpus = make(directory.join("corpus").join(self.name))?;
        let findings = make(directory.join("artifacts").join(self.name))?;
        // Code without `unsafe` gives an address sanitizer nothing to find, and none is much faster.
        let mut fuzz = cargo(["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--target-dir"]);
        fuzz.arg(directory.join("target")).arg(self.name).arg(&corpus).arg(&seeds).arg("--");
        fuzz.arg(format!("-max_total_time={seconds}")).arg("-timeout=10").arg("-max_len=4096");
        fuzz.arg(format!("-artifact_prefix={}/", findings.display())).arg("-dict=fuzz/dockerfile.dict");
        // No line for each input that reached something new, but the figures at the end.
        fuzz.arg("-verbosity=0").arg("-print_final_stats=1");
        // The flags of cargo-fuzz are unstable; a stable compiler takes them when it is told to.
        fuzz.env("RUSTC_BOOTSTRAP", "1");
        command::run(&mut fuzz)
    }

    /// Writes each different seed into a file of its own.
    fn write_seeds(&self, directory: &Path) -> Result<()> {
        let mut seeds = BTreeSet::new();
        for path in files(&workspace().join("testdata"))? {
            if let Ok(text) = std::fs::read_to_string(&path) {
                seeds.extend((self.seeds)(&path, &text));
            }
        }
        if directory.exists() {
            std::fs::remove_dir_all(directory)
                .with_context(|| format!("cannot empty {}", directory.display()))?;
        }
        make(directory.to_owned())?;
        for (number, seed) in seeds.iter().enumerate() {
            let path = directory.join(number.to_string());
            std::fs::write(&path, seed).with_context(|| format!("cannot write {}", path.display()))?;
        }
        println!("{} seeds", seeds.len());
        Ok(())
    }
}

fn make(directory: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    Ok(directory)
}

/// All files below a directory.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries =
        std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn is_dockerfile(path: &Path) -> bool {
    has_extension(path, "dockerfile")
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_targets_run_for_a_minute_unless_told_otherwise() {
        let request = |target: Option<&str>, seconds| Request { target: target.map(str::to_owned), seconds };
        assert_eq!(Request::parse(&[]).unwrap(), request(None, 60));
        assert_eq!(Request::parse(&["file", "--seconds", "5"]).unwrap(), request(Some("file"), 5));
        assert!(Request::parse(&["no-such-target"]).is_err());
        assert!(Request::parse(&["--seconds", "x"]).is_err());
    }

    #[test]
    fn every_target_is_a_file() {
        for Target { name, .. } in TARGETS {
            let path = workspace().join("fuzz/targets").join(name).with_extension("rs");
            assert!(path.is_file(), "{}", path.display());
        }
    }
}
