//! What can go wrong with a file operation.

use graph::source::ContextName;
use graph::vertex::InputIndex;
use store::{StoreError, TreePath};

/// Why a `COPY`, `ADD` or `WORKDIR` failed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A source without wildcards, or the part of a source before its first wildcard, is not there.
    ///
    /// The text ends like BuildKit's, which scripts look for.
    #[error("source \"{}\": not found", .0.path)]
    SourceNotFound(Box<MissingPath>),
    /// Something that is no directory lies where a directory has to be made.
    #[error("mkdir /{0}: not a directory")]
    NotADirectory(TreePath),
    /// A directory is to be copied onto something else.
    #[error("cannot copy to non-directory: /{0}")]
    DirectoryOntoOther(TreePath),
    /// A file, link or device is to be copied onto a directory.
    #[error("cannot replace directory /{0} with a file")]
    OtherOntoDirectory(TreePath),
    /// The owner's name is not known to the tree that is written to.
    #[error("cannot give files to {owner}")]
    Owner {
        /// The owner as the Dockerfile has it.
        owner: String,
        /// Why not.
        #[source]
        source: image::user::UserError,
    },
    /// A pattern of `--exclude` or of a source is not well-formed.
    #[error("syntax error in pattern {pattern:?}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
    },
    /// The vertex has fewer inputs than its operation names.
    #[error("the step has no input {0:?}")]
    NoInput(InputIndex),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A path that a copy did not find in its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPath {
    /// The path as an absolute path inside the source, cleaned.
    pub path: String,
    /// The context that it was looked for in; none for another stage or image.
    pub context: Option<ContextName>,
    /// A path of the source that is nearly this one.
    pub similar: Option<String>,
}

impl FileError {
    /// The store's error of a directory that could not be made, in the words of mkdir(2).
    pub(crate) fn from_make_directory(error: StoreError) -> Self {
        match error {
            StoreError::NotADirectory(path) => Self::NotADirectory(path),
            other => Self::Store(other),
        }
    }
}
