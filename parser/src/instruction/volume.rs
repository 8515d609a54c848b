//! `VOLUME PATH …`

use super::{ArgumentForm, Request};
use crate::Word;
use crate::diagnostic::Code;

/// VOLUME
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The paths; one word each.
    pub paths: Vec<Word>,
    /// Words or a JSON array.
    pub form: ArgumentForm,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Volume> {
    request.refuse_flags();
    let (paths, form) = request.list()?;
    if paths.is_empty() {
        request.wrong_count("requires at least one argument");
        return None;
    }
    if let Some(empty) = paths.iter().find(|path| path.as_written().trim().is_empty()) {
        let message = "VOLUME specified can not be an empty string";
        request.error(Code::InvalidArgument, empty.span(), message);
        return None;
    }
    let trimmed = |path: Word| Word::new(path.as_written().trim(), path.span(), request.escape);
    Some(Volume { paths: paths.into_iter().map(trimmed).collect(), form })
}
