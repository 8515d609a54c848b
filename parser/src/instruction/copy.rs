//! `COPY [flags] SOURCE… DESTINATION`

use super::{ArgumentForm, Literal};
use crate::Word;
use crate::heredoc::Heredoc;

/// COPY
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// What to copy, in the order written.
    pub sources: Vec<CopySource>,
    /// Where to.
    pub destination: Word,
    /// Words or a JSON array.
    pub form: ArgumentForm,
    /// `--from=STAGE|IMAGE|CONTEXT`; variables are not allowed in it
    pub from: Option<Literal>,
    /// `--chown=USER[:GROUP]`
    pub chown: Option<Word>,
    /// `--chmod=MODE`, octal or symbolic
    pub chmod: Option<Word>,
    /// `--link`
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude=PATTERN`, each; no variables in them
    pub exclude: Vec<Literal>,
}

/// One source of a COPY or ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopySource {
    /// A path, a pattern, or (ADD) a URL or repository.
    Path(Word),
    /// A here-document.
    Inline(InlineFile),
}

/// A file whose content stands in the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineFile {
    /// The document; its name is the file name where the destination is a directory.
    pub heredoc: Heredoc,
}
