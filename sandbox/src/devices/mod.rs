//! Which devices a process may open: a program of the kernel that is asked every time, attached to a cgroup.
//!
//! A process that is root of the host may make device nodes (`CAP_MKNOD` is one of Docker's default capabilities,
//! and images may have nodes in their layers), so it is this program that keeps it from the host's disks. The
//! rules are Docker's: any node may be made; only the harmless ones, terminals, and what the step was given may be
//! opened.
//!
//! ```text
//! server      makes a group below the builder's own, in the version 2 hierarchy    default rules
//! supervisor  has init begin in that group; or in the step's own, if it has one    default rules
//!             or in another one, for a step that was given devices                 those and the devices'
//! ```
//! The hierarchy of version 2 serves even where all controllers are in version 1. The groups are those of
//! [`cgroup`](crate::cgroup), with the same lock and the same end.
//!
//! Where that cannot be had (no hierarchy of version 2, a container that may not use bpf(2)), device nodes cannot
//! be opened at all but the sandbox's own: every mount is `nodev`, and these nodes are mounts of their own. In a
//! user namespace the kernel itself sees to that.

mod program;

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{Dev, makedev};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::cgroup::Group;
use crate::mount::in_user_namespace;
use crate::sys;
use crate::wire;

/// The devices that a process may use besides those that every process has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Devices {
    /// These.
    Given(Vec<Device>),
    /// All that the host has.
    All,
}

/// A device of the host, and its node in the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Where the node is made: an absolute path below `/dev`.
    #[serde(with = "wire::one")]
    pub path: PathBuf,
    /// The node on the host, which is shown where a user namespace may not make one.
    #[serde(with = "wire::one")]
    pub source: PathBuf,
    /// Block or character device.
    pub kind: DeviceKind,
    /// Its numbers.
    pub numbers: (u32, u32),
    /// Permission bits of the node.
    pub mode: u32,
    /// Its owner inside the root.
    pub uid: u32,
    /// Its group inside the root.
    pub gid: u32,
    /// What the process may do with it.
    pub access: DeviceAccess,
}

impl Device {
    /// The device whose node is `source`, at `path` of the root, with the permissions that it has on the host.
    pub fn of_host(source: &Path, path: &Path, access: DeviceAccess) -> io::Result<Self> {
        let status = std::fs::metadata(source)?;
        let kind = match status.file_type() {
            kind if kind.is_block_device() => DeviceKind::Block,
            kind if kind.is_char_device() => DeviceKind::Character,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a device node")),
        };
        Ok(Self {
            path: path.to_owned(),
            source: source.to_owned(),
            kind,
            numbers: (rustix::fs::major(status.rdev()), rustix::fs::minor(status.rdev())),
            mode: status.permissions().mode() & 0o777,
            uid: status.uid(),
            gid: status.gid(),
            access,
        })
    }

    pub(crate) fn number(&self) -> Dev {
        makedev(self.numbers.0, self.numbers.1)
    }
}

/// The two kinds of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceKind {
    /// A disk, or a part of one.
    Block,
    /// Everything else.
    Character,
}

/// What a process may do with a device; as text some of the letters `rwm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAccess {
    /// Read from it.
    pub read: bool,
    /// Write to it.
    pub write: bool,
    /// Make nodes for it.
    pub make: bool,
}

impl DeviceAccess {
    /// All of it.
    pub const ALL: Self = Self { read: true, write: true, make: true };
}

/// A text that is not made of the letters `rwm`, each at most once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid device mode {0:?}: it is made of the letters r, w and m")]
pub struct InvalidAccess(String);

impl FromStr for DeviceAccess {
    type Err = InvalidAccess;

    fn from_str(text: &str) -> Result<Self, InvalidAccess> {
        let mut access = Self { read: false, write: false, make: false };
        for letter in text.chars() {
            let permission = match letter {
                'r' => &mut access.read,
                'w' => &mut access.write,
                'm' => &mut access.make,
                _ => return Err(InvalidAccess(text.to_owned())),
            };
            if std::mem::replace(permission, true) {
                return Err(InvalidAccess(text.to_owned()));
            }
        }
        if text.is_empty() { Err(InvalidAccess(text.to_owned())) } else { Ok(access) }
    }
}

/// What may be done with some devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    kind: DeviceKind,
    /// None covers all.
    major: Option<u32>,
    /// None covers all.
    minor: Option<u32>,
    access: DeviceAccess,
}

/// What keeps devices from the processes of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The program of a group, or the kernel in a user namespace: mounts need not care.
    Kernel,
    /// Mounts that refuse to open device nodes.
    Mounts,
    /// Nothing.
    Nobody,
}

/// What the server has prepared to keep devices from processes that were given none.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// The kernel sees to it for all processes of this user namespace.
    UserNamespace,
    /// A group for all of them.
    Group(Group),
    /// There can be no such group.
    Mounts,
}

impl Prepared {
    pub(crate) fn prepare() -> Self {
        if in_user_namespace().unwrap_or(false) {
            return Self::UserNamespace;
        }
        guarding_group(&[]).map_or(Self::Mounts, Self::Group)
    }
}

const MAKE: DeviceAccess = DeviceAccess { read: false, write: false, make: true };

/// What every process may do.
fn default_rules() -> Vec<Rule> {
    let make = |kind| Rule { kind, major: None, minor: None, access: MAKE };
    let character = |major, minor| Rule {
        kind: DeviceKind::Character,
        major: Some(major),
        minor,
        access: DeviceAccess::ALL,
    };
    let mut rules = vec![make(DeviceKind::Character), make(DeviceKind::Block)];
    // null, zero, full, random, urandom
    rules.extend([3, 5, 7, 8, 9].map(|minor| character(1, Some(minor))));
    // tty, console, ptmx
    rules.extend([0, 1, 2].map(|minor| character(5, Some(minor))));
    // pseudo terminals
    rules.push(character(136, None));
    rules
}

/// A group whose processes can use no devices but those of every process and these. None where it cannot be had.
pub(crate) fn guarding_group(given: &[Device]) -> Option<Group> {
    let group = Group::without_limits()?;
    guard(&group, given).ok()?;
    Some(group)
}

/// Keeps devices from the processes of a group.
pub(crate) fn guard(group: &Group, given: &[Device]) -> Result<(), Errno> {
    let directory = group.unified().ok_or(Errno::NOENT)?;
    let mut rules = default_rules();
    rules.extend(given.iter().map(|device| Rule {
        kind: device.kind,
        major: Some(device.numbers.0),
        minor: Some(device.numbers.1),
        access: device.access,
    }));
    sys::attach_device_program(sys::load_device_program(&program::assemble(&rules))?, directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_is_made_of_three_letters() {
        assert_eq!("rwm".parse(), Ok(DeviceAccess::ALL));
        assert_eq!("r".parse(), Ok(DeviceAccess { read: true, write: false, make: false }));
        for wrong in ["", "rr", "x", "rw "] {
            assert_eq!(wrong.parse::<DeviceAccess>(), Err(InvalidAccess(wrong.to_owned())));
        }
    }
}
