//! `builder pull`: an image from a registry into the local store.

use image::{Digest, ImageId, Platform, Reference};
use store::{NewImage, Origin, StoreError};

use crate::engine::Engine;
use crate::event::Events;
use crate::progress::Progress;

/// Why an image could not be pulled.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// It could not be found or fetched.
    #[error(transparent)]
    Fetch(#[from] executor::SourceError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An image that was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The image.
    pub id: ImageId,
    /// What the name stands for at the registry.
    pub digest: Digest,
    /// Whether the name stood for another image here before, or for none.
    pub is_newer: bool,
}

impl Engine {
    /// Pulls an image for a platform and gives it its name here.
    pub async fn pull(
        &self,
        reference: &Reference,
        platform: &Platform,
        events: &Events,
    ) -> Result<Pulled, PullError> {
        let reference = reference.clone().with_default_tag();
        let step = Progress::new(events).begin(format!("pull {reference}"));
        let transfer = |name: &str, current, total| step.transfer(name, current, total);
        let fetched = self.executor.pull(&reference, platform, transfer).await;
        let pulled = step.end(fetched)?;
        let before = self.store.resolve_tag(&reference)?.map(|image| image.id);
        let image = self.store.put_image(&NewImage {
            config: &pulled.config,
            top: &pulled.snapshot,
            manifest: Some((pulled.manifest.clone(), &pulled.manifest_bytes)),
            origin: Some(Origin { repository: reference.repository(), layers: &pulled.layers }),
        })?;
        if reference.tag().is_some() {
            self.store.tag(&reference, image.id)?;
        }
        Ok(Pulled { id: image.id, digest: pulled.resolved, is_newer: before != Some(image.id) })
    }
}
