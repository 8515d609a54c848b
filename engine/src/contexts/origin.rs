//! Opening a directory behind its ignore file, and what it takes to do so again later.

use std::path::{Path, PathBuf};

use parser::ignore;
use serde::{Deserialize, Serialize};
use store::{Keep, SnapshotId, Store, StoreError, Tree, TreePath};

use crate::error::BuildError;

/// What a context is opened again from, when the build is long over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ContextOrigin {
    /// A directory of the host, with the text of the ignore file that the build has read.
    Directory {
        /// Its absolute path.
        path: PathBuf,
        /// The text.
        ignore: Option<String>,
    },
    /// What was fetched.
    Snapshot(SnapshotId),
}

impl ContextOrigin {
    /// Opens the context as it is now.
    pub(crate) fn open(&self, store: &Store) -> Result<Tree, BuildError> {
        match self {
            Self::Directory { path, ignore } => {
                tree(path, ignore.as_ref().map(|text| ignore::IgnoreFile::parse(text).0))
            }
            Self::Snapshot(id) => {
                let found =
                    store.snapshot(*id).and_then(|found| found.ok_or(StoreError::SnapshotMissing(*id)));
                found
                    .map(|snapshot| snapshot.tree())
                    .map_err(|source| BuildError::failed("open the context", source))
            }
        }
    }
}

/// A directory of the host behind the rules of its ignore file.
pub(super) fn tree(directory: &Path, rules: Option<ignore::IgnoreFile>) -> Result<Tree, BuildError> {
    if !directory.is_dir() {
        return Err(BuildError::ContextMissing { path: directory.to_owned() });
    }
    let keep = move |path: &TreePath, is_directory: bool| match &rules {
        None => Keep::Yes,
        Some(rules) => keep(rules, path, is_directory),
    };
    Tree::host(directory, keep)
        .map_err(|source| BuildError::failed(format!("open the context {}", directory.display()), source))
}

fn keep(rules: &ignore::IgnoreFile, path: &TreePath, is_directory: bool) -> Keep {
    let path = String::from_utf8_lossy(path.as_bytes());
    match (rules.judge_path(&path).is_ignored(), is_directory && !rules.can_prune(&path)) {
        (false, _) => Keep::Yes,
        (true, true) => Keep::Descend,
        (true, false) => Keep::No,
    }
}
