//! What a build ends with.

use std::sync::Arc;

use image::{Descriptor, ImageId, Platform, Reference};
use parser::Span;

/// A build that succeeded.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The Dockerfile that was built, for excerpts.
    pub dockerfile: Arc<DockerfileText>,
    /// The images, one a platform.
    pub images: Vec<BuiltImage>,
    /// The names they were given.
    pub tags: Vec<Reference>,
    /// What the rules for Dockerfiles have to say.
    pub warnings: Vec<Finding>,
}

/// A Dockerfile that was checked and can be built.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The Dockerfile, for excerpts.
    pub dockerfile: Arc<DockerfileText>,
    /// What the rules for Dockerfiles have to say, in the order of the text.
    pub findings: Vec<Finding>,
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

/// Something to say about the Dockerfile: an error, or the warning of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the rule, if it is a warning.
    pub rule: Option<&'static str>,
    /// Where the rule is explained.
    pub url: Option<String>,
    /// One line.
    pub message: String,
    /// The instruction that it is about; none if it is about the build's options.
    pub span: Option<Span>,
    /// The part of the instruction, where it is known.
    pub focus: Option<Span>,
    /// What the author can do about it.
    pub help: Option<String>,
}
