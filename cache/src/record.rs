//! What is remembered of a step.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use store::SnapshotId;

use crate::{CacheKey, KeyImage};

/// A step whose result is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The canonical key: what the keys of later steps are made of. It can be another one than
    /// the record was looked up by.
    pub key: CacheKey,
    /// The result.
    pub result: SnapshotId,
    /// The canonical key of input 0, if it has one.
    pub base: Option<CacheKey>,
    /// When the result was made.
    pub created: SystemTime,
    /// How long that took.
    pub duration: Duration,
    /// When a build last used it, as far as it was written down.
    pub last_used: SystemTime,
}

/// A step that was just run.
#[derive(Clone, Debug)]
pub struct NewRecord<'a> {
    /// The canonical key: that of the image, unless there is a reason for another one.
    pub key: CacheKey,
    /// What the step was.
    pub image: &'a KeyImage,
    /// Further keys that this result is found by from now on, whatever they led to before.
    pub aliases: &'a [CacheKey],
    /// The result.
    pub result: SnapshotId,
    /// The canonical key of input 0, if it has one.
    pub base: Option<CacheKey>,
    /// How long it took.
    pub duration: Duration,
    /// Where the step stands.
    pub position: Option<&'a Position>,
}

/// Where a step stands: the place that people mean by "this step" from one build to the next,
/// although its key changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Which Dockerfile: any text that is the same in the next build of the same thing.
    pub dockerfile: String,
    /// The name of the stage, or its number if it has none.
    pub stage: String,
    /// The number of the instruction in its stage.
    pub ordinal: u32,
}
