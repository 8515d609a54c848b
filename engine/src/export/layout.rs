//! The OCI image layout: `oci-layout`, `index.json` and `blobs/sha256/…`.
//!
//! All files of an archive have the time 0, the owner 0:0 and an order of their own, so equal
//! images give equal archives.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use image::{Descriptor, Digest, Index, Reference};
use store::Store;

use crate::export::PackedImage;
use crate::export::output::OutputError;

/// The content of the file `oci-layout`.
pub(crate) const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// An image layout that is ready to be written.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The bytes of `index.json`.
    pub(crate) index: Vec<u8>,
    /// What the names in `index.json` refer to: a manifest, or an index of several.
    pub(crate) root: Descriptor,
    /// The blobs, sorted.
    pub(crate) blobs: BTreeSet<Digest>,
}

impl Layout {
    /// The layout of one image, or of several as an index, under these names.
    ///
    /// All blobs are in the store afterwards, that of the index included.
    pub(crate) fn new(
        store: &Store,
        images: &[PackedImage],
        names: &[Reference],
        force_index: bool,
    ) -> Result<Self, store::StoreError> {
        let mut blobs: BTreeSet<Digest> =
            images.iter().flat_map(PackedImage::blobs).map(|descriptor| descriptor.digest).collect();
        blobs.extend(images.iter().map(|image| image.descriptor.digest));
        let root = match images {
            [one] if !force_index => one.descriptor.clone(),
            several => {
                let index = Index::oci(several.iter().map(|image| image.descriptor.clone()).collect());
                let bytes = index.to_bytes();
                let digest = store.blobs().put(&bytes)?;
                blobs.insert(digest);
                Descriptor::new(image::MediaType::OciIndex, digest, bytes.len() as u64)
            }
        };
        let mut index = Index::oci(Vec::new());
        if names.is_empty() {
            index.manifests.push(root.clone());
        }
        for name in names {
            let mut named = root.clone();
            named.annotations.insert("io.containerd.image.name".to_owned(), name.to_string());
            let tag = name.tag().unwrap_or_default().to_owned();
            named.annotations.insert("org.opencontainers.image.ref.name".to_owned(), tag);
            index.manifests.push(named);
        }
        Ok(Self { index: index.to_bytes(), root, blobs })
    }

    /// Writes the layout into an archive.
    pub(crate) fn write_archive<W: Write>(
        &self,
        store: &Store,
        archive: &mut tar::Builder<W>,
    ) -> Result<(), OutputError> {
        let failed = |source| OutputError::Write { destination: "the archive".to_owned(), source };
        append_directory(archive, "blobs/").map_err(failed)?;
        append_directory(archive, "blobs/sha256/").map_err(failed)?;
        for digest in &self.blobs {
            let size = store.blobs().size(digest)?.ok_or(store::StoreError::BlobMissing(*digest))?;
            let file = store.blobs().open(digest)?;
            append_file(archive, &blob_path(digest), size, file).map_err(failed)?;
        }
        append_bytes(archive, "index.json", &self.index).map_err(failed)?;
        append_bytes(archive, "oci-layout", LAYOUT).map_err(failed)
    }

    /// Writes the layout into a directory; blobs that are there already stay.
    pub(crate) fn write_directory(&self, store: &Store, directory: &Path) -> Result<(), OutputError> {
        let failed = |source| OutputError::Write { destination: directory.display().to_string(), source };
        fs::create_dir_all(directory.join("blobs/sha256")).map_err(failed)?;
        for digest in &self.blobs {
            let path = directory.join(blob_path(digest));
            if path.exists() {
                continue;
            }
            write_file(&path, &mut store.blobs().open(digest)?).map_err(failed)?;
        }
        write_file(&directory.join("oci-layout"), &mut &LAYOUT[..]).map_err(failed)?;
        write_file(&directory.join("index.json"), &mut self.index.as_slice()).map_err(failed)
    }
}

/// The name of a blob in a layout.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Writes a file that appears when it is complete.
fn write_file(path: &Path, content: &mut dyn Read) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(permissions()).tempfile_in(directory)?;
    io::copy(content, &mut file)?;
    file.persist(path)?;
    Ok(())
}

fn permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}

fn header(size: u64, mode: u32, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(mode);
    header.set_entry_type(kind);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn append_directory<W: Write>(archive: &mut tar::Builder<W>, name: &str) -> io::Result<()> {
    archive.append_data(&mut header(0, 0o755, tar::EntryType::Directory), name, io::empty())
}

fn append_file<W: Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    archive.append_data(&mut header(size, 0o644, tar::EntryType::Regular), name, content)
}

/// Adds a small file.
pub(crate) fn append_bytes<W: Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    content: &[u8],
) -> io::Result<()> {
    append_file(archive, name, content.len() as u64, content)
}
