//! Manifests and configs in registries.

use futures_util::TryStreamExt;
use image::{Descriptor, Index, Manifest, Platform, Reference, Repository};
use registry::{Client, Fetched};

use super::{Resolved, best_of, parse};
use crate::source::error::SourceError;

/// The largest config that is read: it is held in memory.
const LARGEST_CONFIG: u64 = 16 << 20;

/// Resolves a name at its registry. Nothing but manifests and the config is loaded.
pub(crate) async fn resolve(
    client: &Client,
    reference: &Reference,
    platform: &Platform,
) -> Result<Resolved, SourceError> {
    let image = reference.to_string();
    let named = client.manifest(reference).await?;
    let digest = named.descriptor.digest;
    let Fetched { descriptor, bytes } = if named.descriptor.media_type.is_index() {
        let index: Index = parse(&named.bytes, &image, "index", digest)?;
        let best = best_of(&index, &image, platform)?;
        client.manifest(&reference.at_digest(best.digest)).await?
    } else {
        named
    };
    let manifest: Manifest = parse(&bytes, &image, "manifest", descriptor.digest)?;
    let config = read_small(client, reference.repository(), &manifest.config, &image).await?;
    Resolved::new(&image, digest, (descriptor, bytes), manifest, config)
}

async fn read_small(
    client: &Client,
    repository: &Repository,
    descriptor: &Descriptor,
    image: &str,
) -> Result<Vec<u8>, SourceError> {
    if descriptor.size > LARGEST_CONFIG {
        return Err(SourceError::TooLarge {
            image: image.to_owned(),
            digest: descriptor.digest,
            size: descriptor.size,
        });
    }
    let mut stream = client.blob(repository, descriptor).await?;
    let mut bytes = Vec::new();
    while let Some(part) = stream.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}
