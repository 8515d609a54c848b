//! The identity of what patterns select, for cache keys.
//!
//! | counts | does not count |
//! |---|---|
//! | path below the selected entry | path of the selected entry itself, unless a wildcard found it |
//! | type, mode, owner, group | modification time, inode, number of links |
//! | content, link target, device number | how the content is stored: holes, compression, layers |
//! | `user.*` and `security.capability` attributes | other extended attributes |
//!
//! The mode of a symbolic link is always 0777. The root directory of a tree has no metadata of its own: a context is
//! what is in it. The encoding, below, is versioned by its first field.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use image::{Digest, Digester, PathPattern};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::select::{self, Wildcards};
use super::{Entry, Tree};
use crate::error::{Attempt, StoreError};
use crate::metadata::Kind;
use crate::path::TreePath;

/// First field of every encoding. Another number makes every content key another one.
const VERSION: &[u8] = b"content 1";

/// How much of a file is read at once.
const BUFFER: usize = 128 * 1024;

/// What of the metadata does not count, because the copy sets it anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentOptions {
    /// `--chmod` with an octal mode.
    pub ignores_mode: bool,
    /// `--chown`.
    pub ignores_owner: bool,
}

/// The identity of selected content, and what it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentDigest {
    /// Equal exactly when all that counts is equal.
    pub digest: Digest,
    /// Every entry that was looked at, in order: to say later what is different.
    pub manifest: Vec<ManifestEntry>,
    /// The patterns that selected nothing, by their position.
    pub unmatched: Vec<usize>,
}

/// One entry of selected content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// Where it lies in the tree.
    pub path: TreePath,
    /// What it is.
    pub kind: ManifestKind,
    /// Permission bits; 0 when they do not count.
    pub mode: u32,
    /// Owner; 0 when it does not count.
    pub uid: u32,
    /// Group; 0 when it does not count.
    pub gid: u32,
    /// Of the bytes, link target or device number, with the extended attributes.
    pub digest: Digest,
}

/// [`Kind`] without its data, which is in the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words say it")]
pub enum ManifestKind {
    File,
    Directory,
    Symlink,
    Fifo,
    CharDevice,
    BlockDevice,
    Socket,
}

/// An entry to be looked at, and where it belongs.
struct Item {
    /// Which of the selected entries it is, or lies below.
    selected: usize,
    /// Path below that.
    relative: TreePath,
    entry: Entry,
}

impl Tree {
    /// The identity of everything that the patterns select, directories with all that is in them. Files are read
    /// in parallel. `**` is taken for any number of directories, which can only select too much.
    pub fn content_digest(
        &self,
        patterns: &[PathPattern],
        options: ContentOptions,
    ) -> Result<ContentDigest, StoreError> {
        let mut names = Vec::new();
        let mut unmatched = Vec::new();
        let mut items = Vec::new();
        for (position, pattern) in patterns.iter().enumerate() {
            let selection = self.select(pattern, Wildcards::Recursive)?;
            if selection.is_empty() {
                unmatched.push(position);
            }
            for selected in selection {
                let named = select::is_wildcard(pattern);
                let label = if named { selected.name } else { TreePath::root() };
                for entry in self.walk(&selected.entry) {
                    let entry = entry?;
                    let relative = entry.path().strip_prefix(selected.entry.path()).unwrap_or_default();
                    if !entry.path().is_root() {
                        items.push(Item { selected: names.len(), relative, entry });
                    }
                }
                names.push((position, label));
            }
        }
        let manifest: Vec<ManifestEntry> =
            items.par_iter().map(|item| describe(&item.entry, options)).collect::<Result<_, _>>()?;
        let digest = combine(&names, &items, &manifest);
        Ok(ContentDigest { digest, manifest, unmatched })
    }
}

fn describe(entry: &Entry, options: ContentOptions) -> Result<ManifestEntry, StoreError> {
    let mut encoder = Encoder::new();
    let mut mode = entry.mode();
    let mut file = None;
    let kind = match entry.kind() {
        Kind::File => {
            let file = file.insert(entry.open()?);
            encoder.field(content(entry, file)?.as_bytes());
            ManifestKind::File
        }
        Kind::Directory => ManifestKind::Directory,
        Kind::Symlink(target) => {
            encoder.field(target.as_bytes());
            mode = 0o777;
            ManifestKind::Symlink
        }
        Kind::Fifo => ManifestKind::Fifo,
        Kind::CharDevice(device) => {
            encoder.numbers(&[device.major, device.minor]);
            ManifestKind::CharDevice
        }
        Kind::BlockDevice(device) => {
            encoder.numbers(&[device.major, device.minor]);
            ManifestKind::BlockDevice
        }
        Kind::Socket => ManifestKind::Socket,
    };
    let xattrs = match &file {
        Some(file) => entry.xattrs_of(file)?,
        None => entry.xattrs()?,
    };
    for (name, value) in xattrs {
        encoder.field(name.as_bytes());
        encoder.field(&value);
    }
    let attributes = entry.attributes();
    let owner = if options.ignores_owner { (0, 0) } else { (attributes.uid, attributes.gid) };
    Ok(ManifestEntry {
        path: entry.path().clone(),
        kind,
        mode: if options.ignores_mode { 0 } else { mode },
        uid: owner.0,
        gid: owner.1,
        digest: encoder.finish(),
    })
}

fn content(entry: &Entry, file: &mut File) -> Result<Digest, StoreError> {
    let mut digester = Digester::new();
    let expected = usize::try_from(entry.size()).unwrap_or(BUFFER).saturating_add(1);
    let mut buffer = vec![0; expected.min(BUFFER)];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(digester.finish()),
            Ok(read) => digester.update(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).attempt("read", entry.host_path()),
        }
    }
}

/// The digest over all entries: for each selected one its pattern and label, for each entry below it its relative
/// path, metadata and digest.
fn combine(names: &[(usize, TreePath)], items: &[Item], manifest: &[ManifestEntry]) -> Digest {
    let mut encoder = Encoder::new();
    for (position, label) in names {
        encoder.field(position.to_string().as_bytes());
        encoder.field(label.as_bytes());
    }
    encoder.field(b"entries");
    for (item, entry) in items.iter().zip(manifest) {
        encoder.field(item.selected.to_string().as_bytes());
        encoder.field(item.relative.as_bytes());
        encoder.field(&[kind_letter(entry.kind)]);
        encoder.numbers(&[entry.mode, entry.uid, entry.gid]);
        encoder.field(entry.digest.as_bytes());
    }
    encoder.finish()
}

fn kind_letter(kind: ManifestKind) -> u8 {
    match kind {
        ManifestKind::File => b'f',
        ManifestKind::Directory => b'd',
        ManifestKind::Symlink => b'l',
        ManifestKind::Fifo => b'p',
        ManifestKind::CharDevice => b'c',
        ManifestKind::BlockDevice => b'b',
        ManifestKind::Socket => b's',
    }
}

/// Hashes fields, each after its length as 64-bit little endian: no two lists of fields have one encoding.
struct Encoder(Digester);

impl Encoder {
    fn new() -> Self {
        let mut encoder = Self(Digester::new());
        encoder.field(VERSION);
        encoder
    }

    fn field(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn numbers(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.field(&number.to_le_bytes());
        }
    }

    fn finish(self) -> Digest {
        self.0.finish()
    }
}
