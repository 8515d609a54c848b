//! The commands: one file each, with the flags as a struct whose comments are the help text, and
//! the function that does it.
#![expect(clippy::doc_markdown, clippy::doc_link_with_quotes, reason = "comments are help texts here")]

mod build;
mod cp;
mod diff;
mod doctor;
mod failures;
mod history;
mod images;
mod import;
mod info;
mod inspect;
mod load;
mod names;
mod pull;
mod push;
mod rerun;
mod rmi;
mod run;
mod shell;
mod tag;
mod version;
mod visit;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use engine::{Engine, EngineConfig, SnapshotterChoice};
use image::{Platform, Reference, Timestamp};

use crate::environment::Environment;
use crate::report::{self, Failure};

/// Builds container images from Dockerfiles, and runs, stores and transfers them, without a daemon.
#[derive(Debug, Parser)]
#[command(name = "builder", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Directory of the store with images and cache [default: /var/lib/builder as root, else
    /// builder in the user's data directory; environment: BUILDER_ROOT]
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// How steps get to see their files: "overlay", "copy", or "auto" for overlays where they can be mounted
    /// [default: auto; environment: BUILDER_SNAPSHOTTER]
    #[arg(long, global = true, value_name = "KIND")]
    snapshotter: Option<String>,
    /// Write a log for developers to standard error
    #[arg(short = 'D', long, global = true)]
    debug: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Build(Box<build::BuildArgs>),
    Run(Box<run::RunArgs>),
    Shell(shell::ShellArgs),
    Rerun(rerun::RerunArgs),
    Diff(diff::DiffArgs),
    Cp(cp::CpArgs),
    Failures(failures::FailuresArgs),
    Images(images::ImagesArgs),
    Tag(tag::TagArgs),
    Rmi(rmi::RmiArgs),
    Inspect(inspect::InspectArgs),
    History(history::HistoryArgs),
    Pull(pull::PullArgs),
    Push(push::PushArgs),
    Import(import::ImportArgs),
    Load(load::LoadArgs),
    Doctor(doctor::DoctorArgs),
    Info(info::InfoArgs),
    Version(version::VersionArgs),
}

/// Reads the command line. Where it asks for help, or is wrong, the answer was printed and the
/// exit code is returned.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Arguments, ExitCode> {
    let arguments: Vec<OsString> = arguments.collect();
    Arguments::try_parse_from(&arguments).map_err(|error| {
        let _ = error.print();
        match error.exit_code() {
            0 => ExitCode::SUCCESS,
            _ if shows_process(&arguments) => ExitCode::from(report::RUN_FAILED),
            _ => ExitCode::from(report::USAGE),
        }
    })
}

/// Whether a command line that cannot be read is one of those that have the exit code of another
/// program. Their usage errors have the exit code that docker gives to those of `run`.
fn shows_process(arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "--root" || word == "--snapshotter" {
            words.next();
        } else if !word.to_string_lossy().starts_with('-') {
            return word == "run" || word == "shell" || word == "rerun";
        }
    }
    false
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments, environment: &Environment) -> Result<ExitCode, Failure> {
    if arguments.debug {
        write_debug_log();
    }
    let session = Session { environment, root: arguments.root, snapshotter: arguments.snapshotter };
    match arguments.command {
        Command::Build(arguments) => build::run(*arguments, &session),
        Command::Run(arguments) => run::run(&arguments, &session),
        Command::Shell(arguments) => shell::run(arguments, &session),
        Command::Rerun(arguments) => rerun::run(&arguments, &session),
        Command::Diff(arguments) => diff::run(&arguments, &session),
        Command::Cp(arguments) => cp::run(&arguments, &session),
        Command::Failures(arguments) => failures::run(&arguments, &session),
        Command::Images(arguments) => images::run(&arguments, &session),
        Command::Tag(arguments) => tag::run(&arguments, &session),
        Command::Rmi(arguments) => rmi::run(&arguments, &session),
        Command::Inspect(arguments) => inspect::run(&arguments, &session),
        Command::History(arguments) => history::run(&arguments, &session),
        Command::Pull(arguments) => pull::run(&arguments, &session),
        Command::Push(arguments) => push::run(&arguments, &session),
        Command::Import(arguments) => import::run(&arguments, &session),
        Command::Load(arguments) => load::run(&arguments, &session),
        Command::Info(arguments) => info::run(&arguments, &session),
        Command::Doctor(arguments) => doctor::run(&arguments, &session),
        Command::Version(arguments) => version::run(&arguments),
    }
}

fn write_debug_log() {
    let subscriber = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(tracing::Level::DEBUG);
    subscriber.init();
}

/// What every command gets.
pub(crate) struct Session<'a> {
    /// The surroundings of the process.
    pub(crate) environment: &'a Environment,
    root: Option<PathBuf>,
    snapshotter: Option<String>,
}

impl Session<'_> {
    /// Opens the store that the user chose. An ordinary user becomes root of a user namespace for
    /// that, which a process with several threads cannot: this comes before any is started.
    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        engine::enter_user_namespace().map_err(Failure::from_error)?;
        let config = EngineConfig {
            root: self.store_root()?,
            helper: PathBuf::from("/proc/self/exe"),
            snapshotter: self.snapshotter()?,
            docker_config: self.environment.docker_config(),
            device_directories: self.environment.device_directories(),
        };
        Engine::open(config).map_err(Failure::from_error)
    }

    /// The directory of the store that the user chose.
    fn store_root(&self) -> Result<PathBuf, Failure> {
        let root = self.environment.store_root(self.root.as_deref());
        root.ok_or_else(|| Failure::Usage("HOME is not set: choose a store with --root".to_owned()))
    }

    /// What `--snapshotter` says, or `BUILDER_SNAPSHOTTER`.
    fn snapshotter(&self) -> Result<SnapshotterChoice, Failure> {
        let variable = || self.environment.variable("BUILDER_SNAPSHOTTER");
        match self.snapshotter.as_deref().or_else(variable).unwrap_or("auto") {
            "auto" | "" => Ok(SnapshotterChoice::Automatic),
            "overlay" => Ok(SnapshotterChoice::Overlay),
            "copy" => Ok(SnapshotterChoice::Copy),
            other => {
                Err(Failure::Usage(format!("unknown snapshotter {other:?}: it is auto, overlay or copy")))
            }
        }
    }

    /// The platform that a flag asks for, or else the environment, or else the machine's.
    pub(crate) fn platform(&self, flag: Option<&str>) -> Result<Platform, Failure> {
        platform(flag.or_else(|| self.environment.default_platform()).unwrap_or("local"))
    }
}

/// A runtime for what is asynchronous.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::because("cannot start threads", error))
}

/// Writes to standard output. A reader that went away, as `head` does, is no failure.
pub(crate) fn print(text: &str) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::because("cannot write to standard output", error))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Writes to standard error, for people.
pub(crate) fn print_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// The time of day.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}

/// A platform as a flag names it.
pub(crate) fn platform(text: &str) -> Result<Platform, Failure> {
    if text == "local" {
        return Ok(Platform::host());
    }
    text.parse().map_err(|error| Failure::Usage(format!("invalid platform {text:?}: {error}")))
}

/// The name of an image as a user types it; without a tag it is `latest`.
pub(crate) fn reference(text: &str) -> Result<Reference, Failure> {
    let reference: Result<Reference, _> = text.parse();
    let reference =
        reference.map_err(|error| Failure::Usage(format!("invalid reference {text:?}: {error}")))?;
    Ok(reference.with_default_tag())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn run_is_found_among_global_flags() {
        let is_run = |words: &[&str]| shows_process(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(is_run(&["builder", "--root", "build", "-D", "run", "--nonsense"]));
        assert!(!is_run(&["builder", "--root=x", "build", "run"]));
        assert!(!is_run(&["builder"]));
    }
}
