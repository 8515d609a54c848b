//! `cargo xtask demo`: the whole way from the source of `builder` to a running image.
//!
//! The base image comes from a registry where one can be reached. Elsewhere mmdebstrap makes it
//! from the package mirror that this machine uses, and `builder import` gives it the same name,
//! so that the Dockerfile is the same in both cases.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::command::{self, announce, cargo, heading, output, run_bounded, target_directory, workspace};
use crate::system::{self, Need};

/// The base image of `testdata/demo`.
const BASE: &str = "debian:bookworm-slim";
/// The release of Debian that it is.
const SUITE: &str = "bookworm";
/// The keys that sign it.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// How long a registry may take to deliver the base image before mmdebstrap is used.
const PULL_LIMIT: Duration = Duration::from_secs(90);

const NEEDS: [Need; 2] = [
    Need { file: "mmdebstrap", package: "mmdebstrap" },
    Need { file: KEYRING, package: "debian-archive-keyring" },
];
/// What mmdebstrap and `builder` need in addition where the user is not root.
const NEEDS_OF_USERS: [Need; 1] = [Need { file: "newuidmap", package: "uidmap" }];

/// Runs the chore.
pub(crate) fn run() -> Result<()> {
    system::require(&NEEDS)?;
    if !system::is_root() {
        system::require(&NEEDS_OF_USERS)?;
    }
    let mut times = Times::default();

    heading("the release binary");
    let demo = times.measure("release binary", Demo::prepare)?;

    heading(&format!("the base image {BASE}"));
    times.measure("base image", || demo.base_image())?;

    heading("the first build: every step runs");
    let first = times.measure("first build", || demo.build(&["--no-cache"]))?;

    heading("the image runs");
    let said = times.measure("run", || demo.run_image())?;
    ensure!(said.starts_with("Lua 5.4"), "the program in the image did not print its version");

    heading("the second build: every step is in the cache");
    let second = times.measure("second build", || demo.build(&[]))?;
    ensure!(first == second, "the second build made another image: {second} instead of {first}");

    times.print();
    Ok(())
}

/// What the parts of the demonstration share.
struct Demo {
    builder: PathBuf,
    /// Where everything lies that the demonstration makes.
    directory: PathBuf,
}

impl Demo {
    fn prepare() -> Result<Demo> {
        command::run(&mut cargo(["build", "--release", "--locked", "--package", "cli"]))?;
        let target = target_directory()?;
        let directory = target.join("demo");
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(Demo { builder: target.join("release/builder"), directory })
    }

    /// `builder`, with a store of its own below the target directory.
    fn builder(&self) -> Command {
        let mut command = Command::new(&self.builder);
        command.current_dir(workspace()).arg("--root").arg(self.directory.join("store"));
        command
    }

    fn base_image(&self) -> Result<()> {
        match run_bounded(self.builder().args(["pull", BASE]), PULL_LIMIT) {
            Ok(()) => Ok(()),
            Err(error) => {
                println!("No registry has it for us ({error:#}), so mmdebstrap makes it.");
                self.bootstrap()
            }
        }
    }

    fn bootstrap(&self) -> Result<()> {
        let archive = self.directory.join("base.tar");
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap.args(["--quiet", "--variant=minbase"]);
        // What the official slim images leave out, too.
        for files in ["doc", "groff", "info", "linda", "lintian", "locale", "man"] {
            mmdebstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{files}/*"));
        }
        for option in acquire_options()? {
            mmdebstrap.arg(format!("--aptopt={option}"));
        }
        // These two are the machine's; a container gets its own.
        mmdebstrap.arg("--customize-hook=rm -f \"$1\"/etc/resolv.conf \"$1\"/etc/hostname");
        mmdebstrap.arg(SUITE).arg(&archive).args(sources()?);
        command::run(&mut mmdebstrap)?;

        let mut import = self.builder();
        import.arg("import").args(["--change", r#"CMD ["bash"]"#]).arg(&archive).arg(BASE);
        command::run(&mut import)?;
        std::fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))
    }

    /// Builds `testdata/demo` and returns the id of the image.
    fn build(&self, flags: &[&str]) -> Result<String> {
        let id = self.directory.join("image-id");
        let mut build = self.builder();
        build.args(["build", "-t", "demo"]).args(flags).arg("--iidfile").arg(&id).arg("testdata/demo");
        command::run(&mut build)?;
        std::fs::read_to_string(&id).with_context(|| format!("cannot read {}", id.display()))
    }

    fn run_image(&self) -> Result<String> {
        let mut run = self.builder();
        run.args(["run", "--rm", "demo"]);
        announce(&run);
        let said = output(&mut run)?;
        print!("{said}");
        Ok(said)
    }
}

/// The files with this machine's sources of packages, where they have the suite; otherwise a line
/// that names Debian's own servers.
fn sources() -> Result<Vec<String>> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = std::fs::read_dir("/etc/apt/sources.list.d") {
        for entry in entries {
            files.push(entry?.path());
        }
    }
    files.sort();
    let sources: Vec<String> =
        files.iter().filter(|file| is_debian(file)).map(|file| file.display().to_string()).collect();
    let servers = format!("deb [signed-by={KEYRING}] http://deb.debian.org/debian {SUITE} main");
    Ok(if sources.is_empty() { vec![servers] } else { sources })
}

/// Whether a file lists packages of the suite, and not those of some other project for it.
fn is_debian(file: &Path) -> bool {
    let named = file.extension().is_some_and(|extension| extension == "list" || extension == "sources");
    let main = file.ends_with("sources.list");
    let debian = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("debian"));
    let lists = |text: String| text.lines().any(|line| !line.starts_with('#') && line.contains(SUITE));
    (main || named && debian) && std::fs::read_to_string(file).is_ok_and(lists)
}

/// What this machine's apt is told about fetching, such as a proxy: the container needs it, too.
fn acquire_options() -> Result<Vec<String>> {
    const KEPT: [&str; 4] = [
        "Acquire::http::Proxy ",
        "Acquire::https::Proxy ",
        "Acquire::Check-Valid-Until ",
        "Acquire::Check-Date ",
    ];
    if !system::has_program("apt-config") {
        return Ok(Vec::new());
    }
    let settings = output(Command::new("apt-config").arg("dump"))?;
    let kept = |line: &&str| KEPT.iter().any(|name| line.starts_with(name));
    Ok(settings.lines().filter(kept).map(str::to_owned).collect())
}

/// How long the parts took, in their order.
#[derive(Default)]
struct Times(Vec<(&'static str, Duration)>);

impl Times {
    fn measure<T>(&mut self, part: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = work().with_context(|| format!("the part that failed is: {part}"))?;
        let duration = start.elapsed();
        println!("-- {part}: {:.1} s", duration.as_secs_f64());
        self.0.push((part, duration));
        Ok(result)
    }

    fn print(&self) {
        heading("how long it took");
        for (part, duration) in &self.0 {
            println!("  {part:<16} {:>7.1} s", duration.as_secs_f64());
        }
    }
}
