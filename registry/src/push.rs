//! Uploads: blobs, manifests, and mounts across repositories.
//!
//! A blob is uploaded in two requests: `POST` opens an upload and names its address, `PUT` sends
//! everything (distribution spec, "POST then PUT"). An upload that breaks off is not resumed but
//! made again: how much a registry keeps of a broken one differs too much between them. What it
//! left behind there, the registry removes in its own time.

use std::path::Path;

use image::{Descriptor, Digest, MediaType, Reference, Repository};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::sync::watch;

use crate::authorization::Scopes;
use crate::client::{Client, check_digest, content_digest};
use crate::error::{Action, Attempt, RegistryError};
use crate::transport::{Call, Payload, address};

impl Client {
    /// Makes a blob of another repository of the same registry one of this repository, without
    /// moving a byte. False if the registry does not: it does not know how to, or not of the blob,
    /// or does not let us read the other repository. The blob is to be uploaded then.
    pub async fn mount_blob(
        &self,
        repository: &Repository,
        from: &Repository,
        digest: Digest,
    ) -> Result<bool, RegistryError> {
        if repository.registry() != from.registry() {
            return Ok(false);
        }
        let action = Action::MountBlob { digest, from: from.path().to_owned() };
        let attempt = Attempt::new(action, repository);
        let scopes = Scopes::push(repository).and(Scopes::pull(from));
        let mut url = address(&attempt, "blobs/uploads/")?;
        url.query_pairs_mut().append_pair("mount", &digest.to_string()).append_pair("from", from.path());
        let mut call = Call::new(&attempt, &scopes, Method::POST, url);
        call.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        match self.transport.send(&call, &Payload::Empty).await {
            Ok(response) => Ok(response.status() == StatusCode::CREATED),
            Err(
                RegistryError::Unauthorized { .. }
                | RegistryError::Denied { .. }
                | RegistryError::NotFound { .. }
                | RegistryError::Status { status: 400..=499, .. },
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Uploads the file as a blob.
    ///
    /// The file is read while it is sent, and never as a whole in memory. `progress` is told how
    /// many bytes were handed to the connection so far; the count starts again with every attempt, and
    /// is the whole size when the call succeeds.
    /// The registry checks the digest.
    pub async fn push_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        source: &Path,
        progress: impl Fn(u64) + Send + Sync,
    ) -> Result<(), RegistryError> {
        let upload = Upload {
            client: self,
            attempt: Attempt::new(Action::PushBlob(descriptor.digest), repository),
            scopes: Scopes::push(repository),
            descriptor,
            source,
        };
        let mut backoff = self.transport.backoff();
        loop {
            match upload.run(&progress).await {
                Ok(()) => break,
                Err(failure) => backoff.pause(failure).await?,
            }
        }
        progress(descriptor.size);
        Ok(())
    }

    /// Uploads a manifest or an index, to the reference's tag, or to its digest if it has no tag.
    ///
    /// Everything that it refers to must be there already, or the registry refuses it.
    pub async fn push_manifest(
        &self,
        reference: &Reference,
        media_type: &MediaType,
        bytes: Vec<u8>,
    ) -> Result<(), RegistryError> {
        let digest = Digest::of(&bytes);
        let name = match (reference.tag(), reference.digest()) {
            (Some(tag), _) => tag.to_owned(),
            (None, Some(digest)) => digest.to_string(),
            (None, None) => "latest".to_owned(),
        };
        let attempt = Attempt::new(Action::PushManifest(name.clone()), reference.repository());
        check_digest(&attempt, reference.digest(), digest)?;
        let scopes = Scopes::push(reference.repository());
        let url = address(&attempt, &format!("manifests/{name}"))?;
        let mut call = Call::new(&attempt, &scopes, Method::PUT, url);
        let content_type = HeaderValue::try_from(media_type.as_str())
            .map_err(|_| attempt.malformed(format!("{media_type:?} is no media type")))?;
        call.headers.insert(CONTENT_TYPE, content_type);
        let response = self.transport.send(&call, &Payload::Bytes(bytes.into())).await?;
        check_digest(&attempt, Some(digest), content_digest(response.headers()).unwrap_or(digest))
    }
}

/// One blob on its way up.
struct Upload<'a> {
    client: &'a Client,
    attempt: Attempt,
    scopes: Scopes,
    descriptor: &'a Descriptor,
    source: &'a Path,
}

impl Upload<'_> {
    async fn run(&self, progress: &(impl Fn(u64) + Send + Sync)) -> Result<(), RegistryError> {
        let url = self.begin().await?;
        let (sent, mut watched) = watch::channel(0);
        let put = self.put(url, sent);
        tokio::pin!(put);
        loop {
            tokio::select! {
                biased;
                Ok(()) = watched.changed() => progress(*watched.borrow_and_update()),
                result = &mut put => return result,
            }
        }
    }

    /// Opens the upload; gives the address to send the blob to.
    async fn begin(&self) -> Result<Url, RegistryError> {
        let url = address(&self.attempt, "blobs/uploads/")?;
        let mut call = Call::new(&self.attempt, &self.scopes, Method::POST, url.clone());
        call.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        let response = self.client.transport.send_once(&call, &Payload::Empty).await?;
        let mut target = self.location(&url, &response)?;
        target.query_pairs_mut().append_pair("digest", &self.descriptor.digest.to_string());
        Ok(target)
    }

    /// Where the answer says that the blob goes: an address, or one relative to the request's.
    fn location(&self, base: &Url, response: &Response) -> Result<Url, RegistryError> {
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let mut url = location.and_then(|location| base.join(location).ok());
        if let Some(url) = &mut url
            && base.scheme() == "https"
            && url.host() == base.host()
        {
            // Registries behind a proxy that speaks https for them do not know that it does.
            let _ = url.set_scheme("https");
        }
        url.filter(|url| url.scheme() == base.scheme() || url.scheme() == "https")
            .ok_or_else(|| self.attempt.malformed(format!("{location:?} is no address to upload to")))
    }

    async fn put(&self, url: Url, sent: watch::Sender<u64>) -> Result<(), RegistryError> {
        let mut call = Call::new(&self.attempt, &self.scopes, Method::PUT, url);
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.headers.insert(CONTENT_LENGTH, HeaderValue::from(self.descriptor.size));
        let payload = Payload::File { path: self.source, size: self.descriptor.size, sent };
        self.client.transport.send_once(&call, &payload).await.map(|_| ())
    }
}
