//! `/dev`, built from nothing on a tmpfs.
//!
//! ```text
//! /dev  null zero full random urandom tty     device nodes; or mounts of the host's, where mknod is denied or only
//!                                             a mount of its own makes that the node can be opened
//!       …                                     what the spec gives, in the same way
//!       pts/ ptmx -> pts/ptmx                 a devpts of its own
//!       shm/ mqueue/                          tmpfs of the asked size; message queues of the ipc namespace
//!       fd stdin stdout stderr core           links into /proc
//!       console                               the process's terminal, if it has one
//! ```

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dev, FileType, Gid, Mode, OFlags, Uid, chmodat, chownat, makedev, mkdirat, mknodat, openat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::pty::OpenptFlags;

use super::{FileSystem, MountPoint, NO_PROGRAMS, Refusal, Tree, in_user_namespace};
use crate::devices::{Device, DeviceAccess, DeviceKind, Devices, Guard};
use crate::error::{At, Failure, Stage};
use crate::spec::Spec;

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

/// What the host has for itself below `/dev`, and the sandbox has its own of.
const OWN_DIRECTORIES: [&str; 6] =
    ["/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages", "/dev/console", "/dev/ptmx"];

/// Whether a relative path goes down only.
fn is_plain(path: &Path) -> bool {
    path.components().next().is_some()
        && path.components().all(|component| matches!(component, Component::Normal(_)))
}

/// Group that may write to terminals, `tty` in every distribution.
const TTY_GROUP: &str = "5";

/// The mounted `/dev`.
#[derive(Debug)]
pub(crate) struct DeviceDirectory {
    tree: Tree,
    /// Whether nodes are mounted, for the reason that nothing on the directory's own mount can be opened.
    mounts_nodes: bool,
}

/// A pseudo terminal of the new devpts.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// The side of whoever shows it.
    pub(crate) master: OwnedFd,
    /// The side of the process.
    pub(crate) slave: OwnedFd,
}

impl DeviceDirectory {
    /// Mounts and fills `/dev`. The file mode creation mask must be 0.
    pub(crate) fn mount(root: &Tree, spec: &Spec, guard: Guard) -> Result<Self, Failure> {
        let point = MountPoint::find(root, Path::new("/dev")).at(Stage::MountPoint, "/dev")?;
        let mounts_nodes = guard == Guard::Mounts;
        let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_STRICTATIME;
        attributes.set(MountAttrFlags::MOUNT_ATTR_NODEV, mounts_nodes);
        let tmpfs = Tree::tmpfs(0o755, Some(64 << 20), attributes).at(Stage::Mount, "/dev")?;
        // Attached before it is filled: kernels before 6.15 mount nothing inside a detached tree.
        tmpfs.attach(&point).at(Stage::Mount, "/dev")?;
        let devices = Self { tree: tmpfs, mounts_nodes };
        for (name, major, minor) in NODES {
            let source = Path::new("/dev").join(name);
            devices
                .node(name, &source, FileType::CharacterDevice, makedev(major, minor))
                .at(Stage::Device, name)?;
        }
        for (name, target) in LINKS {
            symlinkat(target, &devices.tree, name).at(Stage::Device, name)?;
        }
        devices.mount_at("pts", pseudo_terminals())?;
        devices.mount_at("shm", Tree::tmpfs(0o1777, Some(spec.shm_size), NO_PROGRAMS))?;
        devices
            .mount_at("mqueue", FileSystem::open("mqueue").and_then(|queues| queues.mount(NO_PROGRAMS)))?;
        match &spec.devices {
            Devices::Given(given) => given.iter().try_for_each(|device| devices.give(device))?,
            Devices::All => devices.give_all()?,
        }
        Ok(devices)
    }

    /// Makes a node that everybody may use.
    fn node(&self, path: &str, source: &Path, kind: FileType, number: Dev) -> Result<(), Errno> {
        let made = if self.mounts_nodes {
            Err(Errno::PERM)
        } else {
            mknodat(&self.tree, path, kind, Mode::from_raw_mode(0o666), number)
        };
        match made {
            // A user namespace may not make devices, but may show those of the host.
            Err(Errno::PERM) => self.mount_on_file(path, &Tree::copy_of(source, false)?),
            result => result,
        }
    }

    /// Makes the node of a device that the process was given. One that is there already is that device or another
    /// one of the same name, which gives way.
    fn give(&self, device: &Device) -> Result<(), Failure> {
        self.make_given(device).at(Stage::Device, device.path.display())
    }

    fn make_given(&self, device: &Device) -> Result<(), Errno> {
        let path = device.path.strip_prefix("/dev").ok().and_then(Path::to_str);
        let path = path.filter(|path| is_plain(Path::new(path))).ok_or(Errno::INVAL)?;
        self.make_parents(Path::new(path))?;
        match unlinkat(&self.tree, path, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        let kind = match device.kind {
            DeviceKind::Block => FileType::BlockDevice,
            DeviceKind::Character => FileType::CharacterDevice,
        };
        self.node(path, &device.source, kind, device.number())?;
        if self.mounts_nodes || in_user_namespace().unwrap_or(true) {
            // It is the host's node, with the permissions that it has there.
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(device.uid), Gid::from_raw(device.gid));
        chownat(&self.tree, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        chmodat(&self.tree, path, Mode::from_raw_mode(device.mode), AtFlags::empty())
    }

    /// Makes a node for everything that the host has below its `/dev`, where the kernel allows it.
    fn give_all(&self) -> Result<(), Failure> {
        if self.mounts_nodes || in_user_namespace().unwrap_or(true) {
            return Ok(());
        }
        let mut directories = vec![PathBuf::from("/dev")];
        while let Some(directory) = directories.pop() {
            // What cannot be read, or has gone meanwhile, is not there to give.
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let path = entry.path();
                let is_own = OWN_DIRECTORIES.iter().any(|own| path == Path::new(own));
                if is_own || NODES.iter().any(|(name, ..)| path == Path::new("/dev").join(name)) {
                    continue;
                }
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    directories.push(path);
                } else if entry.file_type().is_ok_and(|kind| !kind.is_symlink())
                    && let Ok(device) = Device::of_host(&path, &path, DeviceAccess::ALL)
                {
                    self.give(&device)?;
                }
            }
        }
        Ok(())
    }

    fn make_parents(&self, path: &Path) -> Result<(), Errno> {
        let parents: Vec<&Path> =
            path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()).collect();
        for parent in parents.into_iter().rev() {
            match mkdirat(&self.tree, parent, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Attaches a tree on a new file.
    fn mount_on_file(&self, name: &str, tree: &Tree) -> Result<(), Errno> {
        let create = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(&self.tree, name, create, Mode::from_raw_mode(0o666))?;
        tree.attach_at(&self.tree, name)
    }

    fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        openat(&self.tree, name, flags | OFlags::CLOEXEC, Mode::empty())
    }

    fn mount_at(&self, name: &str, tree: Result<Tree, Refusal>) -> Result<(), Failure> {
        let tree = tree.at(Stage::Device, name)?;
        mkdirat(&self.tree, name, Mode::from_raw_mode(0o755)).at(Stage::Device, name)?;
        tree.attach_at(&self.tree, name).at(Stage::Device, name)
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
