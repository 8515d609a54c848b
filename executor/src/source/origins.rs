//! Where the pinned sources of a build can be fetched.
//!
//! A vertex says what its source is. Where that can be had is learned when names are pinned, and kept
//! here, beside the graph.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use image::{ChainId, Descriptor, DiffId, Repository};

/// What pinning learned, for fetching.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    images: Mutex<HashMap<ChainId, ImageOrigin>>,
    /// The remotes of commits.
    repositories: Mutex<HashMap<String, String>>,
}

/// Where the layers of an image are.
#[derive(Clone, Debug)]
pub(crate) struct ImageOrigin {
    /// The place.
    pub(crate) place: Place,
    /// The layers, base first.
    pub(crate) layers: Vec<(DiffId, Descriptor)>,
}

/// A place that has blobs.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A repository of a registry.
    Registry(Repository),
    /// A directory in the OCI image layout.
    Layout(PathBuf),
}

impl Origins {
    pub(crate) fn remember_image(&self, chain: ChainId, origin: ImageOrigin) {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).insert(chain, origin);
    }

    pub(crate) fn image(&self, chain: ChainId) -> Option<ImageOrigin> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).get(&chain).cloned()
    }

    /// Remembers a remote that has a commit.
    pub(crate) fn remember_commit(&self, commit: &str, remote: &str) {
        let mut repositories = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        repositories.insert(commit.to_owned(), remote.to_owned());
    }

    /// A remote that has the commit.
    pub(crate) fn remote_of(&self, commit: &str) -> Option<String> {
        self.repositories.lock().unwrap_or_else(PoisonError::into_inner).get(commit).cloned()
    }
}
