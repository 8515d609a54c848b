//! `WORKDIR PATH`

use crate::Word;

/// WORKDIR
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workdir {
    /// The whole rest of the line.
    pub path: Word,
}
