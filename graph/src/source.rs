//! What enters a build from outside, named by content.

use std::fmt;

use image::{ChainId, Digest};
use serde::{Deserialize, Serialize};

/// A tree from outside of the build.
///
/// All of them but [`Source::Local`] hold what was pinned before the plan was made: the same
/// source is the same content, for ever and everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The empty tree of `FROM scratch`.
    Scratch,
    /// The root filesystem of an image.
    Image(ImageSource),
    /// A directory of the host, read in place.
    Local(ContextName),
    /// One file that was downloaded or received, in the root of an otherwise empty tree.
    Http(HttpSource),
    /// A checkout of a git repository.
    Git(GitSource),
}

/// The root filesystem of an image: its layers, whatever the manifest, the tag or the config
/// around them.
///
/// As in BuildKit, an image that was retagged, or rebuilt with another label only, is the same
/// source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageSource {
    /// The chain id of all layers.
    pub chain: ChainId,
}

/// The name of a context: the main one, or what `--build-context` calls it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContextName(String);

impl ContextName {
    /// The main context, the one on the command line.
    pub fn main() -> Self {
        Self("context".to_owned())
    }

    /// A context given with `--build-context NAME=…`.
    pub fn named(name: &str) -> Self {
        Self(format!("context:{name}"))
    }

    /// The name as text: `context` or `context:NAME`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A downloaded file, or one that came in on standard input. The URL is no part of it: two URLs with
/// the same content are the same source, as in BuildKit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HttpSource {
    /// The digest of the content.
    pub content: Digest,
    /// The name of the file in the tree.
    pub file_name: String,
    /// The modification time in seconds since 1970, from the `Last-Modified` header.
    pub last_modified: Option<i64>,
}

/// A checkout of a git repository. The URL is no part of it; a commit is its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GitSource {
    /// The full object id of the commit, in hex.
    pub commit: String,
    /// The directory of the repository that becomes the root, relative; empty for all of it.
    pub subdirectory: String,
    /// Whether `.git` is kept.
    pub keep_git_directory: bool,
    /// Whether submodules are checked out.
    pub submodules: bool,
    /// How old the files are.
    pub times: GitTimes,
}

/// How old the files of a checkout are; git itself does not remember it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitTimes {
    /// As old as the checkout.
    #[default]
    Checkout,
    /// As old as the commit (`?mtime=commit`, and contexts of builds with a `SOURCE_DATE_EPOCH`).
    Commit,
}
