//! Who owns the files of a layer, where the kernel cannot be told.
//!
//! Root, and a user with a range of subordinate ids, give every file to its owner: [`Owners::Exact`]. In a user
//! namespace with a single id every file belongs to that id, and the true owner is recorded: [`Owners::Recorded`].
//!
//! | what | the record |
//! |---|---|
//! | file, directory | the extended attribute `user.builder.owner`: `uid:gid`, in decimal |
//! | device | an empty file whose attribute goes on with kind and number: `0:0:char:1:3`, `0:6:block:8:0` |
//! | link, pipe, socket, which have no such attributes | a line of the file `links` beside the layer directory |
//!
//! ```text
//! ROOT/layers/<id>/fs          the layer
//! ROOT/layers/<id>/links       {"path":"bin/sh","owner":{"uid":1000,"gid":1000}}, one a line, the last one of a
//!                              path counts; what has none is root's; no file where all are root's
//! ROOT/drafts/<id>/fs, links   the same while the layer is made
//! ROOT/drafts/<id>/given       what the processes of a step gave away of that kind, by inode (see [`given`])
//! ```
//!
//! Files and directories have the attribute even when root owns them. So what has none was made by a process since
//! the step began, and is its user's: the draft writes that down when it is committed. Overlayfs copies the
//! attribute up with its file. It belongs to no image: no archive carries it, and none can bring it.
//!
//! Which of the two a store does is part of its format, since layers of one kind mean nothing to the other.

pub(crate) mod given;
mod links;
mod made;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::metadata::{Attributes, Device, Kind, Status};
use crate::xattrs;
pub(crate) use links::Links;
pub(crate) use made::give_to_maker;

/// The extended attribute that records an owner.
pub const OWNER_ATTRIBUTE: &str = "user.builder.owner";

/// Where the owners of files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owners {
    /// In the files themselves.
    Exact,
    /// In records, while all files belong to one user.
    Recorded,
}

/// User and group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl From<&Attributes> for Owner {
    fn from(attributes: &Attributes) -> Self {
        Self { uid: attributes.uid, gid: attributes.gid }
    }
}

/// What the attribute of one file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) owner: Owner,
    /// A [`Kind::CharDevice`] or [`Kind::BlockDevice`] that the file stands for.
    pub(crate) device: Option<Kind>,
}

impl From<Owner> for Record {
    fn from(owner: Owner) -> Self {
        Self { owner, device: None }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.owner.uid, self.owner.gid)?;
        match &self.device {
            Some(Kind::CharDevice(device)) => write!(f, ":char:{}:{}", device.major, device.minor),
            Some(Kind::BlockDevice(device)) => write!(f, ":block:{}:{}", device.major, device.minor),
            _ => Ok(()),
        }
    }
}

impl Record {
    /// `None` for what nobody here has written: a process can set the attribute, too.
    fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let fields: Vec<&str> = text.split(':').collect();
        let (uid, gid, device) = match fields[..] {
            [uid, gid] => (uid, gid, None),
            [uid, gid, kind, major, minor] => {
                let device = Device { major: major.parse().ok()?, minor: minor.parse().ok()? };
                let device = match kind {
                    "char" => Kind::CharDevice(device),
                    "block" => Kind::BlockDevice(device),
                    _ => return None,
                };
                (uid, gid, Some(device))
            }
            _ => return None,
        };
        Some(Self { owner: Owner { uid: uid.parse().ok()?, gid: gid.parse().ok()? }, device })
    }

    /// Sets it on an open file or directory. On a file system without attributes it is lost.
    pub(crate) fn set(&self, file: impl AsFd) -> io::Result<()> {
        let value = self.to_string();
        forgive(rustix::fs::fsetxattr(file, OWNER_ATTRIBUTE, value.as_bytes(), XattrFlags::empty()))
    }

    /// Sets it on a file or directory by name.
    pub(crate) fn set_in(&self, directory: impl AsFd, name: &Path) -> io::Result<()> {
        let value = self.to_string();
        let path = by_descriptor(directory, name);
        forgive(rustix::fs::lsetxattr(path, OWNER_ATTRIBUTE, value.as_bytes(), XattrFlags::empty()))
    }

    /// Of an open file or directory.
    pub(crate) fn of(file: impl AsFd) -> io::Result<Option<Self>> {
        Ok(xattrs::value(file, OsStr::new(OWNER_ATTRIBUTE))?.and_then(|value| Self::parse(&value)))
    }

    /// Of a name in an open directory, which is not followed.
    pub(crate) fn of_name(directory: impl AsFd, name: &Path) -> io::Result<Option<Self>> {
        // The longest record: two ids and a device, each number of ten digits.
        let mut value = [0; 64];
        match rustix::fs::lgetxattr(by_descriptor(directory, name), OWNER_ATTRIBUTE, &mut value[..]) {
            Ok(length) => Ok(value.get(..length).and_then(Self::parse)),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE | Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// What a file that was looked at is in truth.
    pub(crate) fn apply(self, status: &mut Status, kind: &mut Kind) {
        (status.attributes.uid, status.attributes.gid) = (self.owner.uid, self.owner.gid);
        if let (Some(device), Kind::File) = (self.device, &kind) {
            if let Kind::CharDevice(number) | Kind::BlockDevice(number) = device {
                status.device = number;
            }
            status.size = 0;
            *kind = device;
        }
    }
}

/// There are no calls for attributes that take a directory and a name (before Linux 6.13), and opening what may be
/// a device or a pipe is to be avoided.
fn by_descriptor(directory: impl AsFd, name: &Path) -> PathBuf {
    Path::new("/proc/self/fd").join(directory.as_fd().as_raw_fd().to_string()).join(name)
}

fn forgive(set: rustix::io::Result<()>) -> io::Result<()> {
    match set {
        Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether an entry of that kind has its record in an attribute; the owners of others are in [`Links`].
pub(crate) fn is_attributed(kind: &Kind) -> bool {
    match kind {
        Kind::File | Kind::Directory | Kind::CharDevice(_) | Kind::BlockDevice(_) => true,
        Kind::Symlink(_) | Kind::Fifo | Kind::Socket => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_are_written() {
        let owner = Owner { uid: 1000, gid: u32::MAX };
        let device = Device { major: 1, minor: 3 };
        for (device, text) in [
            (None, "1000:4294967295"),
            (Some(Kind::CharDevice(device)), "1000:4294967295:char:1:3"),
            (Some(Kind::BlockDevice(device)), "1000:4294967295:block:1:3"),
        ] {
            let record = Record { owner, device };
            assert_eq!(record.to_string(), text);
            assert_eq!(Record::parse(text.as_bytes()), Some(record));
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        for text in ["", "1", "1:", "1:2:3", "-1:2", "1:2:char:3", "1:2:door:3:4", "4294967296:0", "1:2\n"] {
            assert_eq!(Record::parse(text.as_bytes()), None, "{text}");
        }
    }
}
