//! How a tree is shown to a process by a bind mount.
//!
//! A tree of the store is shown by its layer directories. A local context is shown in place only
//! when the directory of the host *is* the tree: when the filter hides nothing below the mounted
//! path and everything there belongs to root, as files of a context do. Otherwise (an ignore file
//! that matches; a checkout of an ordinary user that root builds) the tree is copied into a draft,
//! cloned where the file system can, and the copy is shown.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use store::{Draft, Entry, StoreError, TreePath};

use crate::exec::error::ExecError;

/// What to mount.
#[derive(Debug)]
pub(crate) enum Shown {
    /// This file of the host.
    File(PathBuf),
    /// The union of these directories of the host, top first; at least one.
    Directories(Vec<PathBuf>),
    /// This file or directory, which is a copy that nobody else uses.
    Copy(PathBuf),
}

/// Finds out how an entry can be shown; `scratch` is an empty draft for copies.
pub(crate) fn show(entry: &Entry, scratch: &Draft) -> Result<Shown, ExecError> {
    let backing = entry.host_paths();
    if !entry.tree().is_host() {
        return match (entry.is_directory(), backing.first()) {
            (true, None) => Ok(Shown::Copy(scratch.stack(&[])?.upper)),
            (true, Some(_)) => Ok(Shown::Directories(backing)),
            (false, _) => Ok(Shown::File(first(backing, entry)?)),
        };
    }
    let place = first(backing, entry)?;
    match (entry.is_directory(), is_root_owned_throughout(entry, &place)?) {
        (true, true) => Ok(Shown::Directories(vec![place])),
        (false, true) => Ok(Shown::File(place)),
        (true, false) => Ok(Shown::Copy(copy_directory(entry, scratch)?)),
        (false, false) => Ok(Shown::Copy(copy_file(entry, scratch)?)),
    }
}

fn first(backing: Vec<PathBuf>, entry: &Entry) -> Result<PathBuf, StoreError> {
    backing.into_iter().next().ok_or_else(|| StoreError::NotFound(entry.path().clone()))
}

/// Whether a host directory shows exactly what the tree shows: nothing is hidden, all is root's.
fn is_root_owned_throughout(entry: &Entry, place: &Path) -> Result<bool, ExecError> {
    let failed = |source| ExecError::Context { path: place.to_owned(), source };
    let metadata = fs::symlink_metadata(place).map_err(failed)?;
    if metadata.uid() != 0 || metadata.gid() != 0 {
        return Ok(false);
    }
    if !entry.is_directory() {
        return Ok(true);
    }
    let children = entry.tree().children(entry)?;
    if fs::read_dir(place).map_err(failed)?.count() != children.len() {
        return Ok(false);
    }
    for child in children {
        let Some(name) = child.path().file_name() else { continue };
        if !is_root_owned_throughout(&child, &place.join(name))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Copies a file to the root of the draft; the path of the copy on the host.
pub(crate) fn copy_file(entry: &Entry, scratch: &Draft) -> Result<PathBuf, ExecError> {
    let name = TreePath::root().join("file".as_ref());
    let mut editor = scratch.editor();
    editor.copy(entry, &name, &entry.attributes())?;
    editor.finish()?;
    Ok(scratch.stack(&[])?.upper.join("file"))
}

/// Copies what the tree shows below an entry to the root of the draft; its path on the host.
pub(crate) fn copy_directory(entry: &Entry, scratch: &Draft) -> Result<PathBuf, ExecError> {
    let mut editor = scratch.editor();
    for below in entry.tree().walk(entry) {
        let below = below?;
        let target = below.path().strip_prefix(entry.path()).unwrap_or_else(TreePath::root);
        editor.copy(&below, &target, &below.attributes())?;
    }
    editor.finish()?;
    Ok(scratch.stack(&[])?.upper)
}
