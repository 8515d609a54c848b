//! Why a build failed, with everything that a report about it needs.

use std::path::PathBuf;
use std::sync::Arc;

use executor::{Ending, Fault};
use image::Platform;
use sandbox::cgroup::CgroupError;

use crate::outcome::{DockerfileText, Finding, Location};

/// Any error, shared where several hold it.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why a build failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile could not be read.
    #[error("failed to read dockerfile: open {display}")]
    ReadDockerfile {
        /// How the user called it.
        display: String,
        /// The system's answer.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The Dockerfile is no text: it is not UTF-8, and has zeros in it.
    #[error("failed to read dockerfile: {display} is not valid UTF-8 (byte {offset})")]
    DockerfileEncoding {
        /// How the user called it.
        display: String,
        /// The first byte that is wrong.
        offset: usize,
    },
    /// A directory that is a context cannot be used.
    #[error("unable to prepare context: path {} not found", path.display())]
    ContextMissing {
        /// The directory.
        path: PathBuf,
    },
    /// The ignore file of a context could not be read.
    #[error("failed to read {}", path.display())]
    ReadIgnoreFile {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The ignore file of a context has a pattern that means nothing.
    #[error("invalid pattern in {}: {message}", path.display())]
    IgnoreFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// What came in on standard input begins like an archive and is none.
    #[error("the build context on standard input is compressed, but holds no tar archive")]
    NotAnArchive,
    /// `RUN` steps cannot be limited as the request asks for.
    #[error(transparent)]
    Limits(#[from] CgroupError),
    /// A flag of the request cannot be used.
    #[error("{0}")]
    Request(Source),
    /// The Dockerfile has errors.
    #[error("{}", first_message(findings))]
    Dockerfile {
        /// The text.
        dockerfile: Arc<DockerfileText>,
        /// What is wrong, at least one finding.
        findings: Vec<Finding>,
        /// What the rules for Dockerfiles have to say besides.
        warnings: Vec<Finding>,
    },
    /// A name could not be resolved.
    #[error("{source}")]
    Pin {
        /// The name.
        name: String,
        /// Where the Dockerfile has it.
        location: Option<Location>,
        /// A stage of the Dockerfile, or a well-known image, whose name is nearly that.
        similar: Option<String>,
        /// The warnings of the rules for Dockerfiles until then.
        warnings: Vec<Finding>,
        /// Why not.
        #[source]
        source: Source,
    },
    /// A step failed.
    #[error(transparent)]
    Step(Box<StepError>),
    /// Something went wrong around the steps: with the store, the cache or an exporter.
    #[error("failed to {attempt}")]
    Failed {
        /// What was attempted, as in "export the image to out.tar".
        attempt: String,
        /// Why it failed.
        #[source]
        source: Source,
    },
    /// Pushing needs a name.
    #[error("tag is needed when pushing to registry")]
    PushWithoutTag,
    /// An exporter takes one image, and the build has one a platform.
    #[error("the {0} exporter does not support images for several platforms")]
    SeveralPlatforms(&'static str),
}

impl BuildError {
    /// An error about a name that no instruction of the Dockerfile has.
    pub(crate) fn unpinned(error: executor::PinError) -> Self {
        Self::Pin {
            name: error.name.to_string(),
            location: None,
            similar: None,
            warnings: Vec::new(),
            source: Arc::new(error),
        }
    }

    /// An error around the steps.
    pub(crate) fn failed(
        attempt: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Failed { attempt: attempt.into(), source: Arc::new(source) }
    }
}

fn first_message(findings: &[Finding]) -> &str {
    findings.first().map_or("the Dockerfile has errors", |finding| &finding.message)
}

/// A step that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{source}")]
pub struct StepError {
    /// The name of the step, such as `[build 2/4] RUN make`.
    pub label: String,
    /// The instruction, if it is of the Dockerfile.
    pub location: Option<Location>,
    /// The last lines of its output.
    pub log_tail: Vec<String>,
    /// The warnings of the rules for Dockerfiles.
    pub warnings: Vec<Finding>,
    /// Their notes.
    pub notes: Vec<Finding>,
    /// What is known of the cause, beside the error itself.
    pub cause: Option<StepCause>,
    /// What became of the files that it left.
    pub remains: Remains,
    /// What went wrong.
    #[source]
    pub source: Source,
}

/// What became of the files of a failed step.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// What the step is called now that it is kept, see [`crate::kept`].
    pub kept: Option<String>,
    /// What the request wanted to have copied out.
    pub salvaged: Vec<Salvaged>,
    /// Why it could not be kept.
    pub problem: Option<Source>,
}

/// Files that were to be copied out of a failed step.
#[derive(Clone, Debug)]
pub struct Salvaged {
    /// The path in the step.
    pub source: String,
    /// The path on the host.
    pub destination: PathBuf,
    /// Why they were not.
    pub problem: Option<Source>,
}

/// Why a step failed, as far as something can be advised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepCause {
    /// Its process ended this way.
    Exited(Ending),
    /// A program did not run.
    Fault(Fault),
    /// A copy did not find its source.
    MissingSource(MissingSource),
    /// The image is for this platform, which the machine cannot run.
    Foreign(Platform),
    /// The build does not allow it these devices.
    ForbiddenDevices(Vec<String>),
    /// This machine refused a part of its sandbox.
    NoSandbox,
}

/// What is known about a source of `COPY` or `ADD` that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSource {
    /// The source as the step looked for it.
    pub pattern: String,
    /// Where it was looked for, if it was a directory of the host.
    pub directory: Option<PathBuf>,
    /// The rule that keeps it out of the context, if it is there.
    pub excluded_by: Option<IgnoreRule>,
    /// Something there with nearly that name.
    pub similar: Option<String>,
}

/// A line of an ignore file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreRule {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from one.
    pub line: usize,
    /// What it says.
    pub pattern: String,
}
