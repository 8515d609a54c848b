//! [`RegistryError`]: what went wrong, in which attempt.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use image::{Digest, Repository};

use crate::credentials::CredentialError;

/// What was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// To learn the digest behind a tag, or that a digest exists.
    Resolve(String),
    /// To download the manifest at a tag or digest.
    PullManifest(String),
    /// To download a blob.
    PullBlob(Digest),
    /// To learn whether a blob is there.
    CheckBlob(Digest),
    /// To take a blob from another repository of the same registry.
    MountBlob {
        /// The blob.
        digest: Digest,
        /// The path of the other repository.
        from: String,
    },
    /// To upload a blob.
    PushBlob(Digest),
    /// To upload a manifest to a tag or digest.
    PushManifest(String),
}

/// An action and the repository it was about. Its text continues "failed to".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried.
    pub action: Action,
    /// In which repository.
    pub repository: Repository,
}

impl Attempt {
    pub(crate) fn new(action: Action, repository: &Repository) -> Self {
        Self { action, repository: repository.clone() }
    }

    /// The error of an answer to this attempt that is not of the protocol's form.
    pub(crate) fn malformed(&self, problem: impl Into<String>) -> RegistryError {
        RegistryError::Malformed { attempt: Box::new(self.clone()), problem: problem.into() }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, repository } = self;
        match action {
            Action::Resolve(name) => write!(f, "resolve {name} in {repository}"),
            Action::PullManifest(name) => write!(f, "pull manifest {name} from {repository}"),
            Action::PullBlob(digest) => write!(f, "pull blob {digest} from {repository}"),
            Action::CheckBlob(digest) => write!(f, "look for blob {digest} in {repository}"),
            Action::MountBlob { digest, from } => {
                write!(f, "mount blob {digest} of {from} into {repository}")
            }
            Action::PushBlob(digest) => write!(f, "push blob {digest} to {repository}"),
            Action::PushManifest(name) => write!(f, "push manifest {name} to {repository}"),
        }
    }
}

/// The registry's own words about a failure, from the `errors` of its answer (distribution spec,
/// "Error codes"). Empty if it gave none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(pub String);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

/// Why a registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The HTTP client could not be made.
    #[error("failed to set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    /// Credentials could not be looked up.
    #[error("failed to {attempt}: no credentials for {registry}")]
    Credentials {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The registry that asked for them.
        registry: String,
        /// Why.
        #[source]
        source: CredentialError,
    },
    /// The registry or its token server wants other credentials, or any (status 401).
    #[error("failed to {attempt}: unauthorized{message}")]
    Unauthorized {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The registry's words.
        message: Message,
    },
    /// The credentials are good, but not for this (status 403).
    #[error("failed to {attempt}: denied{message}")]
    Denied {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The registry's words.
        message: Message,
    },
    /// There is no such repository, manifest or blob (status 404).
    #[error("failed to {attempt}: not found{message}")]
    NotFound {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The registry's words.
        message: Message,
    },
    /// Too many requests, still after all retries (status 429).
    #[error("failed to {attempt}: too many requests{message}")]
    TooManyRequests {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The registry's words.
        message: Message,
        /// When it may be tried again, if the registry said so.
        retry_after: Option<Duration>,
    },
    /// Another status than was hoped for.
    #[error("failed to {attempt}: unexpected status {status}{message}")]
    Status {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The HTTP status.
        status: u16,
        /// The registry's words.
        message: Message,
    },
    /// No connection, or a cut one.
    #[error("failed to {attempt}: connection failed")]
    Transport {
        /// What was tried.
        attempt: Box<Attempt>,
        /// What happened.
        #[source]
        source: reqwest::Error,
    },
    /// The registry was silent for too long.
    #[error("failed to {attempt}: no answer for {} seconds", after.as_secs())]
    TimedOut {
        /// What was tried.
        attempt: Box<Attempt>,
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer is no HTTP or JSON of the form that the protocol asks for.
    #[error("failed to {attempt}: malformed answer: {problem}")]
    Malformed {
        /// What was tried.
        attempt: Box<Attempt>,
        /// What is wrong.
        problem: String,
    },
    /// What was downloaded, or is to be uploaded, is something else than its name says.
    #[error("failed to {attempt}: digest mismatch: expected {expected}, got {actual}")]
    DigestMismatch {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The digest asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// What was downloaded, or is to be uploaded, has another size than its descriptor says.
    #[error("failed to {attempt}: size mismatch: expected {expected} bytes, got {actual}")]
    SizeMismatch {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The size of the descriptor.
        expected: u64,
        /// The size met; with a download that is too long, a lower bound.
        actual: u64,
    },
    /// A manifest, or an answer about tokens, is larger than any real one.
    #[error("failed to {attempt}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The limit in bytes.
        limit: usize,
    },
    /// The file of a blob could not be read.
    #[error("failed to {attempt}: cannot read {}", path.display())]
    ReadFile {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl RegistryError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TooManyRequests { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 500 | 502 | 503 | 504),
            Self::Transport { source, .. } => was_cut(source),
            _ => false,
        }
    }

    /// How long the registry asked to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Whether a connection was cut or fell silent, in contrast to one that was never to be: a host
/// that does not exist, a port that nobody listens on, a certificate that is not trusted.
fn was_cut(error: &reqwest::Error) -> bool {
    if error.is_timeout() {
        return true;
    }
    if error.is_builder() || error.is_redirect() {
        return false;
    }
    if !error.is_connect() {
        return true;
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
            let kind = cause.kind();
            if matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof) {
                return true;
            }
        }
        source = cause.source();
    }
    false
}
