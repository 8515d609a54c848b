//! `type=registry`: images go to the registries that their names say.

use image::Reference;
use registry::Client;
use store::Store;

use crate::export::PackedImage;
use crate::export::layout::Layout;
use crate::progress::InternalStep;
use crate::push::{PushError, push_blobs, push_manifest};

/// Pushes all images and, if there are several, the index over them, under each name.
pub(crate) async fn write(
    store: &Store,
    client: &Client,
    images: &[PackedImage],
    layout: &Layout,
    names: &[Reference],
    step: &InternalStep,
) -> Result<(), PushError> {
    for name in names {
        for image in images {
            push_blobs(store, client, name.repository(), image, step).await?;
            if layout.root.media_type.is_index() {
                let by_digest = name.at_digest(image.descriptor.digest);
                push_manifest(client, &by_digest, &image.descriptor, &image.bytes).await?;
            }
        }
        let bytes = store.blobs().read(&layout.root.digest)?;
        push_manifest(client, name, &layout.root, &bytes).await?;
    }
    Ok(())
}
