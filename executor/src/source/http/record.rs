//! What servers said, kept for the next build.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use graph::name::HttpPin;
use image::Digest;
use serde::{Deserialize, Serialize};
use store::Store;

use super::headers;
use crate::blocking::blocking;
use crate::source::error::SourceError;

/// One answer of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Response {
    pub(crate) url: String,
    /// The `ETag` header.
    pub(crate) etag: Option<String>,
    /// The `Last-Modified` header.
    pub(crate) last_modified: Option<String>,
    /// The name of `Content-Disposition`.
    pub(crate) file_name: Option<String>,
    /// The digest of the body.
    pub(crate) content: Digest,
}

impl Response {
    pub(crate) fn pin(&self) -> HttpPin {
        HttpPin {
            content: self.content,
            file_name: self.file_name.clone(),
            last_modified: self.last_modified.as_deref().and_then(headers::unix_seconds),
        }
    }
}

/// What is known of a URL. Nothing if the content is gone, or the record is of another version.
pub(crate) async fn read(store: &Store, url: &str) -> Result<Option<Response>, SourceError> {
    let (store, url) = (store.clone(), url.to_owned());
    blocking(move || {
        let path = path(&store, &url);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SourceError::Record { attempt: "read", path, source }),
        };
        let response: Option<Response> = serde_json::from_slice(&bytes).ok();
        Ok(response.filter(|response| response.url == url && store.blobs().contains(&response.content)))
    })
    .await
}

/// Remembers an answer.
pub(crate) async fn write(store: &Store, response: &Response) -> Result<(), SourceError> {
    let (store, response) = (store.clone(), response.clone());
    blocking(move || {
        let path = path(&store, &response.url);
        write_file(&path, &response).map_err(|source| SourceError::Record { attempt: "write", path, source })
    })
    .await
}

fn write_file(path: &Path, response: &Response) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&serde_json::to_vec(response)?)?;
    file.persist(path)?;
    Ok(())
}

fn path(store: &Store, url: &str) -> PathBuf {
    store.root().join("http").join(Digest::of(url.as_bytes()).hex())
}
