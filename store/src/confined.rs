//! A directory on the host whose inside cannot lead outside.
//!
//! Every access goes through `openat2(2)` with `RESOLVE_NO_SYMLINKS`: an intermediate component that is a
//! symbolic link fails with `ELOOP` instead of being followed, and a [`TreePath`] has no `..`. Symbolic links
//! are followed by [`crate::tree`] in user space, where the root is known.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;

use crate::overlay;
use crate::owners::Owners;
use crate::path::TreePath;
use crate::tree::names;

/// A directory by its canonical path. Holds no descriptor: a deep stack of layers would use them up.
#[derive(Debug, Clone)]
pub(crate) struct ConfinedDirectory {
    /// Shared by clones: there are many.
    path: Arc<Path>,
    owners: Owners,
    /// Where nothing changes any more.
    top: Option<Arc<OnceLock<Top>>>,
}

/// What is at the top of a layer. Most names of a tree are in few of its layers, and this says in which.
#[derive(Debug)]
pub(crate) struct Top {
    /// All names in the directory, whiteouts among them.
    pub(crate) names: HashSet<OsString>,
    /// Whether it hides everything below the layer.
    pub(crate) is_opaque: bool,
}

impl Top {
    /// Whether the layer neither has anything nor hides anything.
    pub(crate) fn is_nothing(&self) -> bool {
        self.names.is_empty() && !self.is_opaque
    }
}

impl ConfinedDirectory {
    /// `path` must not contain symbolic links; see [`Path::canonicalize`].
    pub(crate) fn new(canonical: PathBuf) -> Self {
        Self { path: canonical.into(), owners: Owners::Exact, top: None }
    }

    /// The same for a layer directory, whose owners may be recorded.
    pub(crate) fn layer(canonical: PathBuf, owners: Owners) -> Self {
        Self { path: canonical.into(), owners, top: None }
    }

    /// The same directory, which nobody changes any more: what is at its top is read once, for all clones.
    pub(crate) fn finished(self) -> Self {
        Self { top: Some(Arc::default()), ..self }
    }

    /// What is at its top; `None` where that may change.
    pub(crate) fn top(&self) -> io::Result<Option<&Top>> {
        let Some(top) = &self.top else { return Ok(None) };
        if let Some(known) = top.get() {
            return Ok(Some(known));
        }
        let directory = self.open_directory(&TreePath::root())?;
        let names = names(&directory)?.into_iter().collect();
        let read = Top { names, is_opaque: overlay::is_opaque(&directory)? };
        // Another thread may be first; it finds the same.
        Ok(Some(top.get_or_init(|| read)))
    }

    /// Where the owners of its files are.
    pub(crate) fn owners(&self) -> Owners {
        self.owners
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same, to be kept.
    pub(crate) fn shared_path(&self) -> Arc<Path> {
        Arc::clone(&self.path)
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
