//! `builder push`, and the pushing exporter: blobs first, then the manifest that makes them visible.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;
use image::{Descriptor, Digest, Reference, Repository};
use registry::{Client, RegistryError};
use store::{Store, StoreError};

use crate::engine::Engine;
use crate::event::Events;
use crate::export::{self, AssembledImage, PackedImage, blocking};
use crate::images::{self, ImageError};
use crate::progress::{InternalStep, Progress};

/// Why an image could not be pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The image is not there, or damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is an image, but not under the name that is pushed.
    #[error("An image does not exist locally with the tag: {0}")]
    NotTagged(String),
    /// The registry refused, or could not be reached.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An image that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The size of its manifest in bytes.
    pub size: u64,
}

impl Engine {
    /// Pushes the local image of that name to the registry that the name says.
    pub async fn push(&self, reference: &Reference, events: &Events) -> Result<Pushed, PushError> {
        let reference = reference.clone().with_default_tag();
        let not_tagged = || PushError::NotTagged(reference.familiar());
        let record = self.store.resolve_tag(&reference)?.ok_or_else(not_tagged)?;
        let local = images::find(&self.store, &record.id.to_string())?;
        let config = self.store.blobs().read(&record.id.0)?;
        let image =
            AssembledImage { platform: local.config.platform(), config, id: record.id, root: local.root };
        let progress = Progress::new(events);
        let (store, original) = (self.store.clone(), record.manifest);
        let packing = progress.begin("compressing layers");
        let packed =
            packing.end(blocking(move || export::repack(&store, &image, original.as_ref())).await)?;
        let step = progress.begin(format!("pushing {reference}"));
        let pushing = async {
            push_blobs(&self.store, &self.registry, reference.repository(), &packed, &step).await?;
            push_manifest(&self.registry, &reference, &packed.descriptor, &packed.bytes).await
        };
        let result = pushing.await;
        step.end(result)?;
        Ok(Pushed { digest: packed.descriptor.digest, size: packed.descriptor.size })
    }
}

/// Pushes the config and all layers that the repository does not have, several at once. A blob that
/// another repository of the same registry has is mounted from there.
pub(crate) async fn push_blobs(
    store: &Store,
    client: &Client,
    repository: &Repository,
    image: &PackedImage,
    step: &InternalStep,
) -> Result<(), PushError> {
    let sources = std::iter::once(None).chain(image.diff_ids.iter().copied().map(Some));
    let uploads = image.blobs().zip(sources).map(|(descriptor, diff_id)| async move {
        if client.blob_exists(repository, descriptor.digest).await? {
            return Ok(());
        }
        if let Some(diff_id) = diff_id {
            for known in store.remote_layers(diff_id)? {
                if known.repository != *repository
                    && known.descriptor.digest == descriptor.digest
                    && client.mount_blob(repository, &known.repository, descriptor.digest).await?
                {
                    return remember(store, diff_id, descriptor, repository);
                }
            }
        }
        let name = descriptor.digest.short();
        let sent = AtomicU64::new(0);
        let progress = |bytes: u64| {
            sent.fetch_max(bytes, Ordering::Relaxed);
            step.transfer(&name, sent.load(Ordering::Relaxed), Some(descriptor.size));
        };
        let path = store.blobs().path(&descriptor.digest);
        client.push_blob(repository, descriptor, &path, progress).await?;
        diff_id.map_or(Ok(()), |diff_id| remember(store, diff_id, descriptor, repository))
    });
    try_join_all(uploads).await.map(drop)
}

fn remember(
    store: &Store,
    diff_id: image::DiffId,
    descriptor: &Descriptor,
    repository: &Repository,
) -> Result<(), PushError> {
    Ok(store.add_remote_layer(diff_id, descriptor, repository)?)
}

/// Pushes a manifest or an index under its name.
pub(crate) async fn push_manifest(
    client: &Client,
    reference: &Reference,
    descriptor: &Descriptor,
    bytes: &[u8],
) -> Result<(), PushError> {
    Ok(client.push_manifest(reference, &descriptor.media_type, bytes.to_vec()).await?)
}
