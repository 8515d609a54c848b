//! What can go wrong with a source.

use std::io;
use std::path::PathBuf;

use graph::source::ContextName;
use image::{ChainId, Digest, ImagePath, Platform};
use registry::RegistryError;
use store::StoreError;

use crate::session::SecretError;
use crate::ssh::keys::KeyAgentError;

/// Why a source could not be pinned or fetched.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The OCI layout has no image of that tag or digest.
    #[error("{reference}: not found")]
    ImageNotFound {
        /// The image.
        reference: String,
    },
    /// A list of images has none for the platform.
    #[error("{image}: no match for platform {platform} in manifest: not found")]
    NoMatchingPlatform {
        /// The image.
        image: String,
        /// What was wanted.
        platform: Platform,
    },
    /// A manifest, index or config is not of its form.
    #[error("{image}: the {what} {digest} cannot be read")]
    Malformed {
        /// The image.
        image: String,
        /// `manifest`, `index` or `config`.
        what: &'static str,
        /// The digest of the bytes.
        digest: Digest,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest and the config count different layers.
    #[error("{image}: the manifest has {layers} layers, the config speaks of {diff_ids}")]
    LayerCount {
        /// The image.
        image: String,
        /// In the manifest.
        layers: usize,
        /// In the config.
        diff_ids: usize,
    },
    /// A config is larger than any config should be.
    #[error("{image}: the config {digest} has {size} bytes, which is too large")]
    TooLarge {
        /// The image.
        image: String,
        /// The config.
        digest: Digest,
        /// Its size.
        size: u64,
    },
    /// A file of a directory in the OCI image layout cannot be read.
    #[error("cannot read {}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A blob in such a directory has other content than its name says.
    #[error("{image}: the blob {digest} has the digest {found}")]
    BlobDamaged {
        /// The image.
        image: String,
        /// Its name.
        digest: Digest,
        /// Its content.
        found: Digest,
    },
    /// A download could not be written to the store.
    #[error("cannot write a download to the store")]
    WriteBlob(#[source] io::Error),
    /// The registry refused, or could not be reached.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The layers of a pinned image are in no place that this build knows.
    #[error("the layers {chain} are not in the store, and no image of this build has them")]
    NoOrigin {
        /// The chain id of the layers.
        chain: ChainId,
    },
    /// No context of that name was given.
    #[error("there is no build context {name}")]
    NoContext {
        /// The context.
        name: ContextName,
    },
    /// The HTTP client cannot be set up, for example because a proxy variable is malformed.
    #[error("cannot set up the HTTP client")]
    HttpClient(#[source] reqwest::Error),
    /// A server could not be reached, or the connection broke.
    #[error("failed to download {url}")]
    Http {
        /// The URL.
        url: String,
        /// What happened.
        #[source]
        source: reqwest::Error,
    },
    /// A server does not give the file.
    #[error("{url}: invalid response status {status}")]
    HttpStatus {
        /// The URL.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// What is remembered of a download could not be used.
    #[error("cannot {attempt} {}", path.display())]
    Record {
        /// The verb.
        attempt: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A secret that a server asks for could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The keys for an ssh agent cannot be served.
    #[error(transparent)]
    KeyAgent(#[from] KeyAgentError),
    /// An archive could not be looked through.
    #[error("cannot read archive {digest}")]
    Archive {
        /// Its blob.
        digest: Digest,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// The git program could not be started.
    #[error("cannot run git {command}")]
    GitNotRun {
        /// The command.
        command: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A git command failed.
    #[error("git {command} failed: {message}")]
    Git {
        /// The command.
        command: String,
        /// What it wrote.
        message: String,
    },
    /// A repository has no such branch or tag.
    #[error("repository {remote} does not contain ref {reference}")]
    ReferenceNotFound {
        /// The repository.
        remote: String,
        /// The branch, tag or full reference name.
        reference: String,
    },
    /// A reference does not lead to the commit that was asked for.
    #[error("expected checksum to match {expected}, got {}", found.join(" or "))]
    CommitMismatch {
        /// What the commit id was to begin with.
        expected: String,
        /// The commit, and the object of the tag that leads to it, if there is one.
        found: Vec<String>,
    },
    /// A repository did not tell when a commit was made.
    #[error("cannot tell the time of commit {commit}")]
    CommitTime {
        /// The commit.
        commit: String,
    },
    /// No repository of this build has the commit.
    #[error("no repository of this build has the commit {commit}")]
    NoRemote {
        /// The commit.
        commit: String,
    },
    /// A commit does not have the directory that was asked for.
    #[error("{path} is no directory of commit {commit}")]
    NoSubdirectory {
        /// The commit.
        commit: String,
        /// The directory.
        path: ImagePath,
    },
    /// There is no place for a checkout.
    #[error("cannot make a directory for a checkout in {}", path.display())]
    CheckoutDirectory {
        /// Where.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
