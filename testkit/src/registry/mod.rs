//! [`Registry`]: an OCI registry inside the test, in memory, on a port of this machine.
//!
//! It speaks the distribution protocol as the specification has it, writes down each request, and
//! fails where a test wants it to ([`Fault`]). It ends when it is dropped.

mod access;
mod protocol;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use bytes::Bytes;
use image::{Descriptor, Digest, MediaType, Reference};

pub use access::Access;

use crate::server::Server;

/// A request that the registry got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD` and so on.
    pub method: String,
    /// The path and the query: `/v2/app/blobs/uploads/?mount=…`.
    pub target: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
}

impl Request {
    /// Whether it has this method, and this in its path or query.
    pub fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.target.contains(part)
    }
}

/// How a request fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With a status, and headers, instead of an answer.
    Status(u16, Vec<(&'static str, String)>),
    /// The body of the answer breaks off after so many bytes, and with it the connection. Exact for
    /// what fits into the buffer of a socket: some ten thousand bytes.
    Cut(usize),
    /// The first byte of the body is another one.
    Corrupt,
    /// `Range` is ignored.
    NoRanges,
}

type Matches = Box<dyn Fn(&Request) -> bool + Send>;

/// A fault that lies in wait.
struct Trap {
    matches: Matches,
    fault: Fault,
}

#[derive(Default)]
struct Contents {
    blobs: BTreeMap<(String, Digest), Bytes>,
    manifests: BTreeMap<(String, Digest), (MediaType, Bytes)>,
    tags: BTreeMap<(String, String), Digest>,
    uploads: BTreeSet<u64>,
    next_upload: u64,
    log: Vec<Request>,
    traps: Vec<Trap>,
}

struct Shared {
    access: Access,
    address: SocketAddr,
    contents: Mutex<Contents>,
}

impl Shared {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registry that runs until it is dropped.
pub struct Registry {
    shared: Arc<Shared>,
    _server: Server,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

impl Registry {
    /// Starts an empty registry that lets everybody in.
    pub fn start() -> Self {
        Self::start_with(Access::Open)
    }

    /// Starts an empty registry.
    pub fn start_with(access: Access) -> Self {
        let listener = Server::listener();
        let address = listener.local_addr().expect("the address of the listener");
        let shared = Arc::new(Shared { access, address, contents: Mutex::default() });
        let service = Router::new().fallback(protocol::handle).with_state(Arc::clone(&shared));
        Self { shared, _server: Server::start(listener, service) }
    }

    /// Its name: `127.0.0.1:41234`.
    pub fn name(&self) -> String {
        self.shared.address.to_string()
    }

    /// A reference into it: `app:1`, `app@sha256:…`.
    pub fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.name()).parse().expect("a reference")
    }

    /// Puts a blob into a repository.
    pub fn put_blob(&self, repository: &str, media_type: MediaType, bytes: impl Into<Bytes>) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::of(media_type, &bytes);
        self.shared.contents().blobs.insert((repository.to_owned(), descriptor.digest), bytes);
        descriptor
    }

    /// Puts a manifest or an index into a repository, and under a tag.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: MediaType,
        bytes: impl Into<Bytes>,
    ) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::of(media_type.clone(), &bytes);
        let mut contents = self.shared.contents();
        contents.manifests.insert((repository.to_owned(), descriptor.digest), (media_type, bytes));
        if let Some(tag) = tag {
            contents.tags.insert((repository.to_owned(), tag.to_owned()), descriptor.digest);
        }
        descriptor
    }

    /// A blob of a repository.
    pub fn blob(&self, repository: &str, digest: Digest) -> Option<Bytes> {
        self.shared.contents().blobs.get(&(repository.to_owned(), digest)).cloned()
    }

    /// The manifest or index that a tag or digest of a repository stands for.
    pub fn manifest(&self, repository: &str, name: &str) -> Option<(MediaType, Bytes)> {
        self.shared.contents().manifest(repository, name).map(|(_, manifest)| manifest)
    }

    /// All requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.contents().log.clone()
    }

    /// Lets a request fail: the next that matches. Each call is one failure.
    pub fn fail(&self, fault: Fault, matches: impl Fn(&Request) -> bool + Send + 'static) {
        self.shared.contents().traps.push(Trap { matches: Box::new(matches), fault });
    }
}

impl Contents {
    fn manifest(&self, repository: &str, name: &str) -> Option<(Digest, (MediaType, Bytes))> {
        let digest = match name.parse::<Digest>() {
            Ok(digest) => digest,
            Err(_) => *self.tags.get(&(repository.to_owned(), name.to_owned()))?,
        };
        Some((digest, self.manifests.get(&(repository.to_owned(), digest))?.clone()))
    }

    /// Writes a request down; gives the fault that it runs into. The first trap in wait takes it.
    fn receive(&mut self, request: Request) -> Option<Fault> {
        let sprung = self.traps.iter().position(|trap| (trap.matches)(&request));
        self.log.push(request);
        sprung.map(|index| self.traps.remove(index).fault)
    }
}
