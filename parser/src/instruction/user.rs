//! `USER USER[:GROUP]`

use crate::Word;

/// USER
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The whole rest of the line.
    pub user: Word,
}
