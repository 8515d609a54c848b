//! `builder rerun`.

use std::process::ExitCode;

use engine::kept::visit::{Moment, Program};

use super::Session;
use super::visit::{self, Entry, SessionArgs};
use crate::report::Failure;

/// Run the command of a failed step once more, on the state before the step
///
/// Contexts and caches are mounted as they are now. What the command writes is thrown away. The exit code is
/// that of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct RerunArgs {
    #[command(flatten)]
    session: SessionArgs,
    /// The failed step: the beginning of its id [default: the latest]
    #[arg(value_name = "STEP")]
    step: Option<String>,
}

/// Runs the command, with its output as it comes.
pub(crate) fn run(arguments: &RerunArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    start(arguments, session).map_err(Failure::of_process)
}

fn start(arguments: &RerunArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let given = arguments.session.read(session.environment)?;
    let engine = session.engine()?;
    let step = engine.kept_step(arguments.step.as_deref())?;
    let entry = Entry { step: &step, moment: Moment::Before, program: Program::OfStep, with: None };
    let exit = visit::run(&engine, entry, given, false, session.environment)?;
    if exit == ExitCode::SUCCESS {
        let message = format!("{} succeeds now: the next build runs it\n", step.record.label);
        super::print_error(&message);
    }
    Ok(exit)
}
