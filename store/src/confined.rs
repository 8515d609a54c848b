//! A directory on the host whose inside cannot lead outside.
//!
//! Every access goes through `openat2(2)` with `RESOLVE_NO_SYMLINKS`: an intermediate component that is a
//! symbolic link fails with `ELOOP` instead of being followed, and a [`TreePath`] has no `..`. Symbolic links
//! are followed by [`crate::tree`] in user space, where the root is known.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;

use crate::owners::Owners;
use crate::path::TreePath;

/// A directory by its canonical path. Holds no descriptor: a deep stack of layers would use them up.
#[derive(Debug, Clone)]
pub(crate) struct ConfinedDirectory {
    path: PathBuf,
    owners: Owners,
}

impl ConfinedDirectory {
    /// `path` must not contain symbolic links; see [`Path::canonicalize`].
    pub(crate) fn new(canonical: PathBuf) -> Self {
        Self { path: canonical, owners: Owners::Exact }
    }

    /// The same for a layer directory, whose owners may be recorded.
    pub(crate) fn layer(canonical: PathBuf, owners: Owners) -> Self {
        Self { path: canonical, owners }
    }

    /// Where the owners of its files are.
    pub(crate) fn owners(&self) -> Owners {
        self.owners
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a path inside lies on the host. Nothing here keeps a link in it from being followed.
    pub(crate) fn host_path(&self, path: &TreePath) -> PathBuf {
        self.path.join(path.relative())
    }

    /// Opens without following any symbolic link, the last component included.
    pub(crate) fn open(&self, path: &TreePath, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        loop {
            // EAGAIN: a rename elsewhere made the kernel unsure; openat2(2) says to try again.
            match rustix::fs::openat2(CWD, self.host_path(path), flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Opens a directory for `*at` calls and for listing.
    pub(crate) fn open_directory(&self, path: &TreePath) -> io::Result<OwnedFd> {
        self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Opens a regular file for reading.
    pub(crate) fn open_file(&self, path: &TreePath) -> io::Result<File> {
        // NONBLOCK: never hang on a fifo that took the file's place.
        Ok(File::from(self.open(path, OFlags::RDONLY | OFlags::NONBLOCK)?))
    }

    /// What lies at the path, itself and not what it may point to; `None` when nothing does.
    pub(crate) fn status(&self, path: &TreePath) -> io::Result<Option<Statx>> {
        let place = match self.open(path, OFlags::PATH) {
            Ok(place) => place,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(rustix::fs::statx(&place, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?))
    }
}

/// Whether a failed look-up means "nothing there" (a component is missing, or is a file or a link).
pub(crate) fn is_absent(error: &io::Error) -> bool {
    [Errno::NOENT, Errno::NOTDIR, Errno::LOOP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
