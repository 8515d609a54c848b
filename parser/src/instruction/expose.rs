//! `EXPOSE PORT[-PORT][/PROTOCOL] …`

use super::Request;
use crate::Word;

/// EXPOSE
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expose {
    /// The arguments in the order written (`BuildKit` sorts them by their text before it expands them);
    /// each may expand to several words.
    pub ports: Vec<Word>,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Expose> {
    request.refuse_flags();
    request.expect_arguments()?;
    Some(Expose { ports: request.items() })
}
