//! Where an entry goes: its parent directory in the upper, and what has to give way.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode};

use super::Editor;
use crate::error::{Attempt, StoreError};
use crate::metadata::Kind;
use crate::path::TreePath;
use crate::tree::{Entry, observe, resolve};

/// A directory of the upper, ready to be written to.
#[derive(Debug)]
pub(super) struct Place {
    /// The path by which it was asked for.
    requested: TreePath,
    /// The same without symbolic links.
    pub(super) path: TreePath,
    /// Where it lies on the host.
    pub(super) host_path: PathBuf,
    /// The directory in the upper, open.
    pub(super) directory: OwnedFd,
    /// The layers below the upper that show through it.
    below: Vec<usize>,
}

impl Editor<'_> {
    /// The directory at `requested`, copied up where necessary.
    ///
    /// The last one is remembered. It stays valid because every change of the tree's shape asks for the place
    /// it is made in, which then is the remembered one.
    pub(super) fn place(&mut self, requested: &TreePath) -> Result<Arc<Place>, StoreError> {
        match &self.last_place {
            Some(place) if place.requested == *requested => Ok(Arc::clone(place)),
            _ => {
                let place = Arc::new(self.find_place(requested)?);
                self.last_place = Some(Arc::clone(&place));
                Ok(place)
            }
        }
    }

    fn find_place(&mut self, requested: &TreePath) -> Result<Place, StoreError> {
        let resolution = resolve::resolve(&self.view.root()?, requested, true)?;
        let path = resolution.path();
        let entry = resolution.into_entry().ok_or_else(|| StoreError::NotFound(path.clone()))?;
        if !entry.is_directory() {
            return Err(StoreError::NotADirectory(path));
        }
        if entry.node().layers.first() != Some(&0) {
            self.copy_up_directories(&path)?;
        }
        self.directory_times.entry(path.clone()).or_insert(entry.mtime());
        let host_path = self.upper.host_path(&path);
        let directory = self.upper.open_directory(&path).attempt("open", &host_path)?;
        let below = entry.node().layers.iter().copied().filter(|&layer| layer != 0).collect();
        Ok(Place { requested: requested.clone(), path, host_path, directory, below })
    }

    /// Makes every directory of a link-free path that exists only below, as it is below.
    fn copy_up_directories(&mut self, path: &TreePath) -> Result<(), StoreError> {
        let mut entry = self.view.root()?;
        for name in path.components() {
            let child = self
                .view
                .child(&entry, name)?
                .ok_or_else(|| StoreError::NotFound(entry.path().join(name)))?;
            if child.node().layers.first() != Some(&0) {
                self.copy_up_directory(&entry, &child, name)?;
            }
            entry = child;
        }
        Ok(())
    }

    fn copy_up_directory(&mut self, parent: &Entry, child: &Entry, name: &OsStr) -> Result<(), StoreError> {
        let host_path = self.upper.host_path(child.path());
        let place = self.upper.open_directory(parent.path()).attempt("open", host_path.as_path())?;
        self.directory_times.entry(parent.path().clone()).or_insert(parent.mtime());
        let xattrs = child.xattrs()?;
        rustix::fs::mkdirat(&place, name, Mode::from_raw_mode(0o700)).attempt("make", &host_path)?;
        let directory = self.upper.open_directory(child.path()).attempt("open", &host_path)?;
        self.set_owner_and_mode(&directory, &child.attributes())
            .and_then(|()| self.set_file_xattrs(&directory, &xattrs))
            .attempt("set the attributes of", &host_path)?;
        self.directory_times.insert(child.path().clone(), child.mtime());
        Ok(())
    }

    /// Makes sure that what exists at the path exists in the upper; returns its path without links in the
    /// parent.
    pub(super) fn bring_up(&mut self, path: &TreePath) -> Result<TreePath, StoreError> {
        let resolved = self.resolve_in(&TreePath::root(), path, false)?;
        let entry = resolved.entry.ok_or_else(|| StoreError::NotFound(path.clone()))?;
        if entry.is_directory() {
            self.place(&resolved.path)?;
        } else if entry.node().layers.first() != Some(&0) {
            self.copy(&entry, &resolved.path, &entry.attributes())?;
        }
        Ok(resolved.path)
    }

    /// What the union shows under a name.
    pub(super) fn present(&self, place: &Place, name: &OsStr) -> Result<Option<Kind>, StoreError> {
        match observe(&place.directory, Path::new(name)).attempt("look up", place.host_path.join(name))? {
            Some((status, _)) if status.is_whiteout() => Ok(None),
            Some((_, kind)) => Ok(Some(kind)),
            None => self.kind_below(place, name),
        }
    }

    /// What the union shows at a path, without following its last component.
    pub(crate) fn kind_at(&mut self, path: &TreePath) -> Result<Option<Kind>, StoreError> {
        let Some((parent, name)) = path.split_last() else { return Ok(Some(Kind::Directory)) };
        let place = self.place(&parent)?;
        self.present(&place, name)
    }

    /// Whether the last entry was written to that directory, which therefore exists.
    pub(crate) fn is_last_place(&self, directory: &TreePath) -> bool {
        self.last_place.as_ref().is_some_and(|place| place.requested == *directory)
    }

    /// The whiteout of a layer: hides what the layers below have under that name, and never what this layer
    /// has itself.
    pub(crate) fn whiteout(&mut self, path: &TreePath) -> Result<(), StoreError> {
        let (parent, name) = path.split_last().ok_or(StoreError::RootReplaced)?;
        let place = self.place(&parent)?;
        let host_path = place.host_path.join(name);
        match observe(&place.directory, Path::new(name)).attempt("look up", host_path)? {
            None => self.whiteout_if_below(&place, name),
            Some((_, Kind::Directory)) => self.hide_below(path),
            Some(_) => Ok(()),
        }
    }

    /// Makes an existing directory opaque: the layers below show through it no more.
    pub(crate) fn hide_below(&mut self, path: &TreePath) -> Result<(), StoreError> {
        let place = self.place(path)?;
        self.privileges.mark_opaque(&place.directory).attempt("mark as opaque", &place.host_path)?;
        self.last_place = None;
        self.view = self.view.afresh();
        Ok(())
    }

    /// Frees a name for something that is no directory: whatever holds it, unless it is a directory, goes.
    pub(super) fn vacate<'path>(
        &mut self,
        path: &'path TreePath,
    ) -> Result<(Arc<Place>, &'path OsStr), StoreError> {
        let name = path.file_name().ok_or(StoreError::RootReplaced)?;
        let place = self.place(&path.parent().ok_or(StoreError::RootReplaced)?)?;
        if self.present(&place, name)? == Some(Kind::Directory) {
            return Err(StoreError::IsADirectory(path.clone()));
        }
        self.clear(&place, name)?;
        Ok((place, name))
    }

    /// Removes from the upper whatever has that name there: a file, a whiteout, a whole directory.
    pub(super) fn clear(&mut self, place: &Place, name: &OsStr) -> Result<(), StoreError> {
        let host_path = place.host_path.join(name);
        match observe(&place.directory, Path::new(name)).attempt("look up", &host_path)? {
            None => Ok(()),
            Some((_, Kind::Directory)) => {
                let path = place.path.join(name);
                self.directory_times.retain(|touched, _| !touched.starts_with(&path));
                std::fs::remove_dir_all(&host_path).attempt("remove", &host_path)
            }
            Some(_) => {
                rustix::fs::unlinkat(&place.directory, name, AtFlags::empty()).attempt("remove", &host_path)
            }
        }
    }

    /// Leaves a whiteout, if something below would show through.
    pub(super) fn whiteout_if_below(&mut self, place: &Place, name: &OsStr) -> Result<(), StoreError> {
        if self.kind_below(place, name)?.is_some() {
            let host_path = place.host_path.join(name);
            self.privileges.make_whiteout(&place.directory, name).attempt("make a whiteout at", host_path)?;
        }
        Ok(())
    }

    /// What the layers below the upper show under a name.
    pub(super) fn kind_below(&self, place: &Place, name: &OsStr) -> Result<Option<Kind>, StoreError> {
        Ok(self.view.lookup_in(&place.path, &place.below, name)?.map(|node| node.kind))
    }
}
