//! What overlayfs shows for a stack of layer directories, computed without a mount.
//!
//! A name is looked up in each layer from the top: a whiteout or the absence of a directory on the way hides what
//! is below, a file ends the search, directories of several layers merge until one is opaque. The metadata of a
//! merged directory is that of its topmost layer.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{FileType, OFlags};

use crate::confined::{ConfinedDirectory, Top, is_absent};
use crate::error::{Attempt, StoreError};
use crate::metadata::{Attributes, Device, Inode, Kind, Status, Timestamp};
use crate::overlay;
use crate::owners::{Links, Owner, Owners, Record, is_attributed};
use crate::path::TreePath;
use crate::tree::{Node, names, observe};

/// A stack of layer directories, top first.
#[derive(Debug)]
pub(crate) struct Layers {
    directories: Vec<ConfinedDirectory>,
    /// What their files cannot say of owners, directory by directory.
    links: Vec<Links>,
    /// The layers that show at the root: all of them, down to the first that hides the rest. Every path starts
    /// here, so it is looked up once.
    at_root: OnceLock<Vec<usize>>,
}

/// A name while it is being merged from the top down.
#[derive(Default)]
struct Merging {
    found: Option<Node>,
    /// Nothing below can show any more.
    closed: bool,
}

impl Merging {
    /// Takes in what the next lower layer has. `is_opaque` is asked only where the answer matters.
    fn add(
        &mut self,
        layer: usize,
        (status, kind): (Status, Kind),
        is_opaque: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        if status.is_whiteout() {
            self.closed = true;
            return Ok(());
        }
        let is_directory = status.is_directory();
        match &mut self.found {
            None => self.found = Some(Node { kind, status, layers: vec![layer] }),
            Some(above) if is_directory => above.layers.push(layer),
            Some(_) => {}
        }
        self.closed = !is_directory || is_opaque()?;
        Ok(())
    }
}

impl Layers {
    pub(crate) fn new(directories: Vec<ConfinedDirectory>) -> Self {
        let links = directories.iter().map(|directory| Links::beside(directory.shared_path())).collect();
        Self { directories, links, at_root: OnceLock::new() }
    }

    /// The same stack, with nothing remembered.
    pub(crate) fn afresh(&self) -> Self {
        Self::new(self.directories.clone())
    }

    pub(crate) fn directory(&self, layer: usize) -> Option<&ConfinedDirectory> {
        self.directories.get(layer)
    }

    /// The merged root. With no layer at all it is the empty directory that every image starts from.
    pub(crate) fn root(&self) -> Result<Node, StoreError> {
        let root = TreePath::root();
        let Some(top) = self.directories.first() else { return Ok(scratch_root()) };
        if self.at_root.get().is_none() {
            // Another thread may be first; it finds the same.
            let _ = self.at_root.set(self.find_layers_at_root()?);
        }
        let layers = self.at_root.get().cloned().unwrap_or_default();
        let place = top.open(&root, OFlags::PATH | OFlags::DIRECTORY).attempt("open", top.path())?;
        let found = self.observe_directory(0, place, &root)?;
        let (status, kind) = found.ok_or(StoreError::NotFound(root))?;
        Ok(Node { kind, status, layers })
    }

    fn find_layers_at_root(&self) -> Result<Vec<usize>, StoreError> {
        let mut layers = Vec::new();
        for layer in 0..self.directories.len() {
            layers.push(layer);
            if layer + 1 < self.directories.len() && self.is_opaque(layer, &TreePath::root())? {
                break;
            }
        }
        Ok(layers)
    }

    /// Looks a name up in a merged directory.
    pub(crate) fn lookup(
        &self,
        parent: &TreePath,
        layers: &[usize],
        name: &OsStr,
    ) -> Result<Option<Node>, StoreError> {
        let mut merging = Merging::default();
        for (position, &layer) in layers.iter().enumerate() {
            let Some(directory) = self.directories.get(layer) else { continue };
            if parent.is_root() && self.lacks(layer, name)? {
                continue;
            }
            let place = match directory.open(parent, OFlags::PATH | OFlags::DIRECTORY) {
                Err(error) if is_absent(&error) => continue,
                place => place.attempt("look up", directory.host_path(parent).join(name))?,
            };
            let Some(observed) = self.observe(layer, place, parent, name)? else { continue };
            let is_last = position + 1 == layers.len();
            merging.add(layer, observed, || Ok(!is_last && self.is_opaque(layer, &parent.join(name))?))?;
            if merging.closed {
                break;
            }
        }
        Ok(merging.found)
    }

    /// Lists a merged directory.
    pub(crate) fn list(
        &self,
        parent: &TreePath,
        layers: &[usize],
    ) -> Result<BTreeMap<OsString, Node>, StoreError> {
        let mut merged: BTreeMap<OsString, Merging> = BTreeMap::new();
        for (position, &layer) in layers.iter().enumerate() {
            let Some(directory) = self.directories.get(layer) else { continue };
            let is_last = position + 1 == layers.len();
            let place = directory.open_directory(parent).attempt("open", directory.host_path(parent))?;
            for name in names(&place).attempt("list", directory.host_path(parent))? {
                let merging = merged.entry(name.clone()).or_default();
                if merging.closed {
                    continue;
                }
                let observed = self.observe(layer, &place, parent, &name)?;
                if let Some(observed) = observed {
                    merging.add(layer, observed, || {
                        Ok(!is_last && self.is_opaque(layer, &parent.join(&name))?)
                    })?;
                }
            }
        }
        Ok(merged.into_iter().filter_map(|(name, merging)| Some((name, merging.found?))).collect())
    }

    /// Looks at one name in an open directory of a layer; `None` when there is nothing.
    pub(crate) fn observe(
        &self,
        layer: usize,
        place: impl AsFd,
        parent: &TreePath,
        name: &OsStr,
    ) -> Result<Option<(Status, Kind)>, StoreError> {
        self.observe_truly(layer, place, &parent.join(name), Path::new(name))
    }

    /// The same of the open directory itself.
    pub(crate) fn observe_directory(
        &self,
        layer: usize,
        place: impl AsFd,
        path: &TreePath,
    ) -> Result<Option<(Status, Kind)>, StoreError> {
        self.observe_truly(layer, place, path, Path::new("."))
    }

    fn observe_truly(
        &self,
        layer: usize,
        place: impl AsFd,
        path: &TreePath,
        name: &Path,
    ) -> Result<Option<(Status, Kind)>, StoreError> {
        let Some(directory) = self.directories.get(layer) else { return Ok(None) };
        let look = || -> io::Result<Option<(Status, Kind)>> {
            let Some((mut status, mut kind)) = observe(&place, name)? else { return Ok(None) };
            if directory.owners() == Owners::Recorded && !status.is_whiteout() {
                if is_attributed(&kind) {
                    let record = Record::of_name(&place, name)?;
                    record.unwrap_or_else(|| Owner::default().into()).apply(&mut status, &mut kind);
                } else if let Some(links) = self.links.get(layer) {
                    Record::from(links.owner(path)?).apply(&mut status, &mut kind);
                }
            }
            Ok(Some((status, kind)))
        };
        look().attempt("look up", directory.host_path(path))
    }

    /// Whether a layer is known to have no such name at its root.
    fn lacks(&self, layer: usize, name: &OsStr) -> Result<bool, StoreError> {
        Ok(self.top(layer)?.is_some_and(|top| !top.names.contains(name)))
    }

    fn top(&self, layer: usize) -> Result<Option<&Top>, StoreError> {
        let Some(directory) = self.directories.get(layer) else { return Ok(None) };
        directory.top().attempt("list", directory.path())
    }

    fn is_opaque(&self, layer: usize, path: &TreePath) -> Result<bool, StoreError> {
        let Some(directory) = self.directories.get(layer) else { return Ok(false) };
        if path.is_root()
            && let Some(top) = self.top(layer)?
        {
            return Ok(top.is_opaque);
        }
        overlay::hides_below(directory, path)
    }
}

/// The root of a tree without layers: what a fresh layer directory looks like.
fn scratch_root() -> Node {
    Node {
        kind: Kind::Directory,
        status: Status {
            file_type: FileType::Directory,
            attributes: SCRATCH_ROOT,
            size: 0,
            device: Device { major: 0, minor: 0 },
            inode: Inode { device: Device { major: 0, minor: 0 }, number: 0 },
            links: 1,
        },
        layers: Vec::new(),
    }
}

/// The root directory of an image that says nothing about it.
pub(crate) const SCRATCH_ROOT: Attributes =
    Attributes { mode: 0o755, uid: 0, gid: 0, mtime: Timestamp { seconds: 0, nanoseconds: 0 } };
