//! `STOPSIGNAL SIGNAL`

use crate::Word;

/// STOPSIGNAL
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSignal {
    /// A name or a number.
    pub signal: Word,
}
