//! What a build reads from outside of the store: the Dockerfile, ignore files, directories, and contexts that are
//! fetched first.
//!
//! - `dockerfile`: reading the Dockerfile, wherever it is
//! - `ignore_file`: what of a local directory does not count
//! - `remote`: a main context out of a repository, a URL or standard input

mod dockerfile;
mod ignore_file;
mod remote;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use graph::source::ContextName;
use parser::ignore;
use store::{Keep, Tree, TreePath};

pub(crate) use self::ignore_file::IgnoreFile;
pub(crate) use self::remote::RemoteContext;
use crate::error::BuildError;
use crate::request::{BuildRequest, Context};

/// The directories that a build may read, each as a tree behind its ignore file.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    /// The trees, as the session wants them.
    pub(crate) trees: BTreeMap<ContextName, Tree>,
    /// The directory of the main context.
    pub(crate) directory: Option<PathBuf>,
    /// The ignore file of the main context.
    pub(crate) ignore: Option<IgnoreFile>,
}

impl Contexts {
    /// Opens the main context; `remote` is what was fetched of it, if it comes from elsewhere.
    pub(crate) fn open(request: &BuildRequest, remote: Option<&RemoteContext>) -> Result<Self, BuildError> {
        let mut contexts = Self::default();
        if let Context::Directory(directory) = &request.context {
            contexts.ignore = IgnoreFile::of_main(directory, &request.dockerfile)?;
            let rules = contexts.ignore.as_ref().map(|file| file.rules.clone());
            contexts.trees.insert(ContextName::main(), tree(directory, rules)?);
            contexts.directory = Some(directory.clone());
        }
        if let Some(remote) = remote {
            contexts.trees.insert(ContextName::main(), remote.tree.clone());
        }
        Ok(contexts)
    }

    /// Opens a further directory.
    pub(crate) fn add(&mut self, name: ContextName, directory: &Path) -> Result<(), BuildError> {
        let rules = IgnoreFile::of_directory(directory)?.map(|file| file.rules);
        self.trees.insert(name, tree(directory, rules)?);
        Ok(())
    }
}

fn tree(directory: &Path, rules: Option<ignore::IgnoreFile>) -> Result<Tree, BuildError> {
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
