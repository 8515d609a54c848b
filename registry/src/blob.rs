//! [`BlobStream`]: a download that survives cut connections.
//!
//! A download that breaks off goes on where it was (RFC 9110, section 14). A registry that does not
//! know ranges sends the blob from its start, of which the known part is dropped. What was gained
//! counts: as long as bytes arrive, the download is not given up.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use image::{Descriptor, Digest, Digester, Repository};
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode};

use crate::authorization::Scopes;
use crate::error::{Action, Attempt, RegistryError};
use crate::retry::Backoff;
use crate::transport::{Call, Payload, Transport, address, next_part};

/// The bytes of a blob.
///
/// Size and digest are checked at the end: what was received before is to be believed only when
/// the stream ends without an error. The stream ends after its first error.
pub type BlobStream = BoxStream<'static, Result<Bytes, RegistryError>>;

/// Begins a download.
pub(crate) async fn open(
    transport: Arc<Transport>,
    repository: &Repository,
    descriptor: &Descriptor,
) -> Result<BlobStream, RegistryError> {
    let mut download = Download {
        attempt: Attempt::new(Action::PullBlob(descriptor.digest), repository),
        digest: descriptor.digest,
        size: descriptor.size,
        received: 0,
        digester: Digester::new(),
        backoff: transport.backoff(),
        connection: None,
        transport,
    };
    download.connection = Some(download.connect().await?);
    Ok(stream::try_unfold(download, Download::next).boxed())
}

/// An answer, and how much of it is known already.
struct Connection {
    response: Response,
    skip: u64,
}

struct Download {
    transport: Arc<Transport>,
    attempt: Attempt,
    digest: Digest,
    size: u64,
    received: u64,
    digester: Digester,
    backoff: Backoff,
    connection: Option<Connection>,
}

impl Download {
    /// The next bytes and the rest of the download; none at the verified end.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, RegistryError> {
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match next_part(&self.attempt, &mut connection.response).await {
                Ok(Some(mut part)) => {
                    let known = connection.skip.min(part.len() as u64);
                    connection.skip -= known;
                    part.advance(usize::try_from(known).expect("no more than the part has"));
                    self.connection = Some(connection);
                    if !part.is_empty() {
                        self.take(&part)?;
                        return Ok(Some((part, self)));
                    }
                }
                Ok(None) => return self.finish().map(|()| None),
                // Nothing is left to ask for: the end alone was lost.
                Err(_) if self.received == self.size => return self.finish().map(|()| None),
                Err(failure) => self.backoff.pause(failure).await?,
            }
        }
    }

    async fn connect(&self) -> Result<Connection, RegistryError> {
        let scopes = Scopes::pull(&self.attempt.repository);
        let url = address(&self.attempt, &format!("blobs/{}", self.digest))?;
        let mut call = Call::new(&self.attempt, &scopes, Method::GET, url);
        if self.received > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", self.received));
            call.headers.insert(RANGE, range.expect("digits are a header value"));
        }
        let response = self.transport.send(&call, &Payload::Empty).await?;
        let start = if response.status() == StatusCode::PARTIAL_CONTENT {
            range_start(response.headers()).filter(|start| *start <= self.received).ok_or_else(|| {
                self.attempt.malformed(format!("another range than the one from byte {}", self.received))
            })?
        } else {
            0
        };
        Ok(Connection { response, skip: self.received - start })
    }

    fn take(&mut self, part: &Bytes) -> Result<(), RegistryError> {
        self.received += part.len() as u64;
        if self.received > self.size {
            return Err(self.size_mismatch());
        }
        self.digester.update(part);
        self.backoff.reset();
        Ok(())
    }

    fn finish(self) -> Result<(), RegistryError> {
        if self.received != self.size {
            return Err(self.size_mismatch());
        }
        crate::client::check_digest(&self.attempt, Some(self.digest), self.digester.finish())
    }

    fn size_mismatch(&self) -> RegistryError {
        RegistryError::SizeMismatch {
            attempt: Box::new(self.attempt.clone()),
            expected: self.size,
            actual: self.received,
        }
    }
}

/// The first byte of a partial answer: `bytes 5-9/10`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes")?;
    range.trim_start().split('-').next()?.parse().ok()
}
