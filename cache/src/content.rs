//! What a step reads of an input, whatever made it.

use std::sync::Arc;

use image::Digest;
use serde::{Deserialize, Serialize};

/// The content of the selected paths of an input.
///
/// The digest is the identity: it must cover everything that the list says, and whatever else of
/// the files counts. The list is for people, who want to know which file it was.
#[derive(Clone, Debug)]
pub struct ContentKey {
    /// The digest of the selection.
    pub digest: Digest,
    /// The files of the selection, sorted by path.
    pub files: Arc<[FileEntry]>,
}

impl ContentKey {
    /// Sorts the list.
    pub fn new(digest: Digest, mut files: Vec<FileEntry>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { digest, files: files.into() }
    }
}

/// Equal digests are equal contents; the lists are not compared.
impl PartialEq for ContentKey {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for ContentKey {}

/// One file of a selection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The path from the root of the input, as it is shown: bytes that are no UTF-8 are escaped.
    pub path: String,
    /// The type of the file.
    pub kind: FileKind,
    /// The permission bits that counted; none if the step replaces them.
    pub mode: Option<u32>,
    /// User and group that counted; none if the step replaces them.
    pub owner: Option<(u32, u32)>,
    /// The digest of the bytes, of the link target or of the device number, and of the extended
    /// attributes that count.
    pub digest: Digest,
}

/// The type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A character or block device.
    Device,
    /// A socket.
    Socket,
}
