//! A directory of the host seen through a filter.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;

use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Kind, Status};
use crate::path::TreePath;
use crate::tree::{Node, names, observe, observe_in};

/// What a filter says of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The tree shows it. What lies below a directory is asked for on its own.
    Yes,
    /// The tree does not show it, nor anything below it.
    No,
    /// A directory that is excluded itself while something below it may be included again: the tree shows it
    /// exactly when it shows something below.
    Descend,
}

type Filter = Box<dyn Fn(&TreePath, bool) -> Keep + Send + Sync>;

/// A host directory and its filter.
pub(crate) struct Host {
    directory: ConfinedDirectory,
    keep: Filter,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Host {
    pub(crate) fn new(directory: ConfinedDirectory, keep: Filter) -> Self {
        Self { directory, keep }
    }

    pub(crate) fn directory(&self) -> &ConfinedDirectory {
        &self.directory
    }

    /// The root is always shown.
    pub(crate) fn root(&self) -> Result<Node, StoreError> {
        let root = TreePath::root();
        match self.directory.status(&root).attempt("open", self.directory.path())? {
            Some(status) => Ok(node(Status::from(&status), Kind::Directory)),
            None => Err(StoreError::NotFound(root)),
        }
    }

    pub(crate) fn lookup(&self, parent: &TreePath, name: &OsStr) -> Result<Option<Node>, StoreError> {
        let path = parent.join(name);
        let Some((status, kind)) = observe_in(&self.directory, parent, name)? else { return Ok(None) };
        Ok(if self.shows(&path, &kind)? { Some(node(status, kind)) } else { None })
    }

    pub(crate) fn list(&self, parent: &TreePath) -> Result<BTreeMap<OsString, Node>, StoreError> {
        let mut shown = BTreeMap::new();
        self.each_child(parent, |name, path, status, kind| {
            if self.shows(&path, &kind)? {
                shown.insert(name, node(status, kind));
            }
            Ok(true)
        })?;
        Ok(shown)
    }

    fn shows(&self, path: &TreePath, kind: &Kind) -> Result<bool, StoreError> {
        let is_directory = *kind == Kind::Directory;
        match (self.keep)(path, is_directory) {
            Keep::Yes => Ok(true),
            Keep::No => Ok(false),
            Keep::Descend => Ok(is_directory && self.shows_something_in(path)?),
        }
    }

    fn shows_something_in(&self, directory: &TreePath) -> Result<bool, StoreError> {
        let mut found = false;
        self.each_child(directory, |_, path, _, kind| {
            found = self.shows(&path, &kind)?;
            Ok(!found)
        })?;
        Ok(found)
    }

    /// Calls `visit` with each name, its path and what it is, in no order, until it returns `false`.
    fn each_child(
        &self,
        parent: &TreePath,
        mut visit: impl FnMut(OsString, TreePath, Status, Kind) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let host_path = || self.directory.host_path(parent);
        let place = self.directory.open_directory(parent).attempt("open", host_path())?;
        for name in names(&place).attempt("list", host_path())? {
            // `None`: removed by somebody since it was listed.
            let observed = observe(&place, Path::new(&name)).attempt("look up", host_path().join(&name))?;
            if let Some((status, kind)) = observed {
                let path = parent.join(&name);
                if !visit(name, path, status, kind)? {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn node(mut status: Status, kind: Kind) -> Node {
    status.attributes.uid = 0;
    status.attributes.gid = 0;
    Node { kind, status, layers: vec![0] }
}
