//! What the kernel says about a file, and what the store sets on one.

use rustix::fs::{FileType, Statx};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::time::SystemTime;

/// A point in time as file systems keep it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00 UTC; negative before.
    pub seconds: i64,
    /// Nanoseconds after that second, below 1 000 000 000.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// A whole second.
    pub fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// The system's clock, now.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: since.subsec_nanos(),
        }
    }
}

/// A device number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

/// What an entry of a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link with its target as written.
    Symlink(OsString),
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A socket. Trees show it; layers and copies leave it out.
    Socket,
}

/// What can be set on an entry besides its content and extended attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Permission bits with set-id and sticky bits, `0o7777` at most. Ignored for symbolic links.
    pub mode: u32,
    /// Owner, as the process's user namespace counts.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub mtime: Timestamp,
}

/// The part of `statx(2)` that trees use.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) file_type: FileType,
    pub(crate) attributes: Attributes,
    pub(crate) size: u64,
    pub(crate) device: Device,
    pub(crate) inode: Inode,
    pub(crate) links: u32,
}

/// Identity of a file on this machine: two names with one `Inode` are hard links of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inode {
    /// The file system.
    pub device: Device,
    /// The file in it.
    pub number: u64,
}

impl From<&Statx> for Status {
    fn from(status: &Statx) -> Self {
        let mode = u32::from(status.stx_mode);
        let mtime = Timestamp { seconds: status.stx_mtime.tv_sec, nanoseconds: status.stx_mtime.tv_nsec };
        Self {
            file_type: FileType::from_raw_mode(mode),
            attributes: Attributes { mode: mode & 0o7777, uid: status.stx_uid, gid: status.stx_gid, mtime },
            size: status.stx_size,
            device: Device { major: status.stx_rdev_major, minor: status.stx_rdev_minor },
            inode: Inode {
                device: Device { major: status.stx_dev_major, minor: status.stx_dev_minor },
                number: status.stx_ino,
            },
            links: status.stx_nlink,
        }
    }
}

impl Status {
    pub(crate) fn is_directory(&self) -> bool {
        self.file_type == FileType::Directory
    }

    /// Whether it looks like a whiteout of a store with plain marks; an attribute of the file says whether it is.
    pub(crate) fn may_be_plain_whiteout(&self) -> bool {
        self.file_type == FileType::RegularFile && self.size == 0 && self.attributes.mode == 0
    }

    /// A plain whiteout is shown as one of overlayfs.
    pub(crate) fn become_whiteout(&mut self) {
        self.file_type = FileType::CharacterDevice;
        self.device = Device { major: 0, minor: 0 };
    }

    /// Overlayfs keeps a deleted name as a character device 0:0.
    pub(crate) fn is_whiteout(&self) -> bool {
        self.file_type == FileType::CharacterDevice && self.device == (Device { major: 0, minor: 0 })
    }
}
