//! `CMD COMMAND`

use super::{CommandLine, Request};

/// CMD
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmd {
    /// The command; an empty JSON array clears it.
    pub command: CommandLine,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Cmd> {
    request.refuse_flags();
    Some(Cmd { command: request.command()? })
}
