//! Mounts, made with the kernel's file-descriptor interface (`fsopen(2)`, `open_tree(2)`, `move_mount(2)`).
//!
//! A [`Tree`] is a mount that a descriptor refers to. It is made detached, gets its options, and is then
//! attached to a [`MountPoint`]; no path of the host is ever involved in the last step. All this happens in
//! the mount namespace of the init process:
//!
//! ```text
//! /            the host's root, private to this namespace; gone after pivot_root
//! └── (tmpfs)  staging, on top of it, reachable by descriptor only
//!     ├── root the new root; becomes /
//!     └── 0 …  contents of MountKind::File, bind-mounted from here one by one
//! ```
//! The namespace dies with its last process, whatever kills it, so a crash leaves no mount.

pub(crate) mod device;
pub(crate) mod mask;
mod overlay;
pub(crate) mod probe;
pub(crate) mod root;
pub(crate) mod system;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use crate::error::{At, Failure, Stage};
use crate::sys::{self, MountAttributes};

pub(crate) use overlay::{overlay, read_only_overlay};

/// A failed mount with the kernel's explanation.
#[derive(Debug)]
pub(crate) struct Refusal {
    errno: Errno,
    detail: Option<String>,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno, detail: None }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self { errno: Errno::from_io_error(&error).unwrap_or(Errno::IO), detail: Some(error.to_string()) }
    }
}

impl<T> At<T> for Result<T, Refusal> {
    fn at(self, stage: Stage, object: impl std::fmt::Display) -> Result<T, Failure> {
        self.map_err(|Refusal { errno, detail }| Failure::Setup {
            stage,
            object: object.to_string(),
            detail,
            errno: errno.raw_os_error(),
        })
    }
}

/// A file system that is being configured.
#[derive(Debug)]
struct FileSystem {
    context: OwnedFd,
}

impl FileSystem {
    fn open(kind: &str) -> Result<Self, Refusal> {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        Ok(Self { context })
    }

    fn set(&self, key: &str, value: impl rustix::path::Arg) -> Result<(), Refusal> {
        self.explain(fsconfig_set_string(&self.context, key, value))
    }

    fn set_flag(&self, key: &str) -> Result<(), Refusal> {
        self.explain(fsconfig_set_flag(&self.context, key))
    }

    fn mount(&self, attributes: MountAttrFlags) -> Result<Tree, Refusal> {
        self.explain(fsconfig_create(&self.context))?;
        self.explain(fsmount(&self.context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)).map(Tree)
    }

    /// Adds what the kernel logged into the context: one message per read, `e ` first for errors.
    fn explain<T>(&self, result: Result<T, Errno>) -> Result<T, Refusal> {
        result.map_err(|errno| {
            let mut messages = Vec::new();
            let mut buffer = [0; 1024];
            while let Ok(length) = rustix::io::read(&self.context, &mut buffer) {
                let message = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
                messages.push(message.trim_start_matches("e ").trim().to_owned());
            }
            Refusal { errno, detail: (!messages.is_empty()).then(|| messages.join("; ")) }
        })
    }
}

/// Options every mount of the kernel's own file systems gets, but devpts, which has devices.
const NO_PROGRAMS: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// A mount, and the directory or file at its top.
#[derive(Debug)]
pub(crate) struct Tree(OwnedFd);

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Tree {
    /// A file system in memory.
    fn tmpfs(mode: u32, size: Option<u64>, attributes: MountAttrFlags) -> Result<Self, Refusal> {
        let tmpfs = FileSystem::open("tmpfs")?;
        tmpfs.set("mode", format!("{mode:o}"))?;
        if let Some(size) = size {
            tmpfs.set("size", size.to_string())?;
        }
        tmpfs.mount(attributes)
    }

    /// A detached copy of the mount at `path`, seen from there on; `recursive`: with the mounts below.
    fn copy_of(path: &Path, recursive: bool) -> Result<Self, Errno> {
        open_tree(CWD, path, clone_flags(recursive)).map(Self)
    }

    /// A detached copy of the mount at an open file or directory, seen from there on.
    fn copy_of_descriptor(descriptor: impl AsFd, recursive: bool) -> Result<Self, Errno> {
        let flags = clone_flags(recursive) | OpenTreeFlags::AT_EMPTY_PATH;
        open_tree(descriptor, "", flags).map(Self)
    }

    /// Whether this is a mount of one file.
    fn is_file(&self) -> Result<bool, Errno> {
        let status = rustix::fs::statat(&self.0, "", AtFlags::EMPTY_PATH)?;
        Ok(!rustix::fs::FileType::from_raw_mode(status.st_mode).is_dir())
    }

    /// Refuses writes, in all mounts of this tree.
    fn make_read_only(&self) -> Result<(), Errno> {
        sys::set_mount_attributes(self, MountAttributes { read_only: true, ..MountAttributes::default() })
    }

    /// Attaches this tree.
    fn attach(&self, to: &MountPoint) -> Result<(), Errno> {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(self, "", &to.0, "", flags)
    }

    /// Attaches this tree on the directory or file `name` of the directory `at`.
    fn attach_at(&self, at: impl AsFd, name: &str) -> Result<(), Errno> {
        move_mount(self, "", at, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
    }
}

fn clone_flags(recursive: bool) -> OpenTreeFlags {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive { flags | OpenTreeFlags::AT_RECURSIVE } else { flags }
}

/// A directory or file inside the root on which something is mounted.
#[derive(Debug)]
pub(crate) struct MountPoint(OwnedFd);

impl AsFd for MountPoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl MountPoint {
    /// Finds `path` in the tree `root`. Symbolic links and `..` are confined to the root; the magic links of
    /// `/proc`, which lead anywhere, are refused (openat2(2)).
    pub(crate) fn find(root: &Tree, path: &Path) -> Result<Self, Errno> {
        open_inside(root, path, OFlags::PATH).map(Self)
    }

    /// Like [`find`](Self::find), but makes what is missing: a target that lies on another mount of the step,
    /// such as a tmpfs, can be made by nobody before that mount is there.
    fn find_or_make(root: &Tree, path: &Path, is_file: bool) -> Result<Self, Errno> {
        match Self::find(root, path) {
            Err(Errno::NOENT) => {}
            result => return result,
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::NOENT) };
        let parent = Self::find_or_make(root, parent, false)?;
        if is_file {
            let create = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            drop(rustix::fs::openat(&parent, name, create, Mode::from_raw_mode(0o644))?);
        } else {
            rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
        }
        Self::find(root, path)
    }

    fn is_directory(&self) -> Result<bool, Errno> {
        let status = rustix::fs::statat(&self.0, "", AtFlags::EMPTY_PATH)?;
        Ok(rustix::fs::FileType::from_raw_mode(status.st_mode).is_dir())
    }
}

/// Opens `path` inside the tree `root`, confined to it.
pub(crate) fn open_inside(root: &Tree, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let confined = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        // EAGAIN: something was renamed meanwhile and the kernel could not prove that the walk stayed inside.
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), confined) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Whether this process lives in a user namespace other than the machine's first one.
pub(crate) fn in_user_namespace() -> io::Result<bool> {
    let map = std::fs::read_to_string("/proc/self/uid_map")?;
    let mut fields = map.split_ascii_whitespace();
    let whole = [fields.next(), fields.next(), fields.next()] == [Some("0"), Some("0"), Some("4294967295")];
    Ok(!whole)
}
