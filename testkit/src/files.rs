//! [`FileServer`]: the files of a directory by http, as `ADD URL`, contexts and git want them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use image::Digest;

use crate::server::Server;

/// Serves the files below a directory until it is dropped; with `ETag`s, and under `/private/` only to those who send a
/// header `Authorization`.
pub struct FileServer {
    address: String,
    shared: Arc<Shared>,
    _server: Server,
}

struct Shared {
    directory: PathBuf,
    log: Mutex<Vec<FileRequest>>,
}

/// A request that the server got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRequest {
    /// The path of the URL.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The status of the answer.
    pub status: u16,
}

impl std::fmt::Debug for FileServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FileServer {
    /// Starts to serve a directory.
    pub fn start(directory: &Path) -> Self {
        let listener = Server::listener();
        let address = listener.local_addr().expect("the address of the listener").to_string();
        let shared = Arc::new(Shared { directory: directory.to_owned(), log: Mutex::default() });
        let service = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        Self { address, shared, _server: Server::start(listener, service) }
    }

    /// The URL of a file.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// All requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<FileRequest> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let authorization = header(AUTHORIZATION);
    let response = if uri.path().starts_with("/private/") && authorization.is_none() {
        StatusCode::UNAUTHORIZED.into_response()
    } else {
        file(&shared.directory.join(uri.path().trim_start_matches('/')), header(IF_NONE_MATCH).as_deref())
    };
    let request =
        FileRequest { path: uri.path().to_owned(), authorization, status: response.status().as_u16() };
    shared.log.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    response
}

fn file(path: &Path, known: Option<&str>) -> Response {
    let Ok(content) = std::fs::read(path) else { return StatusCode::NOT_FOUND.into_response() };
    let etag = format!("\"{}\"", Digest::of(&content).short());
    if known == Some(etag.as_str()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(ETAG, etag)], content).into_response()
}
