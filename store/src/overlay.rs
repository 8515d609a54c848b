//! The marks of overlayfs in a layer directory.
//!
//! A *whiteout* is a character device 0:0: the name is deleted. An *opaque* directory, marked by an extended
//! attribute with the value `y`, hides the lower directories of the same name. The attribute is
//! `trusted.overlay.opaque`, or `user.overlay.opaque` where the process lives in a user namespace, which must
//! not touch `trusted.*` and mounts overlays with `userxattr`. Both are understood on reading.
//! See the kernel's `Documentation/filesystems/overlayfs.rst`.
//!
//! On a file system that refuses these marks, because it is an overlay itself, they are [plain](Marks::Plain): a
//! whiteout is an empty regular file of mode 0 with the attribute `user.builder.whiteout`, and an opaque directory
//! has `user.builder.opaque`. The kernel does not understand them: no overlay is mounted over such a store.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, XattrFlags};
use rustix::io::Errno;

use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::owners::Owners;
use crate::path::TreePath;
use crate::xattrs;

const TRUSTED_OPAQUE: &str = "trusted.overlay.opaque";
const USER_OPAQUE: &str = "user.overlay.opaque";
const PLAIN_OPAQUE: &str = "user.builder.opaque";
const PLAIN_WHITEOUT: &str = "user.builder.whiteout";

/// Everything that marks a directory as opaque, in whatever store and by whomever.
const OPAQUE: [&str; 3] = [TRUSTED_OPAQUE, USER_OPAQUE, PLAIN_OPAQUE];

/// Attributes by which the kernel would find a file's content or a directory's children elsewhere. The sandbox
/// mounts without the features that write them.
const UNSUPPORTED: [&str; 4] = [
    "trusted.overlay.redirect",
    "user.overlay.redirect",
    "trusted.overlay.metacopy",
    "user.overlay.metacopy",
];

/// How the layers of a store say what is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// As overlayfs does.
    Kernel,
    /// In a way that every file system with `user.*` attributes has.
    Plain,
}

impl Marks {
    /// Finds out which marks a directory can have, by making them.
    pub(crate) fn possible_in(directory: &Path, privileges: Privileges) -> Result<Self, StoreError> {
        let place = tempfile::Builder::new().prefix("marks-").tempdir_in(directory);
        let place = place.attempt("make a directory in", directory)?;
        let open = File::open(place.path()).attempt("open", place.path())?;
        let made = privileges
            .mark_opaque(&open)
            .and_then(|()| privileges.make_whiteout(&open, OsStr::new("whiteout")));
        Ok(if made.is_ok() { Self::Kernel } else { Self::Plain })
    }
}

/// What this process may do on disk, which depends on who it is and on the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Privileges {
    opaque: &'static str,
    pub(crate) marks: Marks,
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
            marks: Marks::Kernel,
            owners: if is_root && mapped > 1 { Owners::Exact } else { Owners::Recorded },
            devices: is_root && initial,
        }
    }

    /// Of this process.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let uid_map = std::fs::read_to_string("/proc/self/uid_map")?;
        Ok(Self::new(rustix::process::geteuid().is_root(), &uid_map))
    }

    /// The same in a store with these marks.
    pub(crate) fn with_marks(self, marks: Marks) -> Self {
        Self { marks, ..self }
    }

    /// Marks an open directory as opaque.
    pub(crate) fn mark_opaque(self, directory: impl AsFd) -> io::Result<()> {
        let name = match self.marks {
            Marks::Kernel => self.opaque,
            Marks::Plain => PLAIN_OPAQUE,
        };
        Ok(rustix::fs::fsetxattr(directory, name, b"y", XattrFlags::empty())?)
    }

    /// Makes a whiteout. Overlayfs's are allowed to everybody since Linux 5.8.
    pub(crate) fn make_whiteout(self, parent: impl AsFd, name: &OsStr) -> io::Result<()> {
        if self.marks == Marks::Kernel {
            return Ok(rustix::fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), 0)?);
        }
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(parent, name, flags, Mode::RUSR)?;
        rustix::fs::fsetxattr(&file, PLAIN_WHITEOUT, b"y", XattrFlags::empty())?;
        Ok(rustix::fs::fchmod(&file, Mode::empty())?)
    }
}

/// Whether a directory of a layer hides the directories of the same name below it.
pub(crate) fn hides_below(layer: &ConfinedDirectory, path: &TreePath) -> Result<bool, StoreError> {
    let opaque = layer.open_directory(path).and_then(is_opaque);
    opaque.attempt("read the extended attributes of", layer.host_path(path))
}

/// The same of an open directory.
pub(crate) fn is_opaque(directory: impl AsFd) -> io::Result<bool> {
    for name in OPAQUE {
        if xattrs::value(&directory, OsStr::new(name))?.as_deref() == Some(b"y") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes the mark off an open directory, whoever made it.
pub(crate) fn remove_opaque_mark(directory: impl AsFd) -> io::Result<()> {
    for name in OPAQUE {
        match rustix::fs::fremovexattr(&directory, name) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            // A user namespace may not touch what it has not made.
            Err(Errno::PERM) if name == TRUSTED_OPAQUE => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Whether a regular file is a plain whiteout. To be asked of empty files of mode 0 only.
pub(crate) fn is_plain_whiteout(parent: impl AsFd, name: &Path) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Ok(file) => Ok(xattrs::value(file, OsStr::new(PLAIN_WHITEOUT))?.is_some()),
        // Somebody else's file in a directory of the host that is read in place.
        Err(Errno::ACCESS | Errno::PERM | Errno::NOENT | Errno::LOOP) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// The first attribute of the file that user space cannot follow.
pub(crate) fn unsupported_xattr(names: &[std::ffi::OsString]) -> Option<&OsStr> {
    names.iter().map(std::ffi::OsString::as_os_str).find(|name| UNSUPPORTED.iter().any(|known| name == known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_follow_the_user_namespace() {
        let root = Privileges::new(true, "         0          0 4294967295\n");
        assert_eq!(
            root,
            Privileges { opaque: TRUSTED_OPAQUE, marks: Marks::Kernel, owners: Owners::Exact, devices: true }
        );
        let mapped = Privileges::new(true, "0 1000 1\n1 100000 65536\n");
        assert_eq!(
            mapped,
            Privileges { opaque: USER_OPAQUE, marks: Marks::Kernel, owners: Owners::Exact, devices: false }
        );
        let single = Privileges::new(true, "0 1000 1\n");
        assert_eq!(
            single,
            Privileges {
                opaque: USER_OPAQUE,
                marks: Marks::Kernel,
                owners: Owners::Recorded,
                devices: false
            }
        );
        let user = Privileges::new(false, "0 0 4294967295\n");
        assert_eq!(
            user,
            Privileges {
                opaque: USER_OPAQUE,
                marks: Marks::Kernel,
                owners: Owners::Recorded,
                devices: false
            }
        );
    }
}
