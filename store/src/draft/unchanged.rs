//! Leaving out of a layer what changed nothing.
//!
//! Overlayfs copies a directory up as soon as a process makes something in it, and leaves it there when the
//! process removes that thing again. It copies a file up when a process changes its mode or owner, even to what they
//! were (`chown -R root /usr`), or makes a link to it. And a `COPY` may write what is there already.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT};

use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Kind, Timestamp};
use crate::overlay;
use crate::path::TreePath;
use crate::tree::{Entry, Tree, names, observe};

/// Removes from the upper what is the same below: directories that are empty and do not hide anything, and files with
/// equal content; each with equal attributes, modification time included.
pub(super) fn remove_unchanged(upper: &ConfinedDirectory, below: &Tree) -> Result<(), StoreError> {
    let mut cleaner = Cleaner { upper, below, upper_tree: Tree::layered(vec![upper.clone()]) };
    let root = TreePath::root();
    let shows = !overlay::hides_below(upper, &root)?;
    cleaner.clean(&root, shows)?;
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
    /// Cleans what is in a directory; `shows` is whether what is below shows through there. Returns whether nothing is
    /// left in it.
    fn clean(&mut self, directory: &TreePath, shows: bool) -> Result<bool, StoreError> {
        let host_path = self.upper.host_path(directory);
        let place = self.upper.open_directory(directory).attempt("open", &host_path)?;
        let mut left = 0_usize;
        let mut time_before = None;
        for name in names(&place).attempt("list", &host_path)? {
            left += 1;
            let observed = observe(&place, Path::new(&name)).attempt("look up", host_path.join(&name))?;
            let Some((status, _)) = observed else { continue };
            let path = directory.join(&name);
            let is_unchanged = if status.is_directory() {
                self.clean_directory(&path, shows)?
            } else {
                shows && self.is_unchanged_file(&path)?
            };
            if is_unchanged {
                if time_before.is_none() {
                    let status = self.upper.status(directory).attempt("look up", &host_path)?;
                    time_before =
                        status.map(|status| crate::metadata::Status::from(&status).attributes.mtime);
                }
                let flags = if status.is_directory() { AtFlags::REMOVEDIR } else { AtFlags::empty() };
                rustix::fs::unlinkat(&place, &name, flags).attempt("remove", host_path.join(&name))?;
                left -= 1;
            }
        }
        if let Some(mtime) = time_before {
            restore_time(&place, mtime).attempt("set the modification time of", &host_path)?;
        }
        Ok(left == 0)
    }

    /// Cleans a directory below another one. Returns whether it can go itself.
    fn clean_directory(&mut self, path: &TreePath, shows: bool) -> Result<bool, StoreError> {
        // What is new has nothing below it: nothing in it needs to be looked up there.
        let below = if shows { self.below.get(path)?.filter(Entry::is_directory) } else { None };
        let shows = below.is_some() && !overlay::hides_below(self.upper, path)?;
        let is_empty = self.clean(path, shows)?;
        let Some(below) = below.filter(|_| is_empty && shows) else { return Ok(false) };
        let Some(above) = self.upper_tree.get(path)? else { return Ok(false) };
        Ok(above.mtime() == below.mtime() && is_same_but_time(&above, &below)?)
    }

    fn is_unchanged_file(&self, path: &TreePath) -> Result<bool, StoreError> {
        let Some(below) = self.below.get(path)? else { return Ok(false) };
        let Some(above) = self.upper_tree.get(path)? else { return Ok(false) };
        Ok(above.kind() == below.kind()
            && (above.size(), above.mtime()) == (below.size(), below.mtime())
            && is_same_but_time(&above, &below)?
            && (*above.kind() != Kind::File || is_same_content(&above, &below)?))
    }
}

fn is_same_content(above: &Entry, below: &Entry) -> Result<bool, StoreError> {
    let (mut one, mut other) = (BufReader::new(above.open()?), BufReader::new(below.open()?));
    let path = above.path();
    loop {
        let chunk = one.fill_buf().attempt("read", path.to_string())?;
        let same = other.fill_buf().attempt("read", path.to_string())?;
        let length = chunk.len().min(same.len());
        if chunk[..length] != same[..length] || (length == 0 && chunk.len() != same.len()) {
            return Ok(false);
        }
        if length == 0 {
            return Ok(true);
        }
        one.consume(length);
        other.consume(length);
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
