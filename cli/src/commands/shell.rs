//! `builder shell`.

use std::path::PathBuf;
use std::process::ExitCode;

use engine::kept::visit::{Moment, Program};

use super::Session;
use super::visit::{self, Entry, SessionArgs};
use crate::report::Failure;

/// Open a shell in what a failed step left, or run a command there
///
/// The process has the user, the variables, the directory, the mounts and the network of the step. What it
/// writes is thrown away: the step stays as it was. The exit code is that of the process.
#[derive(Debug, clap::Args)]
pub(crate) struct ShellArgs {
    /// Show the state before the step instead of the one after its failure
    #[arg(long)]
    before: bool,
    /// Program of the host to bring along, for images without a shell; one that needs no libraries, such
    /// as a static busybox
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    #[command(flatten)]
    session: SessionArgs,
    /// The failed step: the beginning of its id [default: the latest]
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// A command instead of the shell
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs the shell or the command.
pub(crate) fn run(arguments: ShellArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    start(arguments, session).map_err(Failure::of_process)
}

fn start(arguments: ShellArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let environment = session.environment;
    let given = arguments.session.read(environment)?;
    let engine = session.engine()?;
    let step = engine.kept_step(arguments.step.as_deref())?;
    let program =
        if arguments.command.is_empty() { Program::Shell } else { Program::Given(arguments.command) };
    let moment = if arguments.before { Moment::Before } else { Moment::After };
    let with = arguments.with.map(|file| environment.absolute(&file));
    visit::run(&engine, Entry { step: &step, moment, program, with }, given, true, environment)
}
