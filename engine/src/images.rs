//! The images of the local store: list, tag, remove, inspect, history.

use image::{History, ImageConfig, ImageId, Platform, Reference, Timestamp};
use serde::Serialize;
use store::{ImageRecord, Snapshot, Store, StoreError};

use crate::engine::Engine;

/// Why something could not be done with a local image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There is no such image.
    #[error("No such image: {0}")]
    NotFound(String),
    /// Several names refer to the image, and its id alone does not say which one goes.
    #[error(
        "conflict: unable to delete {id} (must be forced) - image is referenced in multiple repositories"
    )]
    SeveralNames {
        /// The short id.
        id: String,
    },
    /// The config in the store cannot be read.
    #[error("the config of image {id} is damaged")]
    Config {
        /// The image.
        id: ImageId,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The layers of the image are not in the store.
    #[error("the layers of image {0} are missing from the store")]
    LayersMissing(ImageId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One image of the list.
#[derive(Clone, Debug)]
pub struct ImageSummary {
    /// Its identity.
    pub id: ImageId,
    /// Its names.
    pub tags: Vec<Reference>,
    /// When it was made, as its config says.
    pub created: Option<Timestamp>,
    /// What it is made for.
    pub platform: Platform,
    /// Bytes of the files in its layers.
    pub size: u64,
}

/// What is known of an image, in the shape of `docker image inspect`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageDetails {
    /// Its identity.
    pub id: ImageId,
    /// Its names, short.
    pub repo_tags: Vec<String>,
    /// Its names in registries, by digest.
    pub repo_digests: Vec<String>,
    /// The comment of its last step.
    pub comment: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Who made it.
    pub author: String,
    /// How it is run.
    pub config: image::ContainerConfig,
    /// The architecture of its binaries.
    pub architecture: String,
    /// The kind of the architecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Its operating system.
    pub os: String,
    /// Bytes of the files in its layers.
    pub size: u64,
    /// Its layers.
    #[serde(rename = "RootFS")]
    pub root_fs: RootFsDetails,
}

/// The layers of an image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RootFsDetails {
    /// Always `layers`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The diff ids, base first.
    pub layers: Vec<image::DiffId>,
}

/// One step of an image's history.
#[derive(Clone, Debug)]
pub struct HistoryLine {
    /// The image, on the last step only.
    pub id: Option<ImageId>,
    /// The step.
    pub entry: History,
    /// Bytes of the files in its layer.
    pub size: u64,
}

/// What became of an image or name that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The name is gone.
    Untagged(Reference),
    /// The image is gone.
    Deleted(ImageId),
}

/// An image with its config and layers.
pub(crate) struct LocalImage {
    pub(crate) record: ImageRecord,
    pub(crate) config: ImageConfig,
    pub(crate) root: Snapshot,
}

/// Finds an image by name or id, with its config and layers.
pub(crate) fn find(store: &Store, name: &str) -> Result<LocalImage, ImageError> {
    let record = record(store, name)?;
    let config = config(store, record.id)?;
    let root = store.snapshot(record.top)?.ok_or(ImageError::LayersMissing(record.id))?;
    Ok(LocalImage { record, config, root })
}

/// Finds an image by name or id.
fn record(store: &Store, name: &str) -> Result<ImageRecord, ImageError> {
    store.find_image(name)?.ok_or_else(|| ImageError::NotFound(name.to_owned()))
}

fn config(store: &Store, id: ImageId) -> Result<ImageConfig, ImageError> {
    let bytes = store.blobs().read(&id.0)?;
    serde_json::from_slice(&bytes).map_err(|source| ImageError::Config { id, source })
}

impl Engine {
    /// All images, in the order of the store.
    pub fn images(&self) -> Result<Vec<ImageSummary>, ImageError> {
        let mut images = Vec::new();
        for record in self.store.images()? {
            let config = config(&self.store, record.id)?;
            images.push(ImageSummary {
                id: record.id,
                size: self.store.image_size(&record)?,
                created: config.created,
                platform: config.platform(),
                tags: record.tags,
            });
        }
        Ok(images)
    }

    /// Gives an image one more name, which it takes from another image if need be.
    pub fn tag(&self, name: &str, tag: &Reference) -> Result<(), ImageError> {
        let record = record(&self.store, name)?;
        Ok(self.store.tag(&tag.clone().with_default_tag(), record.id)?)
    }

    /// Removes a name, and the image with its last name. By id, the image goes if it has at most
    /// one name, or with `force`.
    pub fn remove_image(&self, name: &str, force: bool) -> Result<Vec<Removed>, ImageError> {
        let record = record(&self.store, name)?;
        let reference = name.parse::<Reference>().ok().map(Reference::with_default_tag);
        let mut removed = Vec::new();
        if let Some(reference) = reference.filter(|reference| record.tags.contains(reference)) {
            self.store.untag(&reference)?;
            removed.push(Removed::Untagged(reference));
            if record.tags.len() > 1 {
                return Ok(removed);
            }
        } else if record.tags.len() > 1 && !force {
            return Err(ImageError::SeveralNames { id: record.id.0.short() });
        }
        removed.extend(self.store.delete_image(record.id)?.into_iter().map(Removed::Untagged));
        removed.push(Removed::Deleted(record.id));
        Ok(removed)
    }

    /// What is known of an image.
    pub fn inspect(&self, name: &str) -> Result<ImageDetails, ImageError> {
        let LocalImage { record, config, .. } = find(&self.store, name)?;
        Ok(ImageDetails {
            id: record.id,
            repo_tags: record.tags.iter().map(Reference::familiar).collect(),
            repo_digests: record
                .manifest
                .iter()
                .flat_map(|manifest| record.tags.iter().map(|tag| tag.at_digest(manifest.digest).familiar()))
                .collect(),
            comment: config.history.last().map(|entry| entry.comment.clone()).unwrap_or_default(),
            created: config.created,
            author: config.author.unwrap_or_default(),
            architecture: config.architecture,
            variant: config.variant,
            os: config.os,
            size: self.store.image_size(&record)?,
            root_fs: RootFsDetails { kind: config.rootfs.kind, layers: config.rootfs.diff_ids },
            config: config.config,
        })
    }

    /// How an image was made, newest step first.
    pub fn history(&self, name: &str) -> Result<Vec<HistoryLine>, ImageError> {
        let LocalImage { record, config, root } = find(&self.store, name)?;
        let mut layers = root.layers().into_iter();
        let mut lines = Vec::with_capacity(config.history.len());
        for entry in config.history {
            let layer = if entry.empty_layer { None } else { layers.next() };
            let size = layer.map(|layer| self.store.size(&layer)).transpose()?.unwrap_or_default();
            lines.push(HistoryLine { id: None, entry, size });
        }
        if let Some(last) = lines.last_mut() {
            last.id = Some(record.id);
        }
        lines.reverse();
        Ok(lines)
    }
}
