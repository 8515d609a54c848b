//! The distribution protocol, server side.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode, header, response};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use image::{Digest, MediaType};
use serde_json::json;

use super::access::{decode, refusal, token};
use super::{Contents, Fault, Request, Shared};

/// What a path below `/v2/` is about.
enum Object<'a> {
    Manifest(&'a str),
    Blob(&'a str),
    Uploads,
    Upload(&'a str),
}

/// Takes a path apart: `<repository>/blobs/<digest>`. A repository's name may have slashes.
fn parse(path: &str) -> Option<(&str, Object<'_>)> {
    let path = path.strip_prefix("/v2/")?;
    if let Some((repository, upload)) = path.rsplit_once("/blobs/uploads/") {
        return Some((repository, if upload.is_empty() { Object::Uploads } else { Object::Upload(upload) }));
    }
    let blob = path.rsplit_once("/blobs/").map(|(repository, name)| (repository, Object::Blob(name)));
    blob.or_else(|| {
        path.rsplit_once("/manifests/").map(|(repository, name)| (repository, Object::Manifest(name)))
    })
}

/// Answers a request.
pub(super) async fn handle(
    State(shared): State<Arc<Shared>>,
    request: axum::http::Request<Body>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let seen = Request {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        range: text(header::RANGE),
        authorization: text(header::AUTHORIZATION),
    };
    let fault = shared.contents().receive(seen);
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return failure(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID");
    };
    match fault {
        Some(Fault::Status(status, headers)) => {
            let mut response = failure(StatusCode::from_u16(status).expect("a status"), "FAULT");
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().expect("a header value"));
            }
            response
        }
        Some(Fault::Cut(after)) => cut(answer(&shared, &head, &body, true), after).await,
        Some(Fault::Corrupt) => corrupt(answer(&shared, &head, &body, true)).await,
        Some(Fault::NoRanges) => answer(&shared, &head, &body, false),
        None => answer(&shared, &head, &body, true),
    }
}

fn answer(shared: &Shared, head: &Parts, body: &Bytes, ranges: bool) -> Response<Body> {
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let reads = head.method == Method::GET || head.method == Method::HEAD;
    if path == "/token" {
        let post = head.method == Method::POST;
        let form = if post { String::from_utf8_lossy(body).into_owned() } else { query.to_owned() };
        return token(shared, post, &head.headers, &form);
    }
    if path == "/v2/" {
        return refusal(shared, &head.headers, "").unwrap_or_default();
    }
    let Some((repository, object)) = parse(path) else {
        return failure(StatusCode::NOT_FOUND, "NAME_UNKNOWN");
    };
    let scope = format!("repository:{repository}:{}", if reads { "pull" } else { "pull,push" });
    if let Some(refusal) = refusal(shared, &head.headers, &scope) {
        return refusal;
    }
    let mut contents = shared.contents();
    match (head.method.as_str(), object) {
        ("GET" | "HEAD", Object::Manifest(name)) => match contents.manifest(repository, name) {
            Some((digest, (media_type, bytes))) => content(head, digest, media_type.as_str(), bytes),
            None => failure(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
        },
        ("PUT", Object::Manifest(name)) => {
            let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            contents.store_manifest(repository, name, media_type.unwrap_or_default(), body)
        }
        ("GET" | "HEAD", Object::Blob(name)) => {
            let digest = name.parse::<Digest>().ok();
            let blob =
                digest.and_then(|digest| contents.blobs.get(&(repository.to_owned(), digest)).cloned());
            match (digest, blob) {
                (Some(digest), Some(bytes)) if ranges => blob_part(head, digest, bytes),
                (Some(digest), Some(bytes)) => content(head, digest, "application/octet-stream", bytes),
                _ => failure(StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            }
        }
        ("POST", Object::Uploads) => {
            let from = parameter(query, "from").unwrap_or_default();
            let readable = refusal(shared, &head.headers, &format!("repository:{from}:pull")).is_none();
            contents.begin(repository, query, readable)
        }
        ("PUT", Object::Upload(id)) => contents.finish(repository, id, query, body),
        _ => failure(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
    }
}

impl Contents {
    fn store_manifest(
        &mut self,
        repository: &str,
        name: &str,
        media_type: &str,
        body: &Bytes,
    ) -> Response<Body> {
        let digest = Digest::of(body);
        match name.parse::<Digest>() {
            Ok(named) if named != digest => return failure(StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Ok(_) => {}
            Err(_) => {
                self.tags.insert((repository.to_owned(), name.to_owned()), digest);
            }
        }
        let manifest = (MediaType::from(media_type.to_owned()), body.clone());
        self.manifests.insert((repository.to_owned(), digest), manifest);
        created(digest, &format!("/v2/{repository}/manifests/{digest}"))
    }

    /// Opens an upload, or mounts a blob instead.
    fn begin(&mut self, repository: &str, query: &str, readable: bool) -> Response<Body> {
        let digest = parameter(query, "mount").and_then(|digest| digest.parse::<Digest>().ok());
        if let (Some(digest), Some(from), true) = (digest, parameter(query, "from"), readable)
            && let Some(blob) = self.blobs.get(&(from, digest)).cloned()
        {
            self.blobs.insert((repository.to_owned(), digest), blob);
            return created(digest, &format!("/v2/{repository}/blobs/{digest}"));
        }
        let id = self.next_upload;
        self.next_upload += 1;
        self.uploads.insert(id);
        upload(repository, id)
    }

    fn finish(&mut self, repository: &str, id: &str, query: &str, body: &Bytes) -> Response<Body> {
        if !id.parse().is_ok_and(|id: u64| self.uploads.remove(&id)) {
            return failure(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN");
        }
        let digest = Digest::of(body);
        if parameter(query, "digest") != Some(digest.to_string()) {
            return failure(StatusCode::BAD_REQUEST, "DIGEST_INVALID");
        }
        self.blobs.insert((repository.to_owned(), digest), body.clone());
        created(digest, &format!("/v2/{repository}/blobs/{digest}"))
    }
}

/// A parameter of a query, without its encoding.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| decode(value)).next()
}

fn failure(status: StatusCode, code: &str) -> Response<Body> {
    let body = json!({"errors": [{"code": code, "message": "said the registry of the test"}]});
    build(
        Response::builder().status(status).header(header::CONTENT_TYPE, "application/json"),
        body.to_string(),
    )
}

fn created(digest: Digest, location: &str) -> Response<Body> {
    let response = Response::builder().status(StatusCode::CREATED).header(header::LOCATION, location);
    build(response.header("docker-content-digest", digest.to_string()), "")
}

/// An upload that waits for its blob. Its address has a query already, and no host.
fn upload(repository: &str, id: u64) -> Response<Body> {
    let response = Response::builder()
        .status(StatusCode::ACCEPTED)
        .header(header::LOCATION, format!("/v2/{repository}/blobs/uploads/{id}?state=a%2Fb"))
        .header(header::RANGE, "0-0");
    build(response, "")
}

/// A manifest or a blob, or its headers only.
fn content(head: &Parts, digest: Digest, media_type: &str, bytes: Bytes) -> Response<Body> {
    let response = Response::builder()
        .header(header::CONTENT_TYPE, media_type)
        .header(header::CONTENT_LENGTH, bytes.len())
        .header("docker-content-digest", digest.to_string());
    build(response, if head.method == Method::HEAD { Bytes::new() } else { bytes })
}

/// A blob, or the part of it that `Range` asks for: `bytes=5-`, `bytes=5-9`.
fn blob_part(head: &Parts, digest: Digest, bytes: Bytes) -> Response<Body> {
    let range = head.headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let Some((start, end)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return content(head, digest, "application/octet-stream", bytes);
    };
    let start = start.parse().unwrap_or(0);
    let end = end.parse().map_or(bytes.len(), |last: usize| last.saturating_add(1)).min(bytes.len());
    if start >= end {
        return failure(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID");
    }
    let range = format!("bytes {start}-{}/{}", end - 1, bytes.len());
    let mut response = content(head, digest, "application/octet-stream", bytes.slice(start..end));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response.headers_mut().insert(header::CONTENT_RANGE, range.parse().expect("a header value"));
    response
}

fn build(response: response::Builder, body: impl Into<Body>) -> Response<Body> {
    response.body(body.into()).expect("a response")
}

/// The answer, with a body that ends in an error: the server closes the connection then.
async fn cut(response: Response<Body>, after: usize) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    head.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    let part = bytes.slice(..after.min(bytes.len()));
    let end = async {
        // The server sends what it has when a body is not ready, but not when it fails.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut by the test"))
    };
    let parts = stream::iter([Ok(part)]).chain(stream::once(end));
    Response::from_parts(head, Body::from_stream(parts))
}

async fn corrupt(response: Response<Body>) -> Response<Body> {
    let (head, body) = response.into_parts();
    let mut bytes = to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    Response::from_parts(head, bytes.into())
}
