//! Leaving out of a layer what changed nothing: a layer says what differs between two trees, however a process got
//! from one to the other.
//!
//! Overlayfs copies a directory up as soon as a process makes something in it, and leaves it there when the
//! process removes that thing again. It copies a file up when a process changes its mode or owner, even to what they
//! were (`chown -R root /usr`), or makes a link to it. It marks a directory as opaque that took the place of another
//! one, or that was moved. And a `COPY` may write what is there already, a copy of the whole tree holds everything.
//!
//! What is left is the same in all these cases: files and directories that differ from what lies below, and a
//! whiteout for each name that is gone, in place of opaque marks.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT};

use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Kind, Timestamp};
use crate::overlay::{self, Privileges};
use crate::path::TreePath;
use crate::tree::{Entry, Tree, names};

/// What an upper directory holds before it is cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// What was changed, with the marks of overlayfs for what is gone.
    Changes,
    /// Everything: what it lacks is gone. Files that the system has not touched since that time are those of the
    /// copy.
    Everything {
        /// When the copy was complete, by the clock of the file system.
        copied: Timestamp,
    },
}

/// Reduces an upper directory to what differs from the tree below it.
pub(super) fn remove_unchanged(
    upper: &ConfinedDirectory,
    below: &Tree,
    holds: Holds,
    privileges: Privileges,
) -> Result<(), StoreError> {
    let upper_tree = Tree::layered(vec![upper.clone()]);
    let root = upper_tree.root()?;
    let cleaner = Cleaner { upper, upper_tree, holds, privileges };
    let hides = cleaner.take_mark(root.path())? || holds != Holds::Changes;
    cleaner.clean(&root, Some(&below.root()?), hides)?;
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
    upper_tree: Tree,
    holds: Holds,
    privileges: Privileges,
}

/// A directory whose entries come and go, while its modification time shall stay.
struct Place {
    directory: OwnedFd,
    mtime: Timestamp,
    is_touched: bool,
}

impl Cleaner<'_> {
    /// Cleans what is in a directory. `below` is the directory of the same name below; where the upper one `hides`
    /// it, what it lacks is gone. Returns whether nothing is left in it.
    fn clean(&self, above: &Entry, below: Option<&Entry>, hides: bool) -> Result<bool, StoreError> {
        let host_path = self.upper.host_path(above.path());
        let directory = self.upper.open_directory(above.path()).attempt("open", &host_path)?;
        let mut place = Place { directory, mtime: above.mtime(), is_touched: false };
        // Only where a name can be missing all that is below has to be known.
        let mut hidden = match below {
            Some(below) if hides => Some(children_by_name(below)?),
            _ => None,
        };
        let mut left = 0_usize;
        for name in names(&place.directory).attempt("list", &host_path)? {
            left += 1;
            let below = match (&mut hidden, below) {
                (Some(hidden), _) => hidden.remove(&name),
                (None, Some(below)) => below.tree().child(below, &name)?,
                (None, None) => None,
            };
            let Some(child) = self.upper_tree.child(above, &name)? else { continue };
            let is_unchanged = if child.is_directory() {
                self.clean_directory(&child, below.as_ref().filter(|below| below.is_directory()), hides)?
            } else {
                below.map(|below| self.is_unchanged_file(&child, &below)).transpose()?.unwrap_or(false)
            };
            if is_unchanged {
                place.remove(&name, child.is_directory()).attempt("remove", host_path.join(&name))?;
                left -= 1;
            }
        }
        for name in hidden.unwrap_or_default().keys() {
            place.is_touched = true;
            self.privileges
                .make_whiteout(&place.directory, name)
                .attempt("make a whiteout at", host_path.join(name))?;
            left += 1;
        }
        place.finish().attempt("set the modification time of", &host_path)?;
        Ok(left == 0)
    }

    /// Cleans a directory below another one. Returns whether it can go itself.
    fn clean_directory(&self, above: &Entry, below: Option<&Entry>, hides: bool) -> Result<bool, StoreError> {
        // A directory in one that is opaque hides what is below without a mark of its own.
        let hides = self.take_mark(above.path())? || hides;
        let is_empty = self.clean(above, below, hides)?;
        match below {
            Some(below) if is_empty => Ok(above.mtime() == below.mtime() && is_same_but_time(above, below)?),
            _ => Ok(false),
        }
    }

    /// Whether a directory was marked as opaque; it is no more.
    fn take_mark(&self, path: &TreePath) -> Result<bool, StoreError> {
        let is_marked = overlay::hides_below(self.upper, path)?;
        if is_marked {
            let host_path = self.upper.host_path(path);
            self.upper
                .open_directory(path)
                .and_then(overlay::remove_opaque_mark)
                .attempt("set the extended attributes of", host_path)?;
        }
        Ok(is_marked)
    }

    fn is_unchanged_file(&self, above: &Entry, below: &Entry) -> Result<bool, StoreError> {
        let (a, b) = (above.attributes(), below.attributes());
        let looks_same = above.kind() == below.kind() && above.size() == below.size() && a == b;
        if !looks_same {
            return Ok(false);
        }
        if self.is_untouched(above.path())? {
            return Ok(true);
        }
        Ok(above.xattrs()? == below.xattrs()?
            && (*above.kind() != Kind::File || is_same_content(above, below)?))
    }

    /// Whether the system has done nothing to a file of a copy since that was complete. What happened within the
    /// tick of the clock counts as touched.
    fn is_untouched(&self, path: &TreePath) -> Result<bool, StoreError> {
        let Holds::Everything { copied } = self.holds else { return Ok(false) };
        let status = self.upper.status(path).attempt("look up", self.upper.host_path(path))?;
        let changed = status.map(|status| Timestamp {
            seconds: status.stx_ctime.tv_sec,
            nanoseconds: status.stx_ctime.tv_nsec,
        });
        Ok(changed.is_some_and(|changed| changed < copied))
    }
}

impl Place {
    fn remove(&mut self, name: &OsStr, is_directory: bool) -> io::Result<()> {
        self.is_touched = true;
        let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        Ok(rustix::fs::unlinkat(&self.directory, name, flags)?)
    }

    fn finish(self) -> io::Result<()> {
        if !self.is_touched {
            return Ok(());
        }
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec {
                tv_sec: self.mtime.seconds,
                tv_nsec: self.mtime.nanoseconds.into(),
            },
        };
        Ok(rustix::fs::futimens(self.directory, &times)?)
    }
}

fn children_by_name(directory: &Entry) -> Result<BTreeMap<OsString, Entry>, StoreError> {
    let children = directory.tree().children(directory)?;
    Ok(children.into_iter().filter_map(|child| Some((child.path().file_name()?.to_owned(), child))).collect())
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
