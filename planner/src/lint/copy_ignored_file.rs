//! COPY or ADD of a file of the context that `.dockerignore` excludes.

use parser::Span;
use parser::ignore::Ignore;

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, verb: &str, source: &str, ignore: &Ignore, span: Span) {
    let _ = (linter, verb, source, ignore, span, Rule::CopyIgnoredFile);
}
