//! Layers as archives: their diff ids, and their blobs in each encoding.
//!
//! The tar form of a layer directory is canonical ([`archive`]): entries sorted by path, a directory before what
//! is in it, whiteouts as `.wh.<name>`, opaque directories with `.wh..wh..opq` as their first entry, files with
//! several names as the first in order plus hard links. A parent directory has an entry exactly if the layer
//! directory has it. The root has one (`./`) only where the layer changes it. Times are cut to seconds.
//!
//! A layer that came as an archive is given out from its original blob, because its files need not give the same
//! bytes; without the blob they are packed if they do. All results are remembered in the database.

pub(crate) mod archive;
mod encoding;
mod gzip;
mod layer;

use std::io::{self, Write};

use image::{ChainId, Descriptor, DiffId, Digest, Digester, MediaType};
use rusqlite::params;

use crate::blob::BlobWriter;
use crate::database::parse_json;
use crate::decompress::decompress;
use crate::error::{Attempt, DatabaseAttempt, StoreError};
use crate::path::TreePath;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::tree::{Entry, Tree};
use archive::ArchiveWriter;
pub use encoding::LayerEncoding;
use layer::Times;

/// The `encoding` of blobs that were not compressed here.
const ORIGINAL: &str = "original";

/// A layer as a blob in the store.
#[derive(Debug, Clone)]
pub struct PackedLayer {
    /// Digest of the uncompressed archive, for the image's config.
    pub diff_id: DiffId,
    /// The blob, for the manifest.
    pub descriptor: Descriptor,
}

impl Store {
    /// The digest of the snapshot's own layer as an uncompressed archive. For scratch, that of an empty one.
    pub fn diff_id(&self, snapshot: &Snapshot) -> Result<DiffId, StoreError> {
        let Some((layer, _)) = snapshot.layer() else { return write_empty(io::sink()) };
        if let Some(diff_id) = self.layer_row(layer)?.diff_id {
            return Ok(diff_id);
        }
        let diff_id = self.write_layer(snapshot, io::sink())?;
        self.remember_diff_id(snapshot, diff_id)?;
        Ok(diff_id)
    }

    /// The digest of what the snapshot's own layer changes, without modification times: equal for two runs of
    /// a step that wrote the same. It is no diff id. None for scratch.
    pub fn timeless_layer_digest(&self, snapshot: &Snapshot) -> Result<Option<Digest>, StoreError> {
        let Some((layer, directory)) = snapshot.layer() else { return Ok(None) };
        let mut digester = Digester::new();
        layer::write(directory, self.layer_row(layer)?.root_entry, Times::Zero, &mut digester)?;
        Ok(Some(digester.finish()))
    }

    /// The diff ids of all layers of a snapshot, base first.
    pub fn diff_ids(&self, snapshot: &Snapshot) -> Result<Vec<DiffId>, StoreError> {
        snapshot.layers().iter().map(|layer| self.diff_id(layer)).collect()
    }

    /// Writes the snapshot's own layer as an uncompressed archive. After an error, `out` may have a part of it.
    pub fn write_layer(&self, snapshot: &Snapshot, out: impl Write) -> Result<DiffId, StoreError> {
        let Some((layer, directory)) = snapshot.layer() else { return write_empty(out) };
        let row = self.layer_row(layer)?;
        let expected = row.diff_id.filter(|_| !row.canonical);
        if let Some(diff_id) = expected
            && let Some(blob) = self.layer_blob(diff_id)?
        {
            return self.write_original(diff_id, &blob, out);
        }
        let mut hashing = Hashing { out, digester: Digester::new() };
        layer::write(directory, row.root_entry, Times::Kept, &mut hashing)?;
        let found = DiffId(hashing.digester.finish());
        match expected {
            // Only an archive that was made here comes back to itself.
            Some(diff_id) if diff_id != found => Err(StoreError::OriginalBlobMissing(diff_id)),
            _ => Ok(found),
        }
    }

    /// The snapshot's own layer as a blob of that encoding, made unless the store has one already.
    ///
    /// A blob that came from elsewhere serves too when its compression is the one that is asked for. Where such
    /// a blob is needed and is not in the store, the error is [`StoreError::OriginalBlobMissing`].
    pub fn pack(&self, snapshot: &Snapshot, encoding: LayerEncoding) -> Result<PackedLayer, StoreError> {
        if let Some((layer, _)) = snapshot.layer()
            && let Some(diff_id) = self.layer_row(layer)?.diff_id
            && let Some(descriptor) = self.packed(diff_id, encoding)?
        {
            return Ok(PackedLayer { diff_id, descriptor });
        }
        let blob = self.blobs().writer()?;
        let mut encoder = encoding.encoder(blob).attempt("write", self.root().join("tmp"))?;
        let diff_id = self.write_layer(snapshot, &mut encoder)?;
        let blob: BlobWriter = encoder.finish().attempt("write", self.root().join("tmp"))?;
        let (digest, size) = blob.commit(None)?;
        let media_type = MediaType::OciLayer(encoding.compression());
        let descriptor = Descriptor::new(media_type, digest, size);
        self.remember_blob(diff_id, &encoding.to_string(), &descriptor)?;
        if snapshot.layer().is_some() {
            self.remember_diff_id(snapshot, diff_id)?;
        }
        Ok(PackedLayer { diff_id, descriptor })
    }

    /// Remembers that a blob, stored already, is that layer's archive in the encoding of its media type.
    pub fn add_layer_blob(&self, diff_id: DiffId, blob: &Descriptor) -> Result<(), StoreError> {
        if !self.blobs().contains(&blob.digest) {
            return Err(StoreError::BlobMissing(blob.digest));
        }
        self.remember_blob(diff_id, ORIGINAL, blob)
    }

    /// A blob in the store that is that layer, in whatever encoding; `None` when there is none.
    pub fn layer_blob(&self, diff_id: DiffId) -> Result<Option<Descriptor>, StoreError> {
        let known = self.known_blobs(diff_id)?;
        Ok(known
            .into_iter()
            .map(|(_, descriptor)| descriptor)
            .find(|known| self.blobs().contains(&known.digest)))
    }

    /// Bytes of the regular files of the snapshot's own layer.
    pub fn size(&self, snapshot: &Snapshot) -> Result<u64, StoreError> {
        let Some((layer, directory)) = snapshot.layer() else { return Ok(0) };
        if let Some(size) = self.layer_row(layer)?.size {
            return Ok(size);
        }
        let size = layer::size(directory)?;
        self.record_size(layer, size)?;
        Ok(size)
    }

    fn packed(&self, diff_id: DiffId, encoding: LayerEncoding) -> Result<Option<Descriptor>, StoreError> {
        let name = encoding.to_string();
        Ok(self
            .known_blobs(diff_id)?
            .into_iter()
            .filter(|(known, descriptor)| {
                *known == name || (known == ORIGINAL && has_compression(descriptor, encoding))
            })
            .map(|(_, descriptor)| descriptor)
            .find(|descriptor| self.blobs().contains(&descriptor.digest)))
    }

    fn write_original(
        &self,
        diff_id: DiffId,
        blob: &Descriptor,
        out: impl Write,
    ) -> Result<DiffId, StoreError> {
        let compressed = self.blobs().open(&blob.digest)?;
        let mut archive = decompress(compressed).map_err(StoreError::ArchiveRead)?;
        let mut hashing = Hashing { out, digester: Digester::new() };
        io::copy(&mut archive, &mut hashing).map_err(StoreError::ArchiveRead)?;
        match hashing.digester.finish() {
            found if found == diff_id.0 => Ok(diff_id),
            found => Err(StoreError::DigestMismatch { expected: diff_id.0, found }),
        }
    }

    /// What was packed or came with an image, by encoding and descriptor, so that choices do not depend on history.
    fn known_blobs(&self, diff_id: DiffId) -> Result<Vec<(String, Descriptor)>, StoreError> {
        let attempt = "look up the blobs of a layer";
        let connection = self.database().connection();
        let mut statement = connection
            .prepare_cached("SELECT encoding, descriptor FROM layer_blobs WHERE diff_id = ?1 ORDER BY encoding, descriptor")
            .database(attempt)?;
        let rows = statement
            .query_map([diff_id.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .database(attempt)?;
        let mut known = Vec::new();
        for row in rows {
            let (encoding, descriptor) = row.database(attempt)?;
            known.push((encoding, parse_json("descriptor", &descriptor)?));
        }
        Ok(known)
    }

    fn remember_blob(
        &self,
        diff_id: DiffId,
        encoding: &str,
        descriptor: &Descriptor,
    ) -> Result<(), StoreError> {
        let json = crate::images::to_json(descriptor)?;
        self.database()
            .connection()
            .execute(
                "INSERT OR IGNORE INTO layer_blobs (diff_id, encoding, descriptor) VALUES (?1, ?2, ?3)",
                params![diff_id.to_string(), encoding, json],
            )
            .database("record the blob of a layer")?;
        Ok(())
    }

    /// Records the diff id, and the chain id when those of all layers below are known.
    fn remember_diff_id(&self, snapshot: &Snapshot, diff_id: DiffId) -> Result<(), StoreError> {
        let mut diff_ids = Vec::new();
        for below in snapshot.parent().map(|parent| parent.layers()).unwrap_or_default() {
            let Some((layer, _)) = below.layer() else { continue };
            match self.layer_row(layer)?.diff_id {
                Some(known) => diff_ids.push(known),
                None => return self.record_diff_id(snapshot, diff_id, None),
            }
        }
        diff_ids.push(diff_id);
        self.record_diff_id(snapshot, diff_id, ChainId::of(&diff_ids))
    }
}

/// Writes whole trees, merged, as one uncompressed archive in canonical form, each below its place:
/// `--output type=tar`.
pub fn write_trees(trees: &[(TreePath, Tree)], out: impl Write) -> Result<(), StoreError> {
    layer::write_trees(trees, out)
}

/// Writes one entry of a tree, with everything below it, as an uncompressed archive in which it has this name. In
/// the root, a directory has no entry of its own.
pub fn write_entry(entry: &Entry, name: &TreePath, out: impl Write) -> Result<(), StoreError> {
    layer::write_entry(entry, name, out)
}

fn has_compression(descriptor: &Descriptor, encoding: LayerEncoding) -> bool {
    match &descriptor.media_type {
        MediaType::OciLayer(compression) | MediaType::DockerLayer(compression) => {
            *compression == encoding.compression()
        }
        _ => false,
    }
}

fn write_empty(out: impl Write) -> Result<DiffId, StoreError> {
    let mut hashing = Hashing { out, digester: Digester::new() };
    ArchiveWriter::new(&mut hashing).finish().attempt("write", TreePath::root().to_absolute())?;
    Ok(DiffId(hashing.digester.finish()))
}

/// Hashes what passes through.
struct Hashing<W> {
    out: W,
    digester: Digester,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.digester.write_all(buffer.get(..written).unwrap_or_default())?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
