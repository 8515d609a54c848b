//! Who copied files belong to: `--chown=user[:group]`.
//!
//! The rules are those of BuildKit and differ from those for a process: a user number without a group
//! gives the group of the same number, whatever `/etc/passwd` says; a user name gives its primary
//! group; nothing is looked up that is a number already.

use graph::file::Owner;
use image::ImagePath;
use image::user::{self, UserError};
use store::Tree;

use crate::file::error::FileError;

/// User and group of a file; root by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Looks up an owner in the files of the tree that is written to.
pub(crate) fn lookup(tree: &Tree, owner: Option<&Owner>) -> Result<Option<Ownership>, FileError> {
    let Some(Owner(text)) = owner else { return Ok(None) };
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text.as_str(), None),
    };
    let failed = |source: UserError| FileError::Owner { owner: text.clone(), source };
    let mut ownership = if let Some(id) = number(user) {
        Ownership { uid: id, gid: id }
    } else {
        let passwd = tree.read(&ImagePath::new("/etc/passwd"))?;
        let found = user::resolve(user, passwd.as_deref(), None).map_err(failed)?;
        Ownership { uid: found.uid, gid: found.gid }
    };
    if let Some(group) = group {
        ownership.gid = if let Some(id) = number(group) {
            id
        } else {
            let file = tree.read(&ImagePath::new("/etc/group"))?;
            user::resolve(&format!("0:{group}"), None, file.as_deref()).map_err(failed)?.gid
        };
    }
    Ok(Some(ownership))
}

/// A number, or `root`, which needs no file.
fn number(text: &str) -> Option<u32> {
    match text {
        "" | "root" => Some(0),
        digits => digits.parse().ok(),
    }
}
