//! `USER USER[:GROUP]`

use super::Request;
use crate::Word;

/// USER
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The whole rest of the line.
    pub user: Word,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<User> {
    request.refuse_flags();
    Some(User { user: request.single_word()? })
}
