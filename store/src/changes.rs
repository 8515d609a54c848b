//! What a layer changes: its directory compared with the tree below it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Kind, Status};
use crate::overlay;
use crate::path::TreePath;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::tree::{Entry, Tree, names, observe};

/// A path that a layer changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: TreePath,
    /// What happened there.
    pub kind: ChangeKind,
}

/// How a path differs from what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// There was nothing.
    Added,
    /// There was something else, or something with other attributes; or it is a directory in which
    /// something was changed.
    Changed,
    /// There is nothing any more. What a deleted directory held is not told.
    Deleted,
}

impl Store {
    /// What the snapshot's own layer changes on its parent, in the order of a walk; nothing for scratch.
    pub fn changes(&self, snapshot: &Snapshot) -> Result<Vec<Change>, StoreError> {
        let (Some((_, directory)), Some(parent)) = (snapshot.layer(), snapshot.parent()) else {
            return Ok(Vec::new());
        };
        let layer = directory.clone();
        let before = parent.tree();
        let mut comparison = Comparison { layer, before: &before, changes: Vec::new() };
        comparison.directory(&TreePath::root(), Some(&before.root()?))?;
        Ok(comparison.changes)
    }
}

struct Comparison<'a> {
    layer: ConfinedDirectory,
    before: &'a Tree,
    changes: Vec<Change>,
}

impl Comparison<'_> {
    /// Compares what is in a directory of the layer; `before` is the directory that it lies over, if there is one.
    fn directory(&mut self, path: &TreePath, before: Option<&Entry>) -> Result<(), StoreError> {
        let host_path = self.layer.host_path(path);
        let place = self.layer.open_directory(path).attempt("open", &host_path)?;
        let mut found: BTreeMap<OsString, Option<(Status, Kind)>> = BTreeMap::new();
        if let Some(before) = before
            && overlay::is_opaque(&place).attempt("read the extended attributes of", &host_path)?
        {
            // Whatever the layer does not have itself is hidden.
            let hidden = self.before.children(before)?;
            found
                .extend(hidden.iter().filter_map(|entry| Some((entry.path().file_name()?.to_owned(), None))));
        }
        for name in names(&place).attempt("list", &host_path)? {
            let observed = observe(&place, Path::new(&name)).attempt("look up", host_path.join(&name))?;
            found.insert(name, observed.filter(|(status, _)| !status.is_whiteout()));
        }
        for (name, now) in found {
            let was = before.map(|before| self.before.child(before, &name)).transpose()?.flatten();
            let path = path.join(&name);
            let kind = match (&was, &now) {
                (None, None) => continue,
                (None, Some(_)) => ChangeKind::Added,
                (Some(_), Some(_)) => ChangeKind::Changed,
                (Some(_), None) => ChangeKind::Deleted,
            };
            self.changes.push(Change { path: path.clone(), kind });
            if now.is_some_and(|(_, kind)| kind == Kind::Directory) {
                self.directory(&path, was.as_ref().filter(|was| was.is_directory()))?;
            }
        }
        Ok(())
    }
}
