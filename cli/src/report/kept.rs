//! What is said about failed steps that are kept: at the end of a build, and when something cannot be done with one.

use std::fmt::Write as _;

use engine::error::Remains;
use engine::kept::KeptError;
use engine::{ExecError, SandboxError};

use super::{NOT_EXECUTABLE, NOT_FOUND, RUN_FAILED, chain};

/// What became of the files of a failed step. None of these lines looks like the place of an error.
pub(super) fn remains(remains: &Remains) -> String {
    let mut text = String::new();
    for salvaged in &remains.salvaged {
        let (source, destination) = (&salvaged.source, salvaged.destination.display());
        let _ = match &salvaged.problem {
            None => writeln!(text, "→ {source} of the failed step was copied to {destination}"),
            Some(problem) => writeln!(
                text,
                "note: {source} of the failed step was not copied to {destination}: {}",
                chain(problem)
            ),
        };
    }
    if let Some(problem) = &remains.problem {
        let _ = writeln!(text, "note: the failed step could not be kept: {}", chain(problem));
    }
    if let Some(id) = &remains.kept {
        let _ =
            writeln!(text, "→ builder shell {id} opens what the step left, with --before what it began with");
    }
    text
}

/// The exit code of a command that shows a process, when there was none; docker's, as for `run`.
pub(super) fn code(error: &KeptError) -> u8 {
    match error {
        KeptError::Process(ExecError::Sandbox { source, .. }) => run_code(source),
        _ => RUN_FAILED,
    }
}

/// The exit code of `run` when the sandbox did not start the program.
pub(crate) fn run_code(error: &SandboxError) -> u8 {
    match error {
        SandboxError::CommandNotFound { .. } | SandboxError::MissingInterpreter { .. } => NOT_FOUND,
        SandboxError::CommandNotExecutable { .. } => NOT_EXECUTABLE,
        _ => RUN_FAILED,
    }
}

/// What the user can do about it.
pub(super) fn hints(error: &KeptError) -> Vec<String> {
    let hint = match error {
        KeptError::None => {
            "the last steps that failed are kept, unless the build has --on-fail=drop".to_owned()
        }
        KeptError::NotFound(_) | KeptError::Ambiguous { .. } => {
            "builder failures lists the steps that are kept".to_owned()
        }
        KeptError::NoShell(_) => {
            "-- COMMAND runs a program that is there; --with FILE brings one along that needs \
                                  no libraries, such as the busybox of package busybox-static"
                .to_owned()
        }
        KeptError::Process(ExecError::SecretNotFound { id }) => {
            format!("no secret is kept with a step: give it anew, --secret id={id},src=FILE")
        }
        KeptError::Process(ExecError::SshAgentNotFound { id }) => {
            format!("no agent is kept with a step: give it anew, --ssh {id}")
        }
        _ => return Vec::new(),
    };
    vec![hint]
}
