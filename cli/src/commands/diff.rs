//! `builder diff`.

use std::fmt::Write as _;
use std::process::ExitCode;

use engine::ChangeKind;

use super::Session;
use crate::report::Failure;

/// List what a failed step changed: A for added, C for changed, D for deleted
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The failed step: the beginning of its id [default: the latest]
    #[arg(value_name = "STEP")]
    step: Option<String>,
}

/// Prints the paths in the form of `docker diff`.
pub(crate) fn run(arguments: &DiffArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let engine = session.engine()?;
    let step = engine.kept_step(arguments.step.as_deref()).map_err(Failure::kept)?;
    let mut text = String::new();
    for change in engine.changes_of(&step).map_err(Failure::kept)? {
        let letter = match change.kind {
            ChangeKind::Added => 'A',
            ChangeKind::Changed => 'C',
            ChangeKind::Deleted => 'D',
        };
        let _ = writeln!(text, "{letter} /{}", change.path);
    }
    super::print(&text)
}
