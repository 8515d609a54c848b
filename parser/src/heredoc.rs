//! Here-documents: `<<NAME` in a RUN, COPY or ADD line, and the lines up to `NAME` that follow it.

use crate::Span;

/// One here-document of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The word after `<<` without its quotes; also the line that ends the document.
    pub name: String,
    /// The lines of the document as they stand in the file, line ends included.
    pub content: String,
    /// Where [`content`](Heredoc::content) stands.
    pub span: Span,
    /// Whether variables in it are meant to be replaced: no part of the word after `<<` is quoted.
    pub expands: bool,
    /// `<<-`: tabs at the start of each line do not count.
    pub strips_tabs: bool,
    /// The number before `<<`, 0 where there is none.
    pub descriptor: u32,
}
