//! Downloads: `ADD https://…`.
//!
//! ```text
//! ROOT/blobs/…                  the content
//! ROOT/http/<sha256 of URL>     what the server said of it: a `Response` as JSON, replaced by renaming
//! ```
//!
//! Pinning needs the content's digest, so it downloads; unless the server says that what it gave last time is still
//! good, or the Dockerfile names the digest of what is here. A record whose blob is gone means nothing. Two
//! builds may write one record at once: each is whole, the later one stays.

mod headers;
mod record;

use std::io::Write as _;
use std::time::Duration;

use futures_util::TryStreamExt;
use graph::name::{HttpName, HttpPin, redacted};
use graph::source::HttpSource;
use image::Digest;
use reqwest::header::{AUTHORIZATION, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{RequestBuilder, StatusCode};
use store::{Attributes, Snapshot, Store, StoreError, Timestamp, TreePath};

use self::record::Response;
use crate::blocking::blocking;
use crate::session::Session;
use crate::source::error::SourceError;

/// How many bytes of a download are collected before they are written.
const CHUNK: usize = 1 << 20;

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// What speaks to servers. It honours the proxy variables of the environment.
pub(crate) fn client() -> Result<reqwest::Client, SourceError> {
    let builder = || {
        reqwest::Client::builder()
            .user_agent(concat!("builder/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(SILENCE)
            .read_timeout(SILENCE)
    };
    registry::http_client(builder).map_err(SourceError::HttpClient)
}

/// Resolves a URL to the content that it has now, which is in the blob store afterwards.
pub(crate) async fn pin(session: &Session, name: &HttpName) -> Result<HttpPin, SourceError> {
    let store = session.executor.store();
    let known = record::read(store, &name.url).await?;
    if let (Some(checksum), Some(known)) = (name.checksum, &known)
        && known.content == checksum
    {
        return Ok(known.pin());
    }
    let url = &name.url;
    let request = revalidate(session.executor.http()?.get(url), known.as_ref());
    let request = authorize(session, url, request).await?;
    let shown = redacted(url);
    let failed =
        |source: reqwest::Error| SourceError::Http { url: shown.to_string(), source: source.without_url() };
    let response = request.send().await.map_err(failed)?;
    let current = match (response.status(), known) {
        (StatusCode::NOT_MODIFIED, Some(known)) => known,
        (status, _) if status.is_success() => {
            let headers = response.headers().clone();
            let content = download(store, response.bytes_stream().map_err(failed), name.checksum).await?;
            let response = answer(url, &headers, content);
            record::write(store, &response).await?;
            response
        }
        (status, _) => {
            return Err(SourceError::HttpStatus { url: shown.into_owned(), status: status.as_u16() });
        }
    };
    match name.checksum {
        Some(expected) if expected != current.content => {
            Err(StoreError::DigestMismatch { expected, found: current.content }.into())
        }
        _ => Ok(current.pin()),
    }
}

/// Shows the server what the build was given for it: the secrets `HTTP_AUTH_HEADER_<host>` and
/// `HTTP_AUTH_TOKEN_<host>`, as in BuildKit. A redirect to another host does not get it.
async fn authorize(
    session: &Session,
    url: &str,
    request: RequestBuilder,
) -> Result<RequestBuilder, SourceError> {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let Some(host) = host else { return Ok(request) };
    let token = format!("HTTP_AUTH_TOKEN_{host}");
    let secret = session.first_secret([format!("HTTP_AUTH_HEADER_{host}"), token.clone()]).await?;
    let Some((id, value)) = secret else { return Ok(request) };
    Ok(if id == token { request.bearer_auth(value) } else { request.header(AUTHORIZATION, value) })
}

/// Asks only for what is newer than what is known.
fn revalidate(request: RequestBuilder, known: Option<&Response>) -> RequestBuilder {
    let Some(known) = known else { return request };
    match (&known.etag, &known.last_modified) {
        (Some(etag), _) => request.header(IF_NONE_MATCH, etag),
        (None, Some(time)) => request.header(IF_MODIFIED_SINCE, time),
        (None, None) => request,
    }
}

fn answer(url: &str, headers: &HeaderMap, content: Digest) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Response {
        url: url.to_owned(),
        etag: text(ETAG),
        last_modified: text(LAST_MODIFIED),
        file_name: text(reqwest::header::CONTENT_DISPOSITION).and_then(|value| headers::file_name(&value)),
        content,
    }
}

/// Writes a body into the blob store.
async fn download(
    store: &Store,
    mut body: impl TryStreamExt<Ok = bytes::Bytes, Error = SourceError> + Unpin,
    expected: Option<Digest>,
) -> Result<Digest, SourceError> {
    let mut writer = {
        let store = store.clone();
        blocking(move || store.blobs().writer()).await?
    };
    let mut is_complete = false;
    while !is_complete {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK {
            let Some(bytes) = body.try_next().await? else {
                is_complete = true;
                break;
            };
            chunk.extend_from_slice(&bytes);
        }
        writer = blocking(move || writer.write_all(&chunk).map(|()| writer))
            .await
            .map_err(SourceError::WriteBlob)?;
    }
    Ok(blocking(move || writer.commit(expected)).await?.0)
}

/// A tree with the downloaded file in it: root's, mode 0600, as old as the server says.
pub(crate) async fn fetch(session: &Session, source: &HttpSource) -> Result<Snapshot, SourceError> {
    let (store, source) = (session.executor.store().clone(), source.clone());
    blocking(move || {
        let mtime = Timestamp::from_seconds(source.last_modified.unwrap_or(0));
        let draft = store.draft(&store.scratch())?;
        let mut editor = draft.editor();
        let path = TreePath::root().join(source.file_name.as_ref());
        let attributes = Attributes { mode: 0o600, uid: 0, gid: 0, mtime };
        editor.write_file(&path, store.blobs().open(&source.content)?, &attributes)?;
        editor.finish()?;
        Ok(draft.commit()?)
    })
    .await
}
