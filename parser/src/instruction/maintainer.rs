//! `MAINTAINER TEXT` (deprecated)

use super::{Literal, Request};

/// MAINTAINER
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintainer {
    /// The whole rest of the line; no variables in it.
    pub author: Literal,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Maintainer> {
    request.refuse_flags();
    request.single_word()?;
    Some(Maintainer { author: request.arguments.literal() })
}
