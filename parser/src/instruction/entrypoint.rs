//! `ENTRYPOINT COMMAND`

use super::CommandLine;

/// ENTRYPOINT
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrypoint {
    /// The command; an empty JSON array clears it.
    pub command: CommandLine,
}
