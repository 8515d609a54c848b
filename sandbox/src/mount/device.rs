//! `/dev`, built from nothing on a tmpfs.
//!
//! ```text
//! /dev  null zero full random urandom tty     device nodes, or bind mounts of the host's where mknod is denied
//!       pts/ ptmx -> pts/ptmx                 a devpts of its own
//!       shm/ mqueue/                          tmpfs of the asked size; message queues of the ipc namespace
//!       fd stdin stdout stderr core           links into /proc
//!       console                               the process's terminal, if it has one
//! ```

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dev, FileType, Mode, OFlags, makedev, mkdirat, mknodat, openat, symlinkat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::pty::OpenptFlags;

use super::{FileSystem, MountPoint, NO_PROGRAMS, Refusal, Tree};
use crate::error::{At, Failure, Stage};

/// Nodes that every process may expect, with their numbers (`Documentation/admin-guide/devices.txt`).
const NODES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

/// Group that may write to terminals, `tty` in every distribution.
const TTY_GROUP: &str = "5";

/// The mounted `/dev`.
#[derive(Debug)]
pub(crate) struct Devices(Tree);

/// A pseudo terminal of the new devpts.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// The side of whoever shows it.
    pub(crate) master: OwnedFd,
    /// The side of the process.
    pub(crate) slave: OwnedFd,
}

impl Devices {
    /// Mounts and fills `/dev`. The file mode creation mask must be 0.
    pub(crate) fn mount(root: &Tree, shm_size: u64) -> Result<Self, Failure> {
        let point = MountPoint::find(root, Path::new("/dev")).at(Stage::MountPoint, "/dev")?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_STRICTATIME;
        let tmpfs = Tree::tmpfs(0o755, Some(64 << 20), attributes).at(Stage::Mount, "/dev")?;
        // Attached before it is filled: kernels before 6.15 mount nothing inside a detached tree.
        tmpfs.attach(&point).at(Stage::Mount, "/dev")?;
        let devices = Self(tmpfs);
        for (name, major, minor) in NODES {
            devices.node(name, makedev(major, minor)).at(Stage::Device, name)?;
        }
        for (name, target) in LINKS {
            symlinkat(target, &devices.0, name).at(Stage::Device, name)?;
        }
        devices.mount_at("pts", pseudo_terminals())?;
        devices.mount_at("shm", Tree::tmpfs(0o1777, Some(shm_size), NO_PROGRAMS))?;
        devices
            .mount_at("mqueue", FileSystem::open("mqueue").and_then(|queues| queues.mount(NO_PROGRAMS)))?;
        Ok(devices)
    }

    fn node(&self, name: &str, number: Dev) -> Result<(), Errno> {
        let mode = Mode::from_raw_mode(0o666);
        match mknodat(&self.0, name, FileType::CharacterDevice, mode, number) {
            // A user namespace may not make devices, but may show those of the host.
            Err(Errno::PERM) => {
                self.mount_on_file(name, &Tree::copy_of(&Path::new("/dev").join(name), false)?)
            }
            result => result,
        }
    }

    /// Attaches a tree on a new file.
    fn mount_on_file(&self, name: &str, tree: &Tree) -> Result<(), Errno> {
        let create = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(&self.0, name, create, Mode::from_raw_mode(0o666))?;
        tree.attach_at(&self.0, name)
    }

    fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        openat(&self.0, name, flags | OFlags::CLOEXEC, Mode::empty())
    }

    fn mount_at(&self, name: &str, tree: Result<Tree, Refusal>) -> Result<(), Failure> {
        let tree = tree.at(Stage::Device, name)?;
        mkdirat(&self.0, name, Mode::from_raw_mode(0o755)).at(Stage::Device, name)?;
        tree.attach_at(&self.0, name).at(Stage::Device, name)
    }

    /// The node `null`, to cover files with.
    pub(crate) fn null(&self) -> Result<OwnedFd, Failure> {
        self.open("null", OFlags::PATH | OFlags::NOFOLLOW).at(Stage::Device, "null")
    }

    /// Opens a new pseudo terminal and mounts its slave side on `/dev/console`.
    pub(crate) fn terminal(&self) -> Result<Terminal, Failure> {
        let open = || {
            let master = self.open("pts/ptmx", OFlags::RDWR | OFlags::NOCTTY)?;
            rustix::pty::unlockpt(&master)?;
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
            Ok::<_, Errno>(Terminal { master, slave })
        };
        let terminal = open().at(Stage::Terminal, "/dev/pts/ptmx")?;
        self.console(&terminal).at(Stage::Terminal, "/dev/console")?;
        Ok(terminal)
    }

    fn console(&self, terminal: &Terminal) -> Result<(), Errno> {
        // The slave was opened through the devpts mount that a detached open of ptmx belongs to; a copy of
        // the mount of its node is taken by way of the descriptor's link.
        let link = format!("/proc/self/fd/{}", terminal.slave.as_fd().as_raw_fd());
        let node = openat(CWD, link, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        self.mount_on_file("console", &Tree::copy_of_descriptor(node, false)?)
    }
}

/// A devpts instance of its own. Terminals belong to the group `tty`, where the user namespace has it.
fn pseudo_terminals() -> Result<Tree, Refusal> {
    let make = |group: Option<&str>| {
        let terminals = FileSystem::open("devpts")?;
        terminals.set_flag("newinstance")?;
        terminals.set("ptmxmode", "0666")?;
        terminals.set("mode", "0620")?;
        if let Some(group) = group {
            terminals.set("gid", group)?;
        }
        terminals.mount(MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC)
    };
    match make(Some(TTY_GROUP)) {
        Err(Refusal { errno: Errno::INVAL, .. }) => make(None),
        result => result,
    }
}
