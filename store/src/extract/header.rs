//! The header of one archive entry: ustar, GNU and PAX forms become one.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use tar::{Entry, EntryType};

use crate::error::{ArchiveProblem, StoreError};
use crate::metadata::{Attributes, Device, Kind, Timestamp};
use crate::xattrs::{Xattrs, is_portable};

/// One entry without its content.
#[derive(Debug)]
pub(super) struct Header {
    /// As written.
    pub(super) name: Vec<u8>,
    pub(super) what: What,
    pub(super) attributes: Attributes,
    /// Those that an image may have.
    pub(super) xattrs: Xattrs,
}

/// What the entry makes.
#[derive(Debug)]
pub(super) enum What {
    File(Layout),
    Directory,
    HardLink(Vec<u8>),
    Symlink(Vec<u8>),
    /// A device or a pipe.
    Node(Kind),
}

/// How the content of a file lies in the archive.
#[derive(Debug)]
pub(super) enum Layout {
    /// As it is.
    Plain,
    /// With its holes filled with zeros by the reader: GNU's own sparse entries.
    Expanded,
    /// GNU sparse in PAX form 0.1: the map is a record.
    Mapped { map: Vec<u8>, size: u64 },
    /// GNU sparse in PAX form 1.0: the map comes before the content.
    MapFirst { size: u64 },
}

/// The PAX records that the tar crate does not interpret.
#[derive(Default)]
struct Records {
    mtime: Option<Timestamp>,
    xattrs: Xattrs,
    sparse_name: Option<Vec<u8>>,
    sparse_size: Option<u64>,
    sparse_map: Option<Vec<u8>>,
    is_sparse_1_0: bool,
    is_sparse_0_0: bool,
}

impl Header {
    pub(super) fn read<R: Read>(entry: &mut Entry<'_, R>) -> Result<Self, StoreError> {
        let name = entry.path_bytes().into_owned();
        let records = Records::read(entry).map_err(|problem| of(&name, problem))?;
        let problem = |problem| of(&name, problem);
        let header = entry.header();
        let number = |value: std::io::Result<u64>, field: &[u8]| {
            let value = value.ok().and_then(|value| u32::try_from(value).ok());
            value.or(zero_if_blank(field)).ok_or(of(&name, ArchiveProblem::BadNumber))
        };
        let fields = header.as_old();
        let mtime = match records.mtime {
            Some(mtime) => mtime,
            None => header_time(entry).ok_or_else(|| problem(ArchiveProblem::BadNumber))?,
        };
        let attributes = Attributes {
            mode: number(header.mode().map(u64::from), &fields.mode)? & 0o7777,
            uid: number(header.uid(), &fields.uid)?,
            gid: number(header.gid(), &fields.gid)?,
            mtime,
        };
        let what = what(entry, &name, &records).map_err(problem)?;
        Ok(Self { name: records.sparse_name.unwrap_or(name), what, attributes, xattrs: records.xattrs })
    }

    /// The error that the entry causes.
    pub(super) fn problem(&self, problem: ArchiveProblem) -> StoreError {
        of(&self.name, problem)
    }
}

fn of(name: &[u8], problem: ArchiveProblem) -> StoreError {
    StoreError::ArchiveEntry { entry: String::from_utf8_lossy(name).into_owned(), problem }
}

impl Records {
    fn read<R: Read>(entry: &mut Entry<'_, R>) -> Result<Self, ArchiveProblem> {
        let mut records = Self::default();
        let extensions = entry.pax_extensions().map_err(|_| ArchiveProblem::BadRecords)?;
        let Some(extensions) = extensions else { return Ok(records) };
        for extension in extensions {
            let extension = extension.map_err(|_| ArchiveProblem::BadRecords)?;
            let value = extension.value_bytes();
            match extension.key_bytes() {
                b"mtime" => records.mtime = Some(parse_time(value).ok_or(ArchiveProblem::BadNumber)?),
                b"GNU.sparse.name" => records.sparse_name = Some(value.to_vec()),
                b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                    records.sparse_size = Some(parse_number(value).ok_or(ArchiveProblem::BadSparseMap)?);
                }
                b"GNU.sparse.map" => records.sparse_map = Some(value.to_vec()),
                b"GNU.sparse.major" => records.is_sparse_1_0 = value == b"1",
                b"GNU.sparse.offset" => records.is_sparse_0_0 = true,
                key => {
                    let Some(name) = key.strip_prefix(b"SCHILY.xattr.").map(OsStr::from_bytes) else {
                        continue;
                    };
                    if is_portable(name) {
                        records.xattrs.insert(name.to_owned(), value.to_vec());
                    }
                }
            }
        }
        Ok(records)
    }

    fn layout(&self, entry_type: EntryType) -> Result<Layout, ArchiveProblem> {
        if entry_type.is_gnu_sparse() {
            return Ok(Layout::Expanded);
        }
        let size = self.sparse_size.ok_or(ArchiveProblem::BadSparseMap);
        match &self.sparse_map {
            _ if self.is_sparse_1_0 => Ok(Layout::MapFirst { size: size? }),
            Some(map) => Ok(Layout::Mapped { map: map.clone(), size: size? }),
            // The first of GNU's three PAX forms repeats its records and was in use for a few months of 2006.
            None if self.is_sparse_0_0 => Err(ArchiveProblem::BadSparseMap),
            None => Ok(Layout::Plain),
        }
    }
}

fn what<R: Read>(entry: &Entry<'_, R>, name: &[u8], records: &Records) -> Result<What, ArchiveProblem> {
    let header = entry.header();
    let link = || match entry.link_name_bytes() {
        Some(target) if !target.is_empty() => Ok(target.into_owned()),
        _ => Err(ArchiveProblem::NoLinkTarget),
    };
    let device = || {
        let number =
            |value: std::io::Result<Option<u32>>| value.ok().flatten().ok_or(ArchiveProblem::BadNumber);
        Ok(Device { major: number(header.device_major())?, minor: number(header.device_minor())? })
    };
    Ok(match header.entry_type() {
        EntryType::Directory => What::Directory,
        // Before POSIX, a directory was a file whose name ends with a slash.
        EntryType::Regular if name.ends_with(b"/") => What::Directory,
        kind @ (EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse) => {
            What::File(records.layout(kind)?)
        }
        EntryType::Link => What::HardLink(link()?),
        EntryType::Symlink => What::Symlink(link()?),
        EntryType::Fifo => What::Node(Kind::Fifo),
        EntryType::Char => What::Node(Kind::CharDevice(device()?)),
        EntryType::Block => What::Node(Kind::BlockDevice(device()?)),
        _ => return Err(ArchiveProblem::UnknownType),
    })
}

/// The header's own time field: octal, or binary for times that octal cannot hold.
fn header_time<R: Read>(entry: &Entry<'_, R>) -> Option<Timestamp> {
    let field = &entry.header().as_old().mtime;
    if field.first()? & 0x80 == 0 {
        let seconds = entry.header().mtime().ok().or(zero_if_blank(field).map(u64::from))?;
        return Some(Timestamp::from_seconds(i64::try_from(seconds).ok()?));
    }
    // Base 256, two's complement: the lowest eight bytes hold any time there is.
    let low = field.last_chunk::<8>()?;
    Some(Timestamp::from_seconds(i64::from_be_bytes(*low)))
}

/// A number that is left out is zero, as for Go's reader: some programs write no owner.
fn zero_if_blank(field: &[u8]) -> Option<u32> {
    field.iter().all(|byte| matches!(byte, 0 | b' ')).then_some(0)
}

fn parse_number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Seconds with an optional fraction, of which nine digits count. The fraction of a negative time points back.
fn parse_time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanoseconds: u32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some(Timestamp {
            seconds: seconds.checked_sub(1)?,
            nanoseconds: 1_000_000_000 - nanoseconds,
        });
    }
    Some(Timestamp { seconds, nanoseconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_fractions() {
        let time = |text: &str| parse_time(text.as_bytes()).map(|time| (time.seconds, time.nanoseconds));
        assert_eq!(time("1700000000"), Some((1_700_000_000, 0)));
        assert_eq!(time("1700000000.123456789"), Some((1_700_000_000, 123_456_789)));
        assert_eq!(time("1.5"), Some((1, 500_000_000)));
        assert_eq!(time("1.1234567891"), Some((1, 123_456_789)));
        assert_eq!(time("-1.25"), Some((-2, 750_000_000)));
        assert_eq!(time("-0.5"), Some((-1, 500_000_000)));
        assert_eq!(time("1.x"), None);
        assert_eq!(time(""), None);
    }
}
