//! Arguments before variables are replaced in them.

use crate::Span;

/// An argument as it was written: quotes, escapes and `$VAR` are still in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    text: String,
    span: Span,
    escape: char,
}

impl Word {
    /// A word of a text whose escape character is `escape`.
    pub fn new(text: impl Into<String>, span: Span, escape: char) -> Self {
        Word { text: text.into(), span, escape }
    }

    /// The word unexpanded: for messages and for rules about how it is written, never for a build.
    pub fn as_written(&self) -> &str {
        &self.text
    }

    /// Where it stands in the text.
    pub fn span(&self) -> Span {
        self.span
    }
}
