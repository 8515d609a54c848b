//! What a build reads from outside of the store: the Dockerfile, ignore files, directories, and contexts that are
//! fetched first.
//!
//! - `dockerfile`: reading the Dockerfile, wherever it is
//! - `ignore_file`: what of a local directory does not count
//! - `origin`: what a context is opened again from
//! - `remote`: a main context out of a repository, a URL or standard input

mod dockerfile;
mod ignore_file;
mod origin;
mod remote;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use graph::source::ContextName;
use store::Tree;

pub(crate) use self::ignore_file::IgnoreFile;
pub(crate) use self::origin::ContextOrigin;
pub(crate) use self::remote::RemoteContext;
use crate::error::BuildError;
use crate::request::{BuildRequest, Context};

/// The directories that a build may read, each as a tree behind its ignore file.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    /// The trees, as the session wants them.
    pub(crate) trees: BTreeMap<ContextName, Tree>,
    /// What each of them is opened again from.
    pub(crate) origins: BTreeMap<ContextName, ContextOrigin>,
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
            let ignore = contexts.ignore.clone();
            contexts.open_directory(ContextName::main(), directory, ignore.as_ref())?;
            contexts.directory = Some(directory.clone());
        }
        if let Some(remote) = remote {
            contexts.trees.insert(ContextName::main(), remote.tree.clone());
            contexts.origins.insert(ContextName::main(), ContextOrigin::Snapshot(remote.snapshot));
        }
        Ok(contexts)
    }

    /// Opens a further directory.
    pub(crate) fn add(&mut self, name: ContextName, directory: &Path) -> Result<(), BuildError> {
        let ignore = IgnoreFile::of_directory(directory)?;
        self.open_directory(name, directory, ignore.as_ref())
    }

    fn open_directory(
        &mut self,
        name: ContextName,
        directory: &Path,
        ignore: Option<&IgnoreFile>,
    ) -> Result<(), BuildError> {
        let tree = origin::tree(directory, ignore.map(|file| file.rules.clone()))?;
        let ignore = ignore.map(|file| file.text.clone());
        self.trees.insert(name.clone(), tree);
        self.origins.insert(name, ContextOrigin::Directory { path: directory.to_owned(), ignore });
        Ok(())
    }
}
