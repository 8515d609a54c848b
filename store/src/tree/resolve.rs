//! Following a path through a tree, symbolic links included, without leaving the root.
//!
//! An absolute link target starts again at the root, `..` stops there: what a process after `chroot(2)` would see.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::error::StoreError;
use crate::metadata::Kind;
use crate::path::TreePath;
use crate::tree::Entry;

/// The kernel follows 40; images in the field are more patient.
const MAX_SYMLINKS: usize = 255;

/// How far a path leads.
#[derive(Debug)]
pub(crate) struct Resolution {
    /// The last thing that exists on the way.
    deepest: Entry,
    /// What does not exist below it; empty when the whole path exists.
    missing: Vec<OsString>,
}

impl Resolution {
    /// What the path leads to, when it exists.
    pub(crate) fn into_entry(self) -> Option<Entry> {
        self.missing.is_empty().then_some(self.deepest)
    }

    /// The path without symbolic links; what does not exist yet is at its end.
    pub(crate) fn path(&self) -> TreePath {
        self.missing.iter().fold(self.deepest.path().clone(), |path, name| path.join(name))
    }
}

/// Follows `path` from `root`, which is where absolute links and `..` lead back to. The last component is
/// followed only with `follow_last`.
pub(crate) fn resolve(root: &Entry, path: &TreePath, follow_last: bool) -> Result<Resolution, StoreError> {
    let mut trail: Vec<Entry> = Vec::new();
    let mut missing: Vec<OsString> = Vec::new();
    let mut pending: VecDeque<OsString> = path.components().map(OsStr::to_owned).collect();
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            if missing.pop().is_none() {
                trail.pop();
            }
            continue;
        }
        if !missing.is_empty() {
            missing.push(name);
            continue;
        }
        let here = trail.last().unwrap_or(root);
        let Some(entry) = here.tree().child(here, &name)? else {
            missing.push(name);
            continue;
        };
        match entry.kind() {
            Kind::Symlink(target) if follow_last || !pending.is_empty() => {
                links += 1;
                if links > MAX_SYMLINKS {
                    return Err(StoreError::TooManySymlinks(path.clone()));
                }
                if target.as_bytes().first() == Some(&b'/') {
                    trail.clear();
                }
                for component in target.as_bytes().rsplit(|&byte| byte == b'/') {
                    if !matches!(component, b"" | b".") {
                        pending.push_front(OsStr::from_bytes(component).to_owned());
                    }
                }
            }
            _ => trail.push(entry),
        }
    }
    let deepest = trail.pop().unwrap_or_else(|| root.clone());
    Ok(Resolution { deepest, missing })
}
