//! Who owns a file, as far as that is recorded, and recording it.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Gid, Statx, StatxFlags, Uid, XattrFlags};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::files::{find_in_upper, name_of};
use crate::spec::{Owner, Ownership};
use crate::sys::{Told, ToldDevice};

/// Identifies a file as long as the sandbox lives, even when its number is used again.
type Key = (u32, u32, u64, i64, u32);

/// The longest list of attributes (`XATTR_LIST_MAX` of linux/limits.h).
const ATTRIBUTES_LIMIT: usize = 65_536;

/// A file that was found, and what the kernel says of it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: OwnedFd,
    pub(super) status: Statx,
}

impl Found {
    pub(super) fn new(file: OwnedFd) -> Result<Self, Errno> {
        let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        let status = rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH, mask)?;
        Ok(Self { file, status })
    }

    pub(super) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.status.stx_mode.into())
    }

    /// Whether the owner can be an attribute of the file.
    fn is_attributed(&self) -> bool {
        matches!(self.file_type(), FileType::RegularFile | FileType::Directory)
    }

    fn device(&self) -> (u32, u32) {
        (self.status.stx_dev_major, self.status.stx_dev_minor)
    }

    fn birth(&self) -> (i64, u32) {
        (self.status.stx_btime.tv_sec, self.status.stx_btime.tv_nsec)
    }

    fn key(&self) -> Key {
        let ((major, minor), (seconds, nanoseconds)) = (self.device(), self.birth());
        (major, minor, self.status.stx_ino, seconds, nanoseconds)
    }
}

/// The records of one sandbox.
#[derive(Debug)]
pub(super) struct Records {
    spec: Ownership,
    /// Where the changes of the root are.
    upper: PathBuf,
    /// The file system that is the root.
    root: (u32, u32),
    /// By inode: links of the layers below.
    links: HashMap<u64, Owner>,
    /// What can hold no attribute, and was given away since the beginning.
    given: HashMap<Key, Owner>,
    /// Who makes what has no record.
    maker: Owner,
    /// When the first process began: what is younger is the maker's.
    began: (i64, u32),
}

impl Records {
    /// `root` is the root of the first process.
    pub(super) fn new(spec: &Ownership, upper: PathBuf, root: &Found, maker: Owner) -> Self {
        // File systems use the coarse clock.
        let now = clock_gettime(ClockId::RealtimeCoarse);
        Self {
            upper,
            root: root.device(),
            links: spec.links.iter().copied().collect(),
            given: HashMap::new(),
            maker,
            began: (now.tv_sec, u32::try_from(now.tv_nsec).unwrap_or_default()),
            spec: spec.clone(),
        }
    }

    /// Takes note of the owner of a file that is no part of the image.
    pub(super) fn tell(&mut self, found: &Found, owner: Owner) {
        self.given.insert(found.key(), owner);
    }

    /// What is to be told of a file; `None` where the kernel says it right.
    pub(super) fn told(&self, found: &Found) -> Option<Told> {
        let kernels = Owner { uid: found.status.stx_uid, gid: found.status.stx_gid };
        let told = self.record(found)?;
        (Owner { uid: told.uid, gid: told.gid } != kernels || told.device.is_some()).then_some(told)
    }

    /// Who owns a file.
    pub(super) fn owner(&self, found: &Found) -> Owner {
        self.record(found).map_or_else(
            || Owner { uid: found.status.stx_uid, gid: found.status.stx_gid },
            |told| Owner { uid: told.uid, gid: told.gid },
        )
    }

    /// Gives a file to somebody, as chown(2) does.
    pub(super) fn give(&mut self, found: Found, user: Option<u32>, group: Option<u32>) -> Result<(), Errno> {
        let before = self.record(&found);
        let owner = self.owner(&found);
        // The kernel drops set-id bits and capabilities, copies the file up, and refuses what is read-only.
        let (root, wheel) = (user.map(|_| Uid::ROOT), group.map(|_| Gid::ROOT));
        let is_ordinary = found.is_attributed() || found.file_type() == FileType::Symlink;
        match rustix::fs::chownat(&found.file, "", root, wheel, AtFlags::EMPTY_PATH) {
            // A device or pipe of the host, which is in no image.
            Err(Errno::PERM) if !is_ordinary => {}
            result => result?,
        }
        let owner = Owner { uid: user.unwrap_or(owner.uid), gid: group.unwrap_or(owner.gid) };
        // What was copied up was born again.
        self.set(&Found::new(found.file)?, owner, before.and_then(|told| told.device))
    }

    /// Records the owner of a file, and the device that it stands for.
    pub(super) fn set(
        &mut self,
        found: &Found,
        owner: Owner,
        device: Option<ToldDevice>,
    ) -> Result<(), Errno> {
        if found.is_attributed() {
            let value = Record { owner, device }.to_string();
            let (name, flags) = (name_of(&found.file), XattrFlags::empty());
            match rustix::fs::setxattr(name, &*self.spec.attribute, value.as_bytes(), flags) {
                Err(Errno::OPNOTSUPP | Errno::PERM) => {}
                result => return result,
            }
        }
        self.given.insert(found.key(), owner);
        if found.is_attributed() || found.device() != self.root {
            return Ok(());
        }
        // It is of no use elsewhere that the step goes on, when the image would be another.
        self.write_given(found, owner).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }

    /// The names of a file's attributes without the records, each with a zero at its end.
    pub(super) fn attributes_of(&self, file: impl AsFd) -> Result<Vec<u8>, Errno> {
        let mut names = vec![0; ATTRIBUTES_LIMIT];
        let length = rustix::fs::listxattr(name_of(file), &mut names[..])?;
        let names = names.get(..length).unwrap_or_default().split_inclusive(|&byte| byte == 0);
        let own = self.spec.attribute.as_bytes();
        Ok(names.filter(|name| name.strip_suffix(b"\0") != Some(own)).flatten().copied().collect())
    }

    /// Tells the store of a link or pipe of the root.
    fn write_given(&self, found: &Found, owner: Owner) -> std::io::Result<()> {
        let upper = Found::new(find_in_upper(&self.upper, &found.file)?)?;
        let (seconds, nanoseconds) = upper.birth();
        let line = format!("{} {seconds} {nanoseconds} {} {}\n", upper.status.stx_ino, owner.uid, owner.gid);
        fs::File::options().append(true).create(true).open(&self.spec.given)?.write_all(line.as_bytes())
    }

    fn record(&self, found: &Found) -> Option<Told> {
        let is_of_root = found.device() == self.root;
        if found.is_attributed()
            && let Some(record) = self.attribute(&found.file)
        {
            return Some(Told { uid: record.owner.uid, gid: record.owner.gid, device: record.device });
        }
        let of_links =
            || self.links.get(&found.status.stx_ino).filter(|_| is_of_root && !found.is_attributed());
        let is_new = (is_of_root && found.is_attributed()) || found.birth() >= self.began;
        let owner = self.given.get(&found.key()).or_else(of_links).copied();
        let owner = owner.or(is_new.then_some(self.maker))?;
        Some(Told { uid: owner.uid, gid: owner.gid, device: None })
    }

    fn attribute(&self, file: impl AsFd) -> Option<Record> {
        // The longest record: two ids and a device, each number of ten digits.
        let mut value = [0; 64];
        let length = rustix::fs::getxattr(name_of(file), &*self.spec.attribute, &mut value[..]).ok()?;
        Record::parse(value.get(..length)?)
    }
}

/// What the attribute says: `uid:gid`, and for a device `uid:gid:char:major:minor` or `…:block:…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    owner: Owner,
    device: Option<ToldDevice>,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.owner.uid, self.owner.gid)?;
        match self.device {
            None => Ok(()),
            Some(ToldDevice { file_type, major, minor }) => {
                let kind = if file_type == libc::S_IFCHR { "char" } else { "block" };
                write!(f, ":{kind}:{major}:{minor}")
            }
        }
    }
}

impl Record {
    fn parse(value: &[u8]) -> Option<Self> {
        let fields: Vec<&str> = std::str::from_utf8(value).ok()?.split(':').collect();
        let (uid, gid, device) = match fields[..] {
            [uid, gid] => (uid, gid, None),
            [uid, gid, kind @ ("char" | "block"), major, minor] => {
                let file_type = if kind == "char" { libc::S_IFCHR } else { libc::S_IFBLK };
                let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
                (uid, gid, Some(ToldDevice { file_type, major, minor }))
            }
            _ => return None,
        };
        Some(Self { owner: Owner { uid: uid.parse().ok()?, gid: gid.parse().ok()? }, device })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_are_written() {
        let owner = Owner { uid: 1000, gid: u32::MAX };
        let device = |file_type| Some(ToldDevice { file_type, major: 1, minor: 3 });
        for (device, text) in [
            (None, "1000:4294967295"),
            (device(libc::S_IFCHR), "1000:4294967295:char:1:3"),
            (device(libc::S_IFBLK), "1000:4294967295:block:1:3"),
        ] {
            assert_eq!(Record { owner, device }.to_string(), text);
            assert_eq!(Record::parse(text.as_bytes()), Some(Record { owner, device }));
        }
        for text in ["", "1", "1:2:3", "1:2:door:3:4", "-1:2"] {
            assert_eq!(Record::parse(text.as_bytes()), None, "{text}");
        }
    }
}
