//! Uploads: blobs, manifests, and mounts across repositories.
//!
//! A blob is uploaded in one request whose body is read from a file as it is sent (distribution spec,
//! "Pushing a blob monolithically"). An upload that fails on the way is begun anew: registries forget
//! unfinished ones by themselves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, TryStreamExt};
use image::{Descriptor, Digest, MediaType, Reference, Repository};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Body, Method, Response, StatusCode, Url};
use tokio_util::io::ReaderStream;

use crate::authorization::Scopes;
use crate::client::Client;
use crate::error::{Action, Attempt, RegistryError};
use crate::transport::{Call, address};

/// How much of a file is read at once.
const PART: usize = 256 << 10;

impl Client {
    /// Takes a blob from another repository of the same registry; false if the registry does not.
    pub async fn mount_blob(
        &self,
        repository: &Repository,
        from: &Repository,
        digest: Digest,
    ) -> Result<bool, RegistryError> {
        let attempt = Attempt::new(Action::MountBlob { digest, from: from.path().to_owned() }, repository);
        let scopes = Scopes::push(repository).and(Scopes::pull(from));
        let mut url = address(&attempt, "blobs/uploads/")?;
        url.query_pairs_mut().append_pair("mount", &digest.to_string()).append_pair("from", from.path());
        match self.transport().send(&empty(&attempt, &scopes, Method::POST, url)).await {
            Ok(response) => Ok(response.status() == StatusCode::CREATED),
            // Some registries refuse what they do not know; then the blob is uploaded.
            Err(
                RegistryError::Denied { .. } | RegistryError::NotFound { .. } | RegistryError::Status { .. },
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Uploads a blob from a file. `progress` is told how many bytes were sent, from the begin again if
    /// the upload has to be repeated.
    pub async fn push_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        source: &Path,
        progress: impl Fn(u64) + Send + Sync,
    ) -> Result<(), RegistryError> {
        let attempt = Attempt::new(Action::PushBlob(descriptor.digest), repository);
        let sent = Arc::new(AtomicU64::new(0));
        let mut backoff = self.transport().backoff();
        loop {
            sent.store(0, Ordering::Relaxed);
            let upload = self.upload(&attempt, descriptor, source, &sent);
            let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
            tokio::pin!(upload);
            let result = loop {
                tokio::select! {
                    result = &mut upload => break result,
                    _ = tick.tick() => progress(sent.load(Ordering::Relaxed)),
                }
            };
            match result {
                Ok(()) => {
                    progress(descriptor.size);
                    return Ok(());
                }
                Err(failure) => backoff.pause(failure).await?,
            }
        }
    }

    async fn upload(
        &self,
        attempt: &Attempt,
        descriptor: &Descriptor,
        source: &Path,
        sent: &Arc<AtomicU64>,
    ) -> Result<(), RegistryError> {
        let scopes = Scopes::push(&attempt.repository);
        let begin = address(attempt, "blobs/uploads/")?;
        let begun =
            self.transport().send_once(&empty(attempt, &scopes, Method::POST, begin), &mut || None).await?;
        let mut url = location(attempt, &begun)?;
        url.query_pairs_mut().append_pair("digest", &descriptor.digest.to_string());

        let failed = |error| RegistryError::ReadFile {
            attempt: Box::new(attempt.clone()),
            path: source.to_owned(),
            source: error,
        };
        let file = std::fs::File::open(source).map_err(failed)?;
        let mut call = Call::new(attempt, &scopes, Method::PUT, url);
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.headers.insert(CONTENT_LENGTH, HeaderValue::from(descriptor.size));
        let mut body = || {
            // A descriptor of its own for each try: the first may have been read in part.
            let file = tokio::fs::File::from_std(reopened(&file, source)?);
            let counter = Arc::clone(sent);
            let parts = ReaderStream::with_capacity(file, PART)
                .inspect_ok(move |part| {
                    counter.fetch_add(part.len() as u64, Ordering::Relaxed);
                })
                .boxed();
            Some(Body::wrap_stream(parts))
        };
        self.transport().send_once(&call, &mut body).await.map(drop)
    }

    /// Uploads a manifest or index, by its tag, or by its digest if the reference has one.
    pub async fn push_manifest(
        &self,
        reference: &Reference,
        media_type: &MediaType,
        bytes: Vec<u8>,
    ) -> Result<(), RegistryError> {
        let name = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or("latest").to_owned(),
        };
        let attempt = Attempt::new(Action::PushManifest(name.clone()), reference.repository());
        let scopes = Scopes::push(reference.repository());
        let url = address(&attempt, &format!("manifests/{name}"))?;
        let mut call = Call::new(&attempt, &scopes, Method::PUT, url);
        if let Ok(media_type) = HeaderValue::from_str(media_type.as_str()) {
            call.headers.insert(CONTENT_TYPE, media_type);
        }
        let mut backoff = self.transport().backoff();
        loop {
            match self.transport().send_once(&call, &mut || Some(Body::from(bytes.clone()))).await {
                Ok(_) => return Ok(()),
                Err(failure) => backoff.pause(failure).await?,
            }
        }
    }
}

/// A request without a body that says so: some registries insist on a length.
fn empty<'a>(attempt: &'a Attempt, scopes: &'a Scopes, method: Method, url: Url) -> Call<'a> {
    let mut call = Call::new(attempt, scopes, method, url);
    call.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    call
}

/// The same file from its begin; none if it is gone, which makes the upload fail by its length.
fn reopened(file: &std::fs::File, path: &Path) -> Option<std::fs::File> {
    std::fs::File::open(path).or_else(|_| file.try_clone()).ok()
}

/// Where an upload goes on: absolute, or relative to the registry.
fn location(attempt: &Attempt, response: &Response) -> Result<Url, RegistryError> {
    let malformed =
        |problem: String| RegistryError::Malformed { attempt: Box::new(attempt.clone()), problem };
    let header = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let text = header.ok_or_else(|| malformed("an upload without a location".to_owned()))?;
    response.url().join(text).map_err(|error| malformed(format!("location {text:?}: {error}")))
}
