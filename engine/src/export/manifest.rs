//! Layers become blobs, and an image gets a manifest.

use image::{Descriptor, DiffId, Manifest, MediaType};
use rayon::prelude::*;
use store::{LayerEncoding, Store, StoreError};

use crate::export::AssembledImage;

/// An image whose every part is a blob of the store.
#[derive(Clone, Debug)]
pub(crate) struct PackedImage {
    /// The manifest.
    pub(crate) manifest: Manifest,
    /// The manifest's bytes.
    pub(crate) bytes: Vec<u8>,
    /// How an index refers to it, platform included.
    pub(crate) descriptor: Descriptor,
    /// The layers' diff ids, base first, as the manifest has them.
    pub(crate) diff_ids: Vec<DiffId>,
}

impl PackedImage {
    /// The descriptors of all blobs that the manifest refers to: the config, then the layers.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.manifest.config).chain(&self.manifest.layers)
    }
}

/// Packs all layers of an image that are no blobs yet, several at once, and makes its manifest.
///
/// A layer that came as a blob goes as that blob, whatever its compression: its digest is what
/// registries know it by.
pub(crate) fn pack(store: &Store, image: &AssembledImage) -> Result<PackedImage, StoreError> {
    let layers: Vec<(DiffId, Descriptor)> = image
        .root
        .layers()
        .par_iter()
        .map(|layer| {
            let diff_id = store.diff_id(layer)?;
            let descriptor = match store.layer_blob(diff_id)? {
                Some(known) => known,
                None => store.pack(layer, LayerEncoding::GZIP)?.descriptor,
            };
            Ok((diff_id, with_oci_type(descriptor)))
        })
        .collect::<Result<_, StoreError>>()?;
    store.blobs().put(&image.config)?;
    let config = Descriptor::of(MediaType::OciConfig, &image.config);
    let (diff_ids, layers) = layers.into_iter().unzip();
    let manifest = Manifest::oci(config, layers);
    let bytes = manifest.to_bytes();
    store.blobs().put(&bytes)?;
    let mut descriptor = Descriptor::of(MediaType::OciManifest, &bytes);
    descriptor.platform = Some(image.platform.clone());
    Ok(PackedImage { manifest, bytes, descriptor, diff_ids })
}

/// Like [`pack`], for an image that came with a manifest: as long as the store has its blobs, it goes
/// as it came, digest included.
pub(crate) fn repack(
    store: &Store,
    image: &AssembledImage,
    original: Option<&Descriptor>,
) -> Result<PackedImage, StoreError> {
    let Some(original) = original.filter(|original| store.blobs().contains(&original.digest)) else {
        return pack(store, image);
    };
    let bytes = store.blobs().read(&original.digest)?;
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else { return pack(store, image) };
    let parts = std::iter::once(&manifest.config).chain(&manifest.layers);
    if !parts.into_iter().all(|part| store.blobs().contains(&part.digest)) {
        return pack(store, image);
    }
    let diff_ids = store.diff_ids(&image.root)?;
    Ok(PackedImage { manifest, bytes, descriptor: original.clone(), diff_ids })
}

/// The same blob as part of an OCI image. Docker's layer types name the same formats.
fn with_oci_type(descriptor: Descriptor) -> Descriptor {
    match descriptor.media_type.layer_compression() {
        Some(compression) => {
            Descriptor::new(MediaType::OciLayer(compression), descriptor.digest, descriptor.size)
        }
        None => descriptor,
    }
}
