//! `STOPSIGNAL SIGNAL`

use super::Request;
use crate::Word;

/// STOPSIGNAL
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSignal {
    /// A name or a number.
    pub signal: Word,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<StopSignal> {
    request.ignore_flags();
    Some(StopSignal { signal: request.single_word()? })
}
