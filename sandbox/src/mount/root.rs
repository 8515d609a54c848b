//! The new root: mounted in the staging area, filled, and entered.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags, mount_change, unmount};

use super::{MountPoint, Refusal, Tree, overlay, read_only_overlay};
use crate::devices::Guard;
use crate::error::{At, Failure, Stage};
use crate::spec::{Mount, MountKind, Root};
use crate::sys::{self, MountAttributes};

/// Name of the new root's mount point in the staging area.
const ROOT: &str = "root";

/// A small tmpfs on top of the host's root, where mounts are put together. It lies on `/` itself, so that it
/// hides nothing: absolute paths still start below it.
#[derive(Debug)]
pub(crate) struct Staging {
    tmpfs: Tree,
    files: usize,
    guard: Guard,
}

impl Staging {
    /// Makes all mounts of this (new) mount namespace private and prepares the staging area.
    pub(crate) fn prepare(guard: Guard) -> Result<Self, Failure> {
        let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
        mount_change("/", private).at(Stage::Propagation, "/")?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let tmpfs = Tree::tmpfs(0o700, None, attributes).at(Stage::Root, "staging tmpfs")?;
        tmpfs.attach_at(CWD, "/").at(Stage::Root, "staging tmpfs")?;
        rustix::fs::mkdirat(&tmpfs, ROOT, Mode::RWXU).at(Stage::Root, "staging tmpfs")?;
        Ok(Self { tmpfs, files: 0, guard })
    }

    /// Mounts the root file system in the staging area.
    pub(crate) fn mount_root(&self, rootfs: &Root) -> Result<Tree, Failure> {
        let (object, tree) = match rootfs {
            Root::Overlay(directories) => {
                let object = format!("an overlay of {} layers", directories.lowers.len());
                let tree = overlay(directories).at(Stage::Root, &object)?;
                (object, tree)
            }
            Root::Directory(path) => {
                let object = path.display().to_string();
                let tree = Tree::copy_of(path, false).at(Stage::Root, &object)?;
                (object, tree)
            }
        };
        self.guard(&tree).at(Stage::Root, &object)?;
        self.attach_root(&tree).at(Stage::Root, &object)?;
        Ok(tree)
    }

    /// Attaches the root file system in the staging area.
    pub(crate) fn attach_root(&self, root: &Tree) -> Result<(), Errno> {
        root.attach_at(&self.tmpfs, ROOT)
    }

    /// Makes one mount of the spec inside `root`.
    pub(crate) fn mount(&mut self, root: &Tree, mount: &Mount) -> Result<(), Failure> {
        let target = &mount.target.display();
        let tree = match &mount.kind {
            MountKind::Bind { source, read_only, recursive } => bind(source, *read_only, *recursive)?,
            MountKind::Tmpfs { size, mode } => {
                Tree::tmpfs(*mode, *size, MountAttrFlags::MOUNT_ATTR_NOSUID).at(Stage::Mount, target)?
            }
            MountKind::Overlay(directories) => overlay(directories).at(Stage::Mount, target)?,
            MountKind::ReadOnlyOverlay { lowers } => read_only_overlay(lowers).at(Stage::Mount, target)?,
            MountKind::File { content, mode, uid, gid } => {
                self.file(content, *mode, (*uid, *gid)).at(Stage::Mount, target)?
            }
        };
        self.guard(&tree).at(Stage::Mount, target)?;
        let is_file = tree.is_file().at(Stage::MountPoint, target)?;
        let point = MountPoint::find_or_make(root, &mount.target, is_file).at(Stage::MountPoint, target)?;
        tree.attach(&point).at(Stage::Mount, target)
    }

    /// Has the mount refuse to open device nodes, if nothing else does.
    fn guard(&self, tree: &Tree) -> Result<(), Errno> {
        if self.guard != Guard::Mounts {
            return Ok(());
        }
        sys::set_mount_attributes(tree, MountAttributes { no_dev: true, ..MountAttributes::default() })
    }

    /// Writes a file into the staging area and returns a read-only mount of it alone.
    fn file(&mut self, content: &[u8], mode: u32, owner: (u32, u32)) -> Result<Tree, Refusal> {
        let name = self.files.to_string();
        self.files += 1;
        let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let descriptor = rustix::fs::openat(&self.tmpfs, &name, create, Mode::empty())?;
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        // The owner first: changing it takes set-user-id bits away.
        rustix::fs::fchown(&descriptor, Some(uid), Some(gid))?;
        rustix::fs::fchmod(&descriptor, Mode::from_raw_mode(mode))?;
        let mut file = std::fs::File::from(descriptor);
        file.write_all(content)?;
        let tree = Tree::copy_of_descriptor(self.open_file(&name)?, false)?;
        let attributes =
            MountAttributes { read_only: true, no_suid: true, no_dev: true, ..MountAttributes::default() };
        sys::set_mount_attributes(&tree, attributes)?;
        Ok(tree)
    }

    fn open_file(&self, name: &str) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(&self.tmpfs, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
    }
}

fn bind(source: &Path, read_only: bool, recursive: bool) -> Result<Tree, Failure> {
    let tree = Tree::copy_of(source, recursive).at(Stage::Source, source.display())?;
    if read_only {
        tree.make_read_only().at(Stage::ReadOnly, source.display())?;
    }
    Ok(tree)
}

/// Makes `root` the root of this process and leaves the host's root, with the staging area on it, behind.
pub(crate) fn enter(root: &Tree) -> Result<(), Failure> {
    rustix::process::fchdir(root).at(Stage::Pivot, "the new root")?;
    // The old root is stacked on the new one, which is also the working directory (pivot_root(2)). What is
    // topmost is taken off first: that is the staging area, which lies on the old root, and only then the old
    // root itself. Anything left there would be what `/..` leads to.
    rustix::process::pivot_root(".", ".").at(Stage::Pivot, "the new root")?;
    unmount(".", UnmountFlags::DETACH).at(Stage::Pivot, "the staging area")?;
    unmount(".", UnmountFlags::DETACH).at(Stage::Pivot, "the old root")?;
    rustix::process::chdir("/").at(Stage::Pivot, "/")?;
    nothing_lies_on_the_root().at(Stage::Pivot, "/")
}

/// Refuses to go on where `/..` is not `/`: the host's files would be within reach of the process.
fn nothing_lies_on_the_root() -> Result<(), Errno> {
    let place = |path: &str| rustix::fs::stat(path).map(|found| (found.st_dev, found.st_ino));
    if place("/")? == place("/..")? { Ok(()) } else { Err(Errno::BUSY) }
}
