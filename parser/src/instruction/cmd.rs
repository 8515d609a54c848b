//! `CMD COMMAND`

use super::CommandLine;

/// CMD
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmd {
    /// The command; an empty JSON array clears it.
    pub command: CommandLine,
}
