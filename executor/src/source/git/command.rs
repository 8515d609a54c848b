//! Running the `git` program.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::access::Access;
use crate::source::error::SourceError;

/// Settings of this run. No question is ever asked; no configuration of the system or of the user changes what is
/// checked out; no protocol is spoken that could read files or run programs of the host.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "true"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ALLOW_PROTOCOL", "git:http:https:ssh"),
    ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes"),
    ("LC_ALL", "C"),
];

/// Variables by which a surrounding git, a hook for example, would redirect ours.
const FOREIGN: [&str; 5] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"];

/// The `git` program, in some directory, with what it may use to get at a remote.
#[derive(Debug)]
pub(super) struct Git {
    directory: Option<PathBuf>,
    access: Access,
}

impl Git {
    /// For commands that need no repository.
    pub(super) fn anywhere(access: Access) -> Self {
        Self { directory: None, access }
    }

    /// In the repository at, or to be made in, a directory.
    pub(super) fn in_directory(directory: &Path, access: Access) -> Self {
        Self { directory: Some(directory.to_owned()), access }
    }

    /// Runs a command and returns what it writes. Dropping the future kills it.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, SourceError> {
        let mut command = Command::new("git");
        command.args(arguments).envs(ENVIRONMENT).envs(self.access.variables());
        command.stdin(Stdio::null()).kill_on_drop(true);
        for name in FOREIGN {
            command.env_remove(name);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let name = arguments.first().copied().unwrap_or_default().to_owned();
        let output = match command.output().await {
            Ok(output) => output,
            Err(source) => return Err(SourceError::GitNotRun { command: name, source }),
        };
        if output.status.success() {
            return Ok(output.stdout);
        }
        let message = self.access.redacted(String::from_utf8_lossy(&output.stderr).trim());
        Err(SourceError::Git { command: name, message })
    }
}
