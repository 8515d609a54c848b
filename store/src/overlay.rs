//! The marks of overlayfs in a layer directory.
//!
//! A *whiteout* is a character device 0:0: the name is deleted. An *opaque* directory, marked by an extended
//! attribute with the value `y`, hides the lower directories of the same name. The attribute is
//! `trusted.overlay.opaque`, or `user.overlay.opaque` where the process lives in a user namespace, which must
//! not touch `trusted.*` and mounts overlays with `userxattr`. Both are understood on reading.
//! See the kernel's `Documentation/filesystems/overlayfs.rst`.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FileType, Mode, XattrFlags};

use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::owners::Owners;
use crate::path::TreePath;
use crate::xattrs;

const TRUSTED_OPAQUE: &str = "trusted.overlay.opaque";
const USER_OPAQUE: &str = "user.overlay.opaque";

/// Attributes by which the kernel would find a file's content or a directory's children elsewhere. The sandbox
/// mounts without the features that write them.
const UNSUPPORTED: [&str; 4] = [
    "trusted.overlay.redirect",
    "user.overlay.redirect",
    "trusted.overlay.metacopy",
    "user.overlay.metacopy",
];

/// What this process may do on disk, which depends on who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Privileges {
    opaque: &'static str,
    /// Whether files can be given to other users. Where they cannot (an ordinary user, or a user namespace of
    /// a single id), their owners are recorded.
    pub(crate) owners: Owners,
    /// Whether device nodes can be made.
    pub(crate) devices: bool,
}

impl Privileges {
    /// From the effective user and the user namespace's map (the text of `/proc/self/uid_map`).
    pub(crate) fn new(is_root: bool, uid_map: &str) -> Self {
        let initial = uid_map.split_whitespace().eq(["0", "0", "4294967295"]);
        let mapped: u64 = uid_map
            .lines()
            .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok())
            .fold(0, u64::saturating_add);
        Self {
            opaque: if is_root && initial { TRUSTED_OPAQUE } else { USER_OPAQUE },
            owners: if is_root && mapped > 1 { Owners::Exact } else { Owners::Recorded },
            devices: is_root && initial,
        }
    }

    /// Of this process.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let uid_map = std::fs::read_to_string("/proc/self/uid_map")?;
        Ok(Self::new(rustix::process::geteuid().is_root(), &uid_map))
    }

    /// Marks an open directory as opaque.
    pub(crate) fn mark_opaque(self, directory: impl AsFd) -> io::Result<()> {
        Ok(rustix::fs::fsetxattr(directory, self.opaque, b"y", XattrFlags::empty())?)
    }
}

/// Whether a directory of a layer hides the directories of the same name below it.
pub(crate) fn hides_below(layer: &ConfinedDirectory, path: &TreePath) -> Result<bool, StoreError> {
    let opaque = layer.open_directory(path).and_then(is_opaque);
    opaque.attempt("read the extended attributes of", layer.host_path(path))
}

/// The same of an open directory.
pub(crate) fn is_opaque(directory: impl AsFd) -> io::Result<bool> {
    for name in [TRUSTED_OPAQUE, USER_OPAQUE] {
        if xattrs::value(&directory, OsStr::new(name))?.as_deref() == Some(b"y") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first attribute of the file that user space cannot follow.
pub(crate) fn unsupported_xattr(names: &[std::ffi::OsString]) -> Option<&OsStr> {
    names.iter().map(std::ffi::OsString::as_os_str).find(|name| UNSUPPORTED.iter().any(|known| name == known))
}

/// Makes a whiteout. Allowed to everybody since Linux 5.8.
pub(crate) fn make_whiteout(parent: impl AsFd, name: &OsStr) -> io::Result<()> {
    Ok(rustix::fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_follow_the_user_namespace() {
        let root = Privileges::new(true, "         0          0 4294967295\n");
        assert_eq!(root, Privileges { opaque: TRUSTED_OPAQUE, owners: Owners::Exact, devices: true });
        let mapped = Privileges::new(true, "0 1000 1\n1 100000 65536\n");
        assert_eq!(mapped, Privileges { opaque: USER_OPAQUE, owners: Owners::Exact, devices: false });
        let single = Privileges::new(true, "0 1000 1\n");
        assert_eq!(single, Privileges { opaque: USER_OPAQUE, owners: Owners::Recorded, devices: false });
        let user = Privileges::new(false, "0 0 4294967295\n");
        assert_eq!(user, Privileges { opaque: USER_OPAQUE, owners: Owners::Recorded, devices: false });
    }
}
