//! What a Dockerfile says of itself, without building it.

use std::sync::Arc;

use graph::name::{GitPin, HttpPin};
use graph::{Name, Pin};
use image::Digest;

use crate::build::{self, Definition, Purpose};
use crate::engine::Engine;
use crate::error::BuildError;
use crate::event::Events;
use crate::findings;
use crate::outcome::{Checked, Outlined, Targets};
use crate::progress::Progress;
use crate::request::BuildRequest;

impl Engine {
    /// Looks at all stages of the Dockerfile, or at those that the target needs.
    ///
    /// The configs of base images are looked up, since they bring triggers and variables. That it cannot
    /// be built is a result, and no error: an error is what keeps the Dockerfile from being looked at.
    pub async fn check(&self, request: BuildRequest, events: &Events) -> Result<Checked, BuildError> {
        let error = match self.prepare(&request, Purpose::Check, &Progress::new(events)).await {
            Ok(prepared) => {
                let (dockerfile, warnings, notes) = (prepared.text, prepared.warnings, prepared.notes);
                return Ok(Checked { dockerfile, warnings, notes, error: None });
            }
            Err(error) => error,
        };
        let (dockerfile, warnings) = match &error {
            BuildError::Dockerfile { dockerfile, warnings, .. } => (Arc::clone(dockerfile), warnings.clone()),
            BuildError::Pin { location: Some(location), warnings, .. } => {
                (Arc::clone(&location.dockerfile), warnings.clone())
            }
            _ => return Err(error),
        };
        Ok(Checked { dockerfile, warnings, notes: Vec::new(), error: Some(error) })
    }

    /// Finds out what the target can be given. No image is looked up for that.
    pub async fn outline(&self, request: BuildRequest, events: &Events) -> Result<Outlined, BuildError> {
        let Definition { text, remote, .. } = self.definition(&request, &Progress::new(events)).await?;
        let (dockerfile, _) = build::parse(&text, &request)?;
        let (_, options) = build::open_contexts(&request, remote)?;
        let outline = planner::outline::outline(&dockerfile, &options)
            .map_err(|error| findings::of_plan(&text, &error, &[]))?;
        Ok(Outlined { dockerfile: text, outline })
    }

    /// Lists the stages. No image is looked up for that.
    pub async fn targets(&self, request: BuildRequest, events: &Events) -> Result<Targets, BuildError> {
        let Definition { text, .. } = self.definition(&request, &Progress::new(events)).await?;
        let (dockerfile, _) = build::parse(&text, &request)?;
        Ok(Targets { stages: planner::outline::targets(&dockerfile), dockerfile: text })
    }
}

/// What a name stands for where only its Dockerfile is looked at: no rule asks what is downloaded, so nothing
/// is. None for an image, whose config can have triggers and variables.
pub(crate) fn stand_in(name: &Name) -> Option<Pin> {
    match name {
        Name::Image(_) => None,
        Name::Http(_) => {
            Some(Pin::Http(HttpPin { content: Digest::of(b""), file_name: None, last_modified: None }))
        }
        Name::Git(_) => Some(Pin::Git(GitPin { commit: "0".repeat(40) })),
        Name::Time(_) => Some(Pin::Time(Some(0))),
    }
}
