//! [`Client`]: manifests, and what exists.

use std::sync::Arc;

use image::{Descriptor, Digest, MediaType, Reference, Repository};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response};
use serde::Deserialize;

use crate::authorization::{Authorizer, Scopes};
use crate::blob::{self, BlobStream};
use crate::credentials::Credentials;
use crate::error::{Action, Attempt, RegistryError};
use crate::retry::RetryPolicy;
use crate::transport::{Call, Connections, Payload, Transport, address, read_limited};

/// The largest manifest that is read, in bytes; registries refuse larger ones too (distribution
/// spec, "Pushing Manifests").
const MAX_MANIFEST: usize = 4 << 20;
/// Where a registry names the digest of what it answers with.
const DOCKER_CONTENT_DIGEST: &str = "docker-content-digest";
/// Every kind of manifest that may be answered with.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1";

/// What a [`Client`] is made of.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where user names and passwords come from.
    pub credentials: Arc<dyn Credentials>,
    /// How the program names itself to registries: `builder/1.0`.
    pub user_agent: String,
    /// What is repeated, and when.
    pub retries: RetryPolicy,
}

/// Speaks to any number of registries. Clones share connections and tokens.
///
/// Registries are spoken to by https; those of this machine ([`Repository::is_loopback`]) by http.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) transport: Arc<Transport>,
}

/// A manifest or an index, as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its type, digest and size.
    pub descriptor: Descriptor,
    /// Its bytes, which have this digest.
    pub bytes: Vec<u8>,
}

impl Client {
    /// A client. Speaks to nobody yet.
    pub fn new(config: ClientConfig) -> Self {
        let connections = Connections::new(config.user_agent);
        let authorizer = Authorizer::new(config.credentials);
        Self { transport: Arc::new(Transport::new(connections, authorizer, config.retries)) }
    }

    /// What the reference means now: the descriptor of its manifest or index.
    ///
    /// A reference without tag and digest means `latest`. Nothing is downloaded if the registry
    /// answers `HEAD` in full.
    pub async fn resolve(&self, reference: &Reference) -> Result<Descriptor, RegistryError> {
        let name = manifest_name(reference);
        let attempt = Attempt::new(Action::Resolve(name.clone()), reference.repository());
        match self.manifest_request(&attempt, Method::HEAD, &name).await {
            Ok(response) => {
                if let Some(descriptor) = described(response.headers()) {
                    check_digest(&attempt, reference.digest(), descriptor.digest)?;
                    return Ok(descriptor);
                }
            }
            Err(RegistryError::Status { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(self.manifest(reference).await?.descriptor)
    }

    /// Downloads the manifest or index that the reference means.
    ///
    /// Its digest is checked against that of the reference, and against the one that the registry
    /// names. At most 4 MiB are read.
    pub async fn manifest(&self, reference: &Reference) -> Result<Fetched, RegistryError> {
        let name = manifest_name(reference);
        let attempt = Attempt::new(Action::PullManifest(name.clone()), reference.repository());
        let mut backoff = self.transport.backoff();
        let (headers, bytes) = loop {
            let response = self.manifest_request(&attempt, Method::GET, &name).await?;
            let headers = response.headers().clone();
            match read_limited(&attempt, response, MAX_MANIFEST).await {
                Ok(bytes) => break (headers, bytes),
                Err(failure) => backoff.pause(failure).await?,
            }
        };
        let digest = Digest::of(&bytes);
        check_digest(&attempt, reference.digest(), digest)?;
        check_digest(&attempt, content_digest(&headers), digest)?;
        let media_type = media_type(&attempt, &headers, &bytes)?;
        Ok(Fetched { descriptor: Descriptor::new(media_type, digest, bytes.len() as u64), bytes })
    }

    /// Downloads a blob. The call returns when the download begins; see [`BlobStream`].
    pub async fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
    ) -> Result<BlobStream, RegistryError> {
        blob::open(Arc::clone(&self.transport), repository, descriptor).await
    }

    /// Whether the repository has the blob.
    pub async fn blob_exists(&self, repository: &Repository, digest: Digest) -> Result<bool, RegistryError> {
        let attempt = Attempt::new(Action::CheckBlob(digest), repository);
        let scopes = Scopes::pull(repository);
        let url = address(&attempt, &format!("blobs/{digest}"))?;
        match self.transport.send(&Call::new(&attempt, &scopes, Method::HEAD, url), &Payload::Empty).await {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn manifest_request(
        &self,
        attempt: &Attempt,
        method: Method,
        name: &str,
    ) -> Result<Response, RegistryError> {
        let scopes = Scopes::pull(&attempt.repository);
        let mut call = Call::new(attempt, &scopes, method, address(attempt, &format!("manifests/{name}"))?);
        call.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        self.transport.send(&call, &Payload::Empty).await
    }
}

/// How a manifest is asked for: by its digest if that is known, else by its tag.
fn manifest_name(reference: &Reference) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.unwrap_or("latest").to_owned(),
    }
}

pub(crate) fn check_digest(
    attempt: &Attempt,
    expected: Option<Digest>,
    actual: Digest,
) -> Result<(), RegistryError> {
    match expected {
        Some(expected) if expected != actual => {
            Err(RegistryError::DigestMismatch { attempt: Box::new(attempt.clone()), expected, actual })
        }
        _ => Ok(()),
    }
}

/// The digest that the registry names, if it is one that we can check.
pub(crate) fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(DOCKER_CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

/// The media type without its parameters; none if it says nothing of manifests.
fn content_type(headers: &HeaderMap) -> Option<MediaType> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let text = text.split(';').next().unwrap_or_default().trim();
    let generic = ["application/json", "application/octet-stream", "text/plain", ""];
    (!generic.contains(&text)).then(|| MediaType::from(text.to_owned()))
}

/// The descriptor that the answer to a `HEAD` request amounts to, if it is complete.
fn described(headers: &HeaderMap) -> Option<Descriptor> {
    let size = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok().filter(|size| *size > 0)?;
    Some(Descriptor::new(content_type(headers)?, content_digest(headers)?, size))
}

/// What is in every manifest or tells its kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    media_type: Option<MediaType>,
    manifests: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
}

/// The media type of a manifest: from the header, which its own field must not contradict, or a
/// manifest of one kind could pass for another (OCI image spec, "Media Type Conflicts").
fn media_type(attempt: &Attempt, headers: &HeaderMap, bytes: &[u8]) -> Result<MediaType, RegistryError> {
    let shape: Shape =
        serde_json::from_slice(bytes).map_err(|error| attempt.malformed(format!("no manifest: {error}")))?;
    match (content_type(headers), shape.media_type) {
        (Some(header), Some(field)) if header != field => {
            Err(attempt.malformed(format!("the header says {header}, the manifest {field}")))
        }
        (_, Some(named)) | (Some(named), None) => Ok(named),
        (None, None) => match (shape.manifests, shape.layers) {
            (Some(_), None) => Ok(MediaType::OciIndex),
            (None, Some(_)) => Ok(MediaType::OciManifest),
            _ => Err(attempt.malformed("neither a manifest nor an index".to_owned())),
        },
    }
}
