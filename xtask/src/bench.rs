//! `cargo xtask bench`: what a sandbox, a step of a build and a container cost.
//!
//! The figures of a sandbox alone are those of `cargo bench --package sandbox`. A step of a build is measured as
//! what one more step costs: chains of two lengths are built in turns, none of their steps being known, and the
//! difference is divided by the number of steps that the longer one has more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::command::{self, cargo, heading, target_directory, workspace};
use crate::system::{self, Need};

/// What the sandbox's own benchmark and the base image of this one need.
const NEEDS: [Need; 1] = [Need { file: "/bin/busybox", package: "busybox-static" }];

/// How often each length is built.
const TURNS: usize = 9;
/// How many steps a short and a long chain have.
const SHORT: usize = 1;
const LONG: usize = 51;
/// How often a container is run.
const RUNS: usize = 50;

/// Runs the chore.
pub(crate) fn run() -> Result<()> {
    system::require(&NEEDS)?;
    heading("the binary");
    command::run(&mut cargo(["build", "--release", "--locked", "--package", "cli"]))?;
    let bench = Bench::prepare(&target_directory()?)?;

    heading("a sandbox");
    command::run(&mut cargo(["bench", "--locked", "--package", "sandbox"]))?;

    heading("a step of a build");
    let mut steps = Vec::new();
    for turn in 0..TURNS {
        let [short, long] = [SHORT, LONG].map(|length| bench.build(length, turn));
        let steps_more = u32::try_from(LONG - SHORT).context("few steps")?;
        // A turn in which the machine was busy with something else may come out below zero.
        steps.push(long?.saturating_sub(short?) / steps_more);
    }
    print("one more RUN of true", steps);

    heading("a container");
    let runs = (0..RUNS).map(|_| bench.run_container()).collect::<Result<_>>()?;
    print("builder run IMAGE true", runs);
    fs::remove_dir_all(&bench.directory).context("cannot remove the store of the benchmark")
}

/// A store of its own, with an image.
struct Bench {
    builder: PathBuf,
    directory: PathBuf,
}

impl Bench {
    fn prepare(target: &Path) -> Result<Self> {
        let directory = target.join(format!("bench-{}", std::process::id()));
        let bench = Self { builder: target.join("release/builder"), directory };
        fs::create_dir_all(bench.context()).context("cannot make the context")?;
        fs::copy("/bin/busybox", bench.context().join("busybox")).context("cannot copy busybox")?;
        let dockerfile = "FROM scratch\nCOPY busybox /bin/busybox\n\
                          RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";
        bench.write(dockerfile)?;
        timed(bench.builder().args(["build", "--quiet", "-t", "base:bench"]).arg(bench.context()))?;
        Ok(bench)
    }

    fn context(&self) -> PathBuf {
        self.directory.join("context")
    }

    fn write(&self, dockerfile: &str) -> Result<()> {
        fs::write(self.context().join("Dockerfile"), dockerfile).context("cannot write the Dockerfile")
    }

    fn builder(&self) -> Command {
        let mut command = Command::new(&self.builder);
        command.current_dir(workspace()).arg("--root").arg(self.directory.join("store"));
        command
    }

    /// Builds a chain of steps that no chain had before.
    fn build(&self, length: usize, turn: usize) -> Result<Duration> {
        let step = |number| format!("RUN [\"/bin/true\", \"{length} {turn} {number}\"]\n");
        self.write(&format!("FROM base:bench\n{}", (0..length).map(step).collect::<String>()))?;
        timed(self.builder().args(["build", "--quiet"]).arg(self.context()))
    }

    fn run_container(&self) -> Result<Duration> {
        timed(self.builder().args(["run", "--rm", "base:bench", "/bin/true"]))
    }
}

/// Runs a command to its end and says how long that took.
fn timed(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().context("cannot start the binary")?;
    let took = began.elapsed();
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(took)
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let milliseconds = |at: usize| times.get(at).map_or(0.0, Duration::as_secs_f64) * 1e3;
    println!(
        "{name}: least {:.2} ms, median {:.2} ms, of {} turns",
        milliseconds(0),
        milliseconds(times.len() / 2),
        times.len()
    );
}
