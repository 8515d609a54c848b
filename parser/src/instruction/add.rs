//! `ADD [flags] SOURCE… DESTINATION`: COPY that also fetches URLs and repositories and unpacks archives.

use super::copy::Transfer;
use super::flags::Takes;
use super::{ArgumentForm, CopySource, Literal, Request};
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

pub(super) fn parse(request: &mut Request<'_>) -> Option<Add> {
    let flags = request.read_flags(&[
        ("chown", Takes::Value),
        ("chmod", Takes::Value),
        ("link", Takes::Switch),
        ("keep-git-dir", Takes::Switch),
        ("checksum", Takes::Value),
        ("unpack", Takes::Switch),
        ("exclude", Takes::Values),
    ]);
    let Transfer { sources, destination, form } = Transfer::parse(request)?;
    Some(Add {
        sources,
        destination,
        form,
        chown: flags.word("chown"),
        chmod: flags.word("chmod"),
        link: flags.switch("link") == Some(true),
        exclude: flags.literals("exclude"),
        keep_git_dir: flags.switch("keep-git-dir"),
        checksum: flags.word("checksum"),
        unpack: flags.switch("unpack"),
    })
}
