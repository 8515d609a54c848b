//! What a build ends with.

use std::sync::Arc;

use image::{Descriptor, ImageId, Platform, Reference};
use parser::Span;
pub use planner::outline::{Outline, OutlineArgument, OutlineMount, StageListing};
pub use planner::{Level, Rule};

use crate::error::BuildError;

/// A build that succeeded.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The Dockerfile that was built, for excerpts.
    pub dockerfile: Arc<DockerfileText>,
    /// The images, one a platform.
    pub images: Vec<BuiltImage>,
    /// The names they were given.
    pub tags: Vec<Reference>,
    /// The warnings of the rules for Dockerfiles.
    pub warnings: Vec<Finding>,
    /// Their notes.
    pub notes: Vec<Finding>,
}

/// A Dockerfile that was checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The Dockerfile, for excerpts.
    pub dockerfile: Arc<DockerfileText>,
    /// The warnings of the rules for Dockerfiles, in the order of the text.
    pub warnings: Vec<Finding>,
    /// Their notes, in the order of the text; none where there is an error.
    pub notes: Vec<Finding>,
    /// Why it cannot be built.
    pub error: Option<BuildError>,
}

/// What a target can be given.
#[derive(Clone, Debug)]
pub struct Outlined {
    /// The Dockerfile.
    pub dockerfile: Arc<DockerfileText>,
    /// What its target can be given.
    pub outline: Outline,
}

/// The targets of a Dockerfile.
#[derive(Clone, Debug)]
pub struct Targets {
    /// The Dockerfile.
    pub dockerfile: Arc<DockerfileText>,
    /// Its stages, in the order of the text.
    pub stages: Vec<StageListing>,
}

/// One image of a build.
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// What it is made for.
    pub platform: Platform,
    /// The digest of its config.
    pub id: ImageId,
    /// Its manifest, if one was made: an exporter or a push needs one, the local store does not.
    pub manifest: Option<Descriptor>,
}

/// The text of a Dockerfile and how messages call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerfileText {
    /// How messages call it.
    pub display: String,
    /// The text.
    pub text: String,
}

/// A place in the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The text.
    pub dockerfile: Arc<DockerfileText>,
    /// The place.
    pub span: Span,
}

/// Something to say about the Dockerfile: an error, or a warning or note of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule, if one has found it.
    pub rule: Option<Rule>,
    /// One line.
    pub message: String,
    /// The instruction that it is about; none if it is about the build's options.
    pub span: Option<Span>,
    /// The part of the instruction, where it is known.
    pub focus: Option<Span>,
    /// Further places that have to do with it.
    pub labels: Vec<Label>,
    /// What the author can do about it.
    pub help: Option<String>,
}

/// A further place of a [`Finding`] and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words.
    pub text: String,
}
