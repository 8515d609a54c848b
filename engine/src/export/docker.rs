//! `type=docker`: an archive that `docker load` and `podman load` read.
//!
//! It is an OCI image layout with one more file, `manifest.json`, which is all that older engines
//! look at. Its layers are the blobs of the layout, compressed as they are.

use image::Reference;
use serde::Serialize;
use store::Store;

use crate::export::PackedImage;
use crate::export::layout::{Layout, append_bytes, blob_path};
use crate::export::oci::finish;
use crate::export::output::{self, OutputError};
use crate::request::Destination;

/// One image in `manifest.json` (docker image spec v1.2).
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Writes the archive of one image.
pub(crate) fn write(
    store: &Store,
    image: &PackedImage,
    names: &[Reference],
    layout: &Layout,
    destination: &Destination,
) -> Result<(), OutputError> {
    let entry = Entry {
        config: blob_path(&image.manifest.config.digest),
        repo_tags: names.iter().map(Reference::familiar).collect(),
        layers: image.manifest.layers.iter().map(|layer| blob_path(&layer.digest)).collect(),
    };
    let manifest = serde_json::to_vec(&[entry]).expect("an entry has only string keys");
    output::write(destination, |out| {
        let mut archive = tar::Builder::new(out);
        layout.write_archive(store, &mut archive)?;
        append_bytes(&mut archive, "manifest.json", &manifest)
            .map_err(|source| OutputError::Write { destination: output::name(destination), source })?;
        finish(archive, destination)
    })
}
