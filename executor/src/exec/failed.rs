//! [`FailedStep`]: what the process of a step leaves when it fails.

use graph::Exec;
use sandbox::SandboxError;
use store::{Draft, Tree};

use crate::exec::error::ExecError;
use crate::output::Output;

/// What a step left whose process failed, and all that it takes to look into that. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct FailedStep {
    /// What was run.
    pub exec: Exec,
    /// The trees that it was run with, the one that it was run on first.
    pub inputs: Vec<Output>,
    /// What it wrote, on the tree that it was run on.
    pub draft: Draft,
}

impl FailedStep {
    /// The files as the process left them, without anything that was mounted.
    pub fn tree(&self) -> Tree {
        self.draft.tree()
    }
}

/// Whether it is worth while to look into what is left: a process ran, or it was the command itself that could not
/// be run, which another one can show.
pub(super) fn leaves_something(error: &ExecError) -> bool {
    match error {
        ExecError::Exited { .. } => true,
        ExecError::Sandbox { source, .. } => matches!(
            source,
            SandboxError::CommandNotFound { .. }
                | SandboxError::CommandNotExecutable { .. }
                | SandboxError::MissingInterpreter { .. }
                | SandboxError::ExecFormat { .. }
                | SandboxError::HelperLost { .. }
        ),
        _ => false,
    }
}
