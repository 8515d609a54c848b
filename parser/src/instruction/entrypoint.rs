//! `ENTRYPOINT COMMAND`

use super::{CommandLine, Request};

/// ENTRYPOINT
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrypoint {
    /// The command; an empty JSON array clears it.
    pub command: CommandLine,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Entrypoint> {
    request.refuse_flags();
    Some(Entrypoint { command: request.command()? })
}
