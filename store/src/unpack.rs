//! Archives become snapshots.

use std::io::{self, Read};

use image::{ChainId, DiffId, Digester};

use crate::decompress::decompress;
use crate::error::StoreError;
use crate::extract::Purpose;
use crate::snapshot::Snapshot;
use crate::store::Store;

impl Store {
    /// Unpacks a layer of an image onto a parent snapshot, in one pass over the stream.
    ///
    /// The stream may be compressed in any known way. Its uncompressed bytes are hashed while they are unpacked,
    /// and nothing becomes visible unless they are the expected ones. When the store has a snapshot of these
    /// layers already, that is the result, and the stream is not read.
    ///
    /// The layers of the parent must have diff ids, as those of images do; others are packed to find theirs.
    pub fn unpack(
        &self,
        parent: &Snapshot,
        layer: impl Read,
        expected: DiffId,
    ) -> Result<Snapshot, StoreError> {
        let chain = match ChainId::of(&self.diff_ids(parent)?) {
            Some(below) => below.with(expected),
            None => ChainId(expected.0),
        };
        if let Some(known) = self.snapshot_of_chain(chain)? {
            return Ok(known);
        }
        let draft = self.draft(parent)?;
        let archive = decompress(layer).map_err(StoreError::ArchiveRead)?;
        let mut hashing = HashingReader { inner: archive, digester: Digester::new() };
        let mut editor = draft.editor();
        editor.extract_root(&mut hashing, Purpose::Layer)?;
        editor.finish()?;
        let found = hashing.digester.finish();
        if found != expected.0 {
            return Err(StoreError::DigestMismatch { expected: expected.0, found });
        }
        draft.commit_unpacked(expected, chain)
    }

    /// Unpacks an archive that is a file tree and not a layer of an image: whiteout names mean nothing, and the
    /// snapshot's diff id will be that of its canonical archive.
    pub fn import(&self, parent: &Snapshot, archive: impl Read) -> Result<Snapshot, StoreError> {
        let draft = self.draft(parent)?;
        let mut editor = draft.editor();
        editor.extract_root(decompress(archive).map_err(StoreError::ArchiveRead)?, Purpose::Tree)?;
        editor.finish()?;
        draft.commit()
    }
}

struct HashingReader<R> {
    inner: R,
    digester: Digester,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digester.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
