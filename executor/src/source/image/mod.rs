//! Images: their configs, and their layers as trees.
//!
//! - [`pin`]: the name of an image to its config and its chain of layers
//! - [`remote`]: manifests and configs in registries
//! - [`layout`]: manifests and configs in directories in the OCI image layout
//! - [`fetch`]: a chain of layers to a tree

pub(crate) mod fetch;
mod layout;
pub(super) mod pin;
pub(crate) mod remote;

use graph::name::ImagePin;
use image::{ChainId, Descriptor, DiffId, Digest, ImageConfig, Index, Manifest, Platform};

use crate::source::error::SourceError;

/// An image, as far as its manifest and its config say.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// What the name stands for: an index, or the manifest itself.
    pub(crate) digest: Digest,
    /// The manifest of the platform.
    pub(crate) manifest: Descriptor,
    /// The manifest's bytes.
    pub(crate) manifest_bytes: Vec<u8>,
    /// The config's bytes.
    pub(crate) config_bytes: Vec<u8>,
    /// The config.
    pub(crate) config: ImageConfig,
    /// The layers, base first.
    pub(crate) layers: Vec<(DiffId, Descriptor)>,
}

impl Resolved {
    fn new(
        image: &str,
        digest: Digest,
        (manifest, manifest_bytes): (Descriptor, Vec<u8>),
        parsed: Manifest,
        config_bytes: Vec<u8>,
    ) -> Result<Self, SourceError> {
        let config: ImageConfig = parse(&config_bytes, image, "config", parsed.config.digest)?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != parsed.layers.len() {
            return Err(SourceError::LayerCount {
                image: image.to_owned(),
                layers: parsed.layers.len(),
                diff_ids: diff_ids.len(),
            });
        }
        let layers = diff_ids.iter().copied().zip(parsed.layers).collect();
        Ok(Self { digest, manifest, manifest_bytes, config_bytes, config, layers })
    }

    /// The chain id of the layers; none if there are none.
    pub(crate) fn chain(&self) -> Option<ChainId> {
        ChainId::of(&self.config.rootfs.diff_ids)
    }

    pub(crate) fn pin(&self) -> ImagePin {
        ImagePin { resolved: Some(self.digest), config: self.config.clone() }
    }
}

/// The manifest of an index that serves a platform best. A list of one that does not say its platform
/// is taken by its word.
fn best_of<'a>(index: &'a Index, image: &str, platform: &Platform) -> Result<&'a Descriptor, SourceError> {
    let only = match index.manifests.as_slice() {
        [only] if only.platform.is_none() => Some(only),
        _ => None,
    };
    index.best_for(platform).or(only).ok_or_else(|| SourceError::NoMatchingPlatform {
        image: image.to_owned(),
        platform: platform.clone(),
    })
}

/// Reads one of the JSON documents that an image consists of.
fn parse<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    image: &str,
    what: &'static str,
    digest: Digest,
) -> Result<T, SourceError> {
    let image = image.to_owned();
    serde_json::from_slice(bytes).map_err(|source| SourceError::Malformed { image, what, digest, source })
}
