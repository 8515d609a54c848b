//! `MAINTAINER TEXT` (deprecated)

use super::Literal;

/// MAINTAINER
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintainer {
    /// The whole rest of the line; no variables in it.
    pub author: Literal,
}
