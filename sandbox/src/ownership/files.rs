//! Files as the processes of a sandbox name them, found from outside and never outside of their root.
//!
//! The kernel does the looking up: `openat2(2)` from the root of the process with `RESOLVE_IN_ROOT`, or from its
//! directory with `RESOLVE_BENEATH`, which fails where a path leads above that directory or goes through an absolute
//! link. Such a path is put behind the directory's own and looked up from the root. What a process does to its names
//! meanwhile can lead to another file of its root, and to nothing else.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::calls::File;
use crate::sys;

/// The longest path, with its zero.
const PATH_LIMIT: usize = 4096;

/// Memory is readable by pages.
const PAGE: u64 = 4096;

/// How to open a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) flags: OFlags,
    pub(super) mode: Mode,
}

/// A file as an argument names it, with its path read from memory.
#[derive(Debug)]
pub(super) struct Named {
    thread: u32,
    directory: Option<i32>,
    /// `None` for the descriptor itself.
    path: Option<PathBuf>,
    follow: bool,
}

impl Named {
    /// Reads the path of the argument.
    pub(super) fn read(thread: u32, file: File) -> Result<Self, Errno> {
        let path = file.path.map(|address| read_path(thread, address)).transpose()?;
        let path = match path {
            Some(path) if path.as_os_str().is_empty() && file.may_be_empty => None,
            Some(path) if path.as_os_str().is_empty() => return Err(Errno::NOENT),
            None if !file.may_be_empty => return Err(Errno::FAULT),
            path => path,
        };
        Ok(Self { thread, directory: file.directory, path, follow: file.follow })
    }

    /// Whether the path leads to one of the file systems that show the process itself, where looking from outside
    /// shows something else.
    pub(super) fn is_of_the_kernel(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.starts_with("/proc") || path.starts_with("/dev"))
    }

    /// Refers to the file, and does not open it.
    pub(super) fn find(&self) -> Result<OwnedFd, Errno> {
        let follow = if self.follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        self.open(Opening { flags: OFlags::PATH | OFlags::CLOEXEC | follow, mode: Mode::empty() })
    }

    /// Opens the file.
    pub(super) fn open(&self, how: Opening) -> Result<OwnedFd, Errno> {
        match &self.path {
            None => rustix::fs::open(self.base(), how.flags, how.mode),
            Some(path) => self.open_path(path, how),
        }
    }

    /// The directory in which the file is or would be, and its name there.
    pub(super) fn place(&self) -> Result<(OwnedFd, &OsStr), Errno> {
        let path = self.path.as_deref().ok_or(Errno::NOENT)?;
        let name = path.file_name().ok_or(Errno::EXIST)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok((self.open_path(parent, Opening { flags, mode: Mode::empty() })?, name))
    }

    fn open_path(&self, path: &Path, how: Opening) -> Result<OwnedFd, Errno> {
        if path.is_absolute() {
            return self.open_from_root(path, how);
        }
        let base = reference(&self.base())?;
        match open_within(&base, path, how, ResolveFlags::BENEATH) {
            Err(Errno::XDEV) => {
                let root = rustix::fs::readlink(self.of_process("root"), Vec::new())?;
                let directory = rustix::fs::readlink(self.base(), Vec::new())?;
                let (root, directory) =
                    (Path::new(as_os(root.as_bytes())), Path::new(as_os(directory.as_bytes())));
                let directory = directory.strip_prefix(root).map_err(|_| Errno::XDEV)?;
                self.open_from_root(&Path::new("/").join(directory).join(path), how)
            }
            result => result,
        }
    }

    fn open_from_root(&self, path: &Path, how: Opening) -> Result<OwnedFd, Errno> {
        let root = reference(&self.of_process("root"))?;
        open_within(&root, path, how, ResolveFlags::IN_ROOT)
    }

    /// Where relative paths begin, as a link of `/proc`.
    fn base(&self) -> String {
        match self.directory {
            Some(descriptor) => self.of_process(&format!("fd/{descriptor}")),
            None => self.of_process("cwd"),
        }
    }

    fn of_process(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.thread)
    }
}

fn as_os(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

fn reference(path: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

fn open_within(base: &OwnedFd, path: &Path, how: Opening, scope: ResolveFlags) -> Result<OwnedFd, Errno> {
    loop {
        // EAGAIN: a rename elsewhere made the kernel unsure; openat2(2) says to try again.
        match openat2(base, path, how.flags, how.mode, scope | ResolveFlags::NO_MAGICLINKS) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Finds a path in a root, which is given as a link of `/proc`.
pub(super) fn find_from(root: &str, path: &Path) -> Result<OwnedFd, Errno> {
    let how = Opening { flags: OFlags::PATH | OFlags::CLOEXEC, mode: Mode::empty() };
    open_within(&reference(root)?, path, how, ResolveFlags::IN_ROOT)
}

/// Opens within a directory that has been found, by a name without slashes.
pub(super) fn find_in(directory: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// A name by which calls that take only paths reach what a descriptor refers to.
pub(super) fn name_of(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// The inode and birth of a file in the upper directory of the root, given as the sandbox sees it.
pub(super) fn find_in_upper(upper: &Path, file: impl AsFd) -> Result<OwnedFd, Errno> {
    let path = rustix::fs::readlink(name_of(file), Vec::new())?;
    let path = Path::new(as_os(path.as_bytes())).strip_prefix("/").map_err(|_| Errno::XDEV)?.to_owned();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let upper = openat2(CWD, upper, flags, Mode::empty(), ResolveFlags::empty())?;
    let how = Opening { flags: OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode: Mode::empty() };
    open_within(&upper, &path, how, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}

/// Reads a path, or the target of a link, from memory.
pub(super) fn read_path(thread: u32, address: u64) -> Result<PathBuf, Errno> {
    let mut path = Vec::new();
    let mut buffer = [0; PATH_LIMIT];
    while path.len() < PATH_LIMIT {
        let from = address.checked_add(path.len() as u64).ok_or(Errno::FAULT)?;
        // The page after the end of the path may not be there.
        let room = usize::try_from(PAGE - from % PAGE).unwrap_or(PATH_LIMIT);
        let part = buffer.get_mut(..room).unwrap_or_default();
        let read = sys::read_memory(thread, from, part)?;
        let part = part.get(..read).unwrap_or_default();
        match part.iter().position(|&byte| byte == 0) {
            Some(end) => {
                path.extend_from_slice(part.get(..end).unwrap_or_default());
                return Ok(PathBuf::from(as_os(&path)));
            }
            None if read == 0 => return Err(Errno::FAULT),
            None => path.extend_from_slice(part),
        }
    }
    Err(Errno::NAMETOOLONG)
}
