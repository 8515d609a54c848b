//! `WORKDIR PATH`

use super::Request;
use crate::Word;

/// WORKDIR
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workdir {
    /// The whole rest of the line.
    pub path: Word,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Workdir> {
    request.refuse_flags();
    Some(Workdir { path: request.single_word()? })
}
