//! Content-addressed files: manifests, configs, compressed layers.
//!
//! ```text
//! ROOT/blobs/sha256/ab/abcdef…   one blob, exactly its bytes, read-only
//! ROOT/tmp/blob-<random>         a blob being written; renamed into place when complete
//! ```
//!
//! No lock is needed: the name is the content, so two writers of one blob write the same file. A killed writer
//! leaves a file in `tmp`, which the next process that has the store to itself removes.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use image::{Digest, Digester};
use tempfile::NamedTempFile;

use crate::error::{Attempt, StoreError};

/// Blobs are immutable.
const BLOB_MODE: u32 = 0o444;

/// The blobs of a store.
#[derive(Debug)]
pub struct Blobs {
    directory: PathBuf,
    temporary: PathBuf,
}

impl Blobs {
    pub(crate) fn in_store(root: &Path) -> Result<Self, StoreError> {
        let directory = root.join("blobs").join("sha256");
        std::fs::create_dir_all(&directory).attempt("make", &directory)?;
        Ok(Self { directory, temporary: root.join("tmp") })
    }

    /// Where the blob lies, or would lie, on the host.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        blob_path(&self.directory, digest)
    }

    /// Whether the blob is here.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).exists()
    }

    /// The blob's size in bytes; `None` when it is not here.
    pub fn size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let path = self.path(digest);
        match std::fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).attempt("look up", path),
        }
    }

    /// Opens the blob for reading; [`StoreError::BlobMissing`] when it is not here.
    pub fn open(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.path(digest);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::BlobMissing(*digest)),
            opened => opened.attempt("open", path),
        }
    }

    /// The whole blob in memory: for manifests and configs. The bytes are checked against the digest.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let mut content = Vec::new();
        self.open(digest)?.read_to_end(&mut content).attempt("read", self.path(digest))?;
        match Digest::of(&content) {
            found if found == *digest => Ok(content),
            found => Err(StoreError::DigestMismatch { expected: *digest, found }),
        }
    }

    /// Stores bytes that are in memory.
    pub fn put(&self, content: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(content);
        if !self.contains(&digest) {
            let mut writer = self.writer()?;
            writer.write_all(content).attempt("write", writer.file.path())?;
            writer.commit(Some(digest))?;
        }
        Ok(digest)
    }

    /// Begins a blob whose bytes arrive bit by bit.
    pub fn writer(&self) -> Result<BlobWriter, StoreError> {
        let file = tempfile::Builder::new()
            .prefix("blob-")
            .tempfile_in(&self.temporary)
            .attempt("make a file in", &self.temporary)?;
        Ok(BlobWriter { file, digester: Digester::new(), size: 0, directory: self.directory.clone() })
    }
}

/// `ab/abcdef…`: no directory gets too large.
fn blob_path(directory: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    let fan_out: String = hex.chars().take(2).collect();
    directory.join(fan_out).join(hex)
}

/// A blob being written. Dropped without [`BlobWriter::commit`], it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter {
    file: NamedTempFile,
    digester: Digester,
    size: u64,
    directory: PathBuf,
}

impl BlobWriter {
    /// Puts the blob in place and returns its digest and size. [`StoreError::DigestMismatch`] when the bytes are
    /// not the expected ones; then nothing is stored.
    pub fn commit(self, expected: Option<Digest>) -> Result<(Digest, u64), StoreError> {
        let digest = self.digester.finish();
        if let Some(expected) = expected.filter(|&expected| expected != digest) {
            return Err(StoreError::DigestMismatch { expected, found: digest });
        }
        let path = blob_path(&self.directory, &digest);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).attempt("make", parent)?;
        }
        self.file
            .as_file()
            .set_permissions(Permissions::from_mode(BLOB_MODE))
            .attempt("set the mode of", self.file.path())?;
        self.file.persist(&path).map_err(|error| error.error).attempt("put in place", &path)?;
        Ok((digest, self.size))
    }
}

impl Write for BlobWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.digester.write_all(buffer.get(..written).unwrap_or_default())?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
