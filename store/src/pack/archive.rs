//! The canonical tar form of entries.
//!
//! One set of entries has one form: POSIX ustar headers, numeric owners without names, times in whole seconds
//! (as containerd and BuildKit write them), and a PAX header only for what ustar cannot hold: names and link
//! targets over 100 bytes, ids over 2 097 151, sizes over 8 GiB, times before 1970 or after 2242, extended
//! attributes (`SCHILY.xattr.*`). PAX records are sorted by key.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;

use tar::{EntryType, Header};

use crate::metadata::{Attributes, Device, Kind};
use crate::xattrs::Xattrs;

const BLOCK: usize = 512;
/// Largest values of the octal fields of 8 and 12 bytes.
const MAX_SHORT: u64 = 0o7_777_777;
const MAX_LONG: u64 = 0o77_777_777_777;

/// Writes entries. [`ArchiveWriter::finish`] writes the two zero blocks at the end.
pub(crate) struct ArchiveWriter<W> {
    out: W,
}

/// One entry, without its content.
pub(crate) struct ArchiveEntry<'a> {
    /// Name in the archive; directories end with a slash.
    pub(crate) name: Vec<u8>,
    pub(crate) body: Body<'a>,
    pub(crate) attributes: Attributes,
    pub(crate) xattrs: &'a Xattrs,
}

/// What kind of entry it is, with what belongs to that kind.
pub(crate) enum Body<'a> {
    File { size: u64 },
    HardLink { target: &'a [u8] },
    Directory,
    Symlink { target: &'a [u8] },
    Fifo,
    CharDevice(Device),
    BlockDevice(Device),
}

impl<'a> Body<'a> {
    /// The body of what a tree has; `None` for a socket, which no archive can hold.
    pub(crate) fn of(kind: &'a Kind, size: u64) -> Option<Self> {
        Some(match kind {
            Kind::File => Self::File { size },
            Kind::Directory => Self::Directory,
            Kind::Symlink(target) => Self::Symlink { target: target.as_bytes() },
            Kind::Fifo => Self::Fifo,
            Kind::CharDevice(device) => Self::CharDevice(*device),
            Kind::BlockDevice(device) => Self::BlockDevice(*device),
            Kind::Socket => return None,
        })
    }

    fn entry_type(&self) -> EntryType {
        match self {
            Self::File { .. } => EntryType::Regular,
            Self::HardLink { .. } => EntryType::Link,
            Self::Directory => EntryType::Directory,
            Self::Symlink { .. } => EntryType::Symlink,
            Self::Fifo => EntryType::Fifo,
            Self::CharDevice(_) => EntryType::Char,
            Self::BlockDevice(_) => EntryType::Block,
        }
    }

    fn link_target(&self) -> &'a [u8] {
        match self {
            Self::HardLink { target } | Self::Symlink { target } => target,
            _ => b"",
        }
    }
}

impl<W: Write> ArchiveWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out }
    }

    /// Writes a header. For a file, its content must follow through [`ArchiveWriter::content`].
    pub(crate) fn header(&mut self, entry: &ArchiveEntry<'_>) -> io::Result<()> {
        let mut records = BTreeMap::new();
        let header = ustar(entry, &mut records);
        if !records.is_empty() {
            self.pax(&entry.name, &records)?;
        }
        self.out.write_all(header.as_bytes())
    }

    /// Writes exactly `size` bytes of content and pads them. Fails when there are fewer.
    pub(crate) fn content(&mut self, content: impl Read, size: u64) -> io::Result<()> {
        let copied = io::copy(&mut content.take(size), &mut self.out)?;
        if copied != size {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter while it was read",
            ));
        }
        self.pad(size)
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        if over > 0 {
            self.out.write_all([0; BLOCK].get(over..).unwrap_or_default())?;
        }
        Ok(())
    }

    fn pax(&mut self, name: &[u8], records: &BTreeMap<Vec<u8>, Vec<u8>>) -> io::Result<()> {
        let mut data = Vec::new();
        for (key, value) in records {
            data.extend_from_slice(&pax_record(key, value));
        }
        let mut header = Header::new_ustar();
        let trimmed = name.strip_suffix(b"/").unwrap_or(name);
        let base = trimmed.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        put(&mut header.as_old_mut().name, &[b"PaxHeaders.0/", base].concat());
        header.set_entry_type(EntryType::XHeader);
        header.set_mode(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(&data)?;
        self.pad(data.len() as u64)
    }
}

/// The ustar header; what does not fit goes to `records`.
fn ustar(entry: &ArchiveEntry<'_>, records: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Header {
    let mut header = Header::new_ustar();
    let size = if let Body::File { size } = entry.body { size } else { 0 };
    header.set_entry_type(entry.body.entry_type());
    header.set_mode(entry.attributes.mode);
    if !put(&mut header.as_old_mut().name, &entry.name) {
        records.insert(b"path".to_vec(), entry.name.clone());
    }
    if !put(&mut header.as_old_mut().linkname, entry.body.link_target()) {
        records.insert(b"linkpath".to_vec(), entry.body.link_target().to_vec());
    }
    let mut number = |key: &str, value: u64, max: u64| {
        if value <= max {
            return value;
        }
        records.insert(key.as_bytes().to_vec(), value.to_string().into_bytes());
        0
    };
    header.set_uid(number("uid", entry.attributes.uid.into(), MAX_SHORT));
    header.set_gid(number("gid", entry.attributes.gid.into(), MAX_SHORT));
    header.set_size(number("size", size, MAX_LONG));
    if let Ok(seconds) = u64::try_from(entry.attributes.mtime.seconds) {
        header.set_mtime(number("mtime", seconds, MAX_LONG));
    } else {
        header.set_mtime(0);
        records.insert(b"mtime".to_vec(), entry.attributes.mtime.seconds.to_string().into_bytes());
    }
    if let (Body::CharDevice(device) | Body::BlockDevice(device), Some(ustar)) =
        (&entry.body, header.as_ustar_mut())
    {
        ustar.set_device_major(device.major);
        ustar.set_device_minor(device.minor);
    }
    for (name, value) in entry.xattrs {
        records.insert([b"SCHILY.xattr.", name.as_bytes()].concat(), value.clone());
    }
    header.set_cksum();
    header
}

/// Fills a header field. A value that is too long is cut, and the answer is `false`.
fn put(field: &mut [u8], value: &[u8]) -> bool {
    field.fill(0);
    for (to, from) in field.iter_mut().zip(value) {
        *to = *from;
    }
    value.len() <= field.len()
}

/// `<length> <key>=<value>\n`, where the length counts itself.
fn pax_record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_lengths_count_themselves() {
        assert_eq!(pax_record(b"path", b"a"), b"9 path=a\n");
        assert_eq!(pax_record(b"path", b"abc"), b"12 path=abc\n");
        for length in 80..110 {
            let record = pax_record(b"k", &vec![b'v'; length]);
            let text = String::from_utf8(record.clone()).unwrap();
            assert_eq!(text.split(' ').next().unwrap().parse::<usize>().unwrap(), record.len());
        }
    }
}
