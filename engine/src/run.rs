//! `builder run`: a container of a local image in the foreground.

use runtime::{Container, RunOptions, Runner};
use sandbox::Stdio;

use crate::engine::Engine;
use crate::images::{self, ImageError};

/// Why a container could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The image is not there, or damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The container could not be started.
    #[error(transparent)]
    Container(#[from] runtime::RunError),
}

impl Engine {
    /// Whether the local store has an image of that name or id.
    pub fn has_image(&self, name: &str) -> Result<bool, ImageError> {
        Ok(self.store.find_image(name)?.is_some())
    }

    /// Starts a container of an image in the local store. The caller waits for it; dropping it kills
    /// its processes and deletes what they wrote.
    pub fn run(&self, image: &str, options: &RunOptions, stdio: &Stdio) -> Result<Container, RunError> {
        let image = images::find(&self.store, image)?;
        let of_image = (&image.config.config, &image.root);
        let runner = Runner {
            store: &self.store,
            sandbox: &self.sandbox,
            networks: &self.networks,
            snapshotter: self.executor.snapshotter(),
        };
        Ok(runner.start(of_image, options, stdio)?)
    }
}
