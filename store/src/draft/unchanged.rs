//! Leaving out of a layer what changed nothing.
//!
//! Overlayfs copies a directory up as soon as a process makes something in it, and leaves it there when the
//! process removes that thing again.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT};

use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::metadata::Timestamp;
use crate::overlay;
use crate::path::TreePath;
use crate::tree::{Entry, Tree, names, observe};

/// Removes each directory of the upper that is empty, does not hide anything, and has the same attributes,
/// modification time included, as the one below.
pub(super) fn remove_unchanged_directories(
    upper: &ConfinedDirectory,
    below: &Tree,
) -> Result<(), StoreError> {
    let mut cleaner = Cleaner { upper, below, upper_tree: Tree::layered(vec![upper.clone()]) };
    cleaner.clean(&TreePath::root())?;
    Ok(())
}

/// Whether the layer says something about the root directory itself: a mode, owner or extended attribute that
/// the parent's root does not have.
pub(super) fn is_root_changed(upper: &ConfinedDirectory, below: &Tree) -> Result<bool, StoreError> {
    let (above, below) = (Tree::layered(vec![upper.clone()]).root()?, below.root()?);
    Ok(!is_same_but_time(&above, &below)?)
}

struct Cleaner<'a> {
    upper: &'a ConfinedDirectory,
    below: &'a Tree,
    upper_tree: Tree,
}

impl Cleaner<'_> {
    /// Cleans what is in a directory. Returns whether nothing is left in it.
    fn clean(&mut self, directory: &TreePath) -> Result<bool, StoreError> {
        let host_path = self.upper.host_path(directory);
        let place = self.upper.open_directory(directory).attempt("open", &host_path)?;
        let mut left = 0_usize;
        let mut time_before = None;
        for name in names(&place).attempt("list", &host_path)? {
            left += 1;
            let observed = observe(&place, Path::new(&name)).attempt("look up", host_path.join(&name))?;
            if !observed.is_some_and(|(status, _)| status.is_directory()) {
                continue;
            }
            let path = directory.join(&name);
            if self.clean(&path)? && self.is_unchanged(&path)? {
                if time_before.is_none() {
                    let status = self.upper.status(directory).attempt("look up", &host_path)?;
                    time_before =
                        status.map(|status| crate::metadata::Status::from(&status).attributes.mtime);
                }
                rustix::fs::unlinkat(&place, &name, AtFlags::REMOVEDIR)
                    .attempt("remove", host_path.join(&name))?;
                left -= 1;
            }
        }
        if let Some(mtime) = time_before {
            restore_time(&place, mtime).attempt("set the modification time of", &host_path)?;
        }
        Ok(left == 0)
    }

    fn is_unchanged(&self, path: &TreePath) -> Result<bool, StoreError> {
        if self.is_hiding(path)? {
            return Ok(false);
        }
        let (Some(above), Some(below)) = (self.upper_tree.get(path)?, self.below.get(path)?) else {
            return Ok(false);
        };
        Ok(below.is_directory() && above.mtime() == below.mtime() && is_same_but_time(&above, &below)?)
    }

    /// Whether the directory or one above it is opaque.
    fn is_hiding(&self, path: &TreePath) -> Result<bool, StoreError> {
        let mut ancestor = Some(path.clone());
        while let Some(path) = ancestor {
            if overlay::hides_below(self.upper, &path)? {
                return Ok(true);
            }
            ancestor = path.parent();
        }
        Ok(false)
    }
}

fn is_same_but_time(above: &Entry, below: &Entry) -> Result<bool, StoreError> {
    let (a, b) = (above.attributes(), below.attributes());
    Ok((a.mode, a.uid, a.gid) == (b.mode, b.uid, b.gid) && above.xattrs()? == below.xattrs()?)
}

fn restore_time(directory: impl std::os::fd::AsFd, mtime: Timestamp) -> io::Result<()> {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanoseconds.into() },
    };
    Ok(rustix::fs::futimens(directory, &times)?)
}
