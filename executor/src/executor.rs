//! [`Executor`]: what all builds of a program share.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use image::{Descriptor, DiffId, Digest, Platform, Reference};
use runtime::Snapshotter;
use sandbox::{Networks, Sandbox};
use store::{Snapshot, Store};

use crate::session::{Session, SessionOptions};
use crate::source;
use crate::source::error::SourceError;
use crate::source::origins::{ImageOrigin, Place};

/// What an executor is made of.
#[derive(Debug)]
pub struct ExecutorParts {
    /// Where trees and blobs are.
    pub store: Store,
    /// What runs processes.
    pub sandbox: Sandbox,
    /// How they get to see their files.
    pub snapshotter: Snapshotter,
    /// Where their networks come from.
    pub networks: Networks,
    /// What speaks to registries.
    pub registry: registry::Client,
    /// Directories with descriptions of devices, in the format of the Container Device Interface. The later ones win.
    pub device_directories: Vec<PathBuf>,
}

/// An image that was fetched.
#[derive(Clone, Debug)]
pub struct PulledImage {
    /// What the name stands for: an index, or the manifest itself.
    pub resolved: Digest,
    /// The manifest of the platform.
    pub manifest: Descriptor,
    /// The manifest's bytes.
    pub manifest_bytes: Vec<u8>,
    /// The config's bytes.
    pub config: Vec<u8>,
    /// The layers, base first.
    pub layers: Vec<(DiffId, Descriptor)>,
    /// The layers as a tree.
    pub snapshot: Snapshot,
}

/// Does the work of builds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executor {
    pub(crate) shared: Arc<ExecutorParts>,
    /// What downloads; made for the first download.
    http: Arc<OnceLock<reqwest::Client>>,
}

impl Executor {
    /// An executor over these parts.
    pub fn new(parts: ExecutorParts) -> Self {
        Self { shared: Arc::new(parts), http: Arc::default() }
    }

    /// Begins a build.
    pub fn session(&self, options: SessionOptions) -> Session {
        Session::new(self.clone(), options)
    }

    /// Resolves and fetches a whole image from its registry. `progress` is told of transfers: name, bytes so
    /// far, bytes in all.
    pub async fn pull(
        &self,
        reference: &Reference,
        platform: &Platform,
        progress: impl Fn(&str, u64, Option<u64>) + Send + Sync,
    ) -> Result<PulledImage, SourceError> {
        let ExecutorParts { store, registry, .. } = &*self.shared;
        let resolved = source::image::remote::resolve(registry, reference, platform).await?;
        let origin = ImageOrigin {
            place: Place::Registry(reference.repository().clone()),
            layers: resolved.layers.clone(),
        };
        let snapshot = source::image::fetch::layers(store, registry, &origin, progress).await?;
        Ok(PulledImage {
            resolved: resolved.digest,
            manifest: resolved.manifest,
            manifest_bytes: resolved.manifest_bytes,
            config: resolved.config_bytes,
            layers: resolved.layers,
            snapshot,
        })
    }

    pub(crate) fn http(&self) -> Result<&reqwest::Client, SourceError> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        let client = source::http::client()?;
        Ok(self.http.get_or_init(|| client))
    }

    /// How processes get to see their files.
    pub fn snapshotter(&self) -> &Snapshotter {
        &self.shared.snapshotter
    }

    pub(crate) fn registry(&self) -> &registry::Client {
        &self.shared.registry
    }

    pub(crate) fn store(&self) -> &Store {
        &self.shared.store
    }
}
