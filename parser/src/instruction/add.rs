//! `ADD [flags] SOURCE… DESTINATION`: COPY that also fetches URLs and repositories and unpacks archives.

use super::{ArgumentForm, CopySource, Literal};
use crate::Word;

/// ADD
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// What to add, in the order written.
    pub sources: Vec<CopySource>,
    /// Where to.
    pub destination: Word,
    /// Words or a JSON array.
    pub form: ArgumentForm,
    /// `--chown=USER[:GROUP]`
    pub chown: Option<Word>,
    /// `--chmod=MODE`, octal or symbolic
    pub chmod: Option<Word>,
    /// `--link`
    pub link: bool,
    /// `--exclude=PATTERN`, each; no variables in them
    pub exclude: Vec<Literal>,
    /// `--keep-git-dir`, where given
    pub keep_git_dir: Option<bool>,
    /// `--checksum=DIGEST`
    pub checksum: Option<Word>,
    /// `--unpack`, where given
    pub unpack: Option<bool>,
}
