//! A main context out of a repository, a URL or standard input.
//!
//! It is pinned, fetched and unpacked by steps of its own, which the cache knows in the next build, and is a tree
//! like any other from then on.

use std::io;

use executor::{Output, Session};
use graph::name::{GitPin, HttpName, HttpPin, TimedSource, redacted};
use graph::source::{GitTimes, HttpSource};
use image::{Digest, Platform};
use parser::go::parse_bool;
use planner::remote::GitReference;
use planner::{ContextTime, RemoteTree, TreePlan};
use solver::{Bypass, Job, SolveError};
use store::{Snapshot, SnapshotId, Store, StoreError, Tree};

use crate::engine::Engine;
use crate::error::BuildError;
use crate::export::blocking;
use crate::options;
use crate::progress::Progress;
use crate::request::{ArchiveStream, BuildRequest, Context, DockerfileSource};

/// The name of a file that is a context, as BuildKit has it.
const FILE_NAME: &str = "context";

/// A main context that was fetched.
#[derive(Debug)]
pub(crate) struct RemoteContext {
    /// What is in it.
    pub(crate) tree: Tree,
    /// The snapshot that has it.
    pub(crate) snapshot: SnapshotId,
    /// How old it is.
    pub(crate) time: ContextTime,
    /// Whether it is nothing but a Dockerfile, as a URL can give.
    is_dockerfile: bool,
}

impl RemoteContext {
    /// Where the Dockerfile is: a context that is nothing else is the Dockerfile itself, unless another is named.
    pub(crate) fn dockerfile(&self, asked: &DockerfileSource) -> DockerfileSource {
        match asked {
            DockerfileSource::InContext(_) if self.is_dockerfile => {
                DockerfileSource::InContext(Some(FILE_NAME.to_owned()))
            }
            asked => asked.clone(),
        }
    }
}

impl Engine {
    /// Fetches the main context, if it is one from elsewhere.
    pub(crate) async fn fetch_context(
        &self,
        request: &BuildRequest,
        session: &Session,
        progress: &Progress,
    ) -> Result<Option<RemoteContext>, BuildError> {
        let (tree, time) = match &request.context {
            Context::Directory(_) | Context::Empty => return Ok(None),
            Context::Git(reference) => {
                let step = progress.begin(format!("[internal] resolve {}", redacted(&reference.remote)));
                step.end(repository(reference, request, session).await)?
            }
            Context::Http(url) => {
                let step = progress.begin(format!("[internal] load remote build context {}", redacted(url)));
                step.end(self.download_context(url, session).await)?
            }
            Context::Archive(stream) => {
                let step = progress.begin("[internal] load build context from standard input");
                step.end(self.receive(stream).await)?
            }
        };
        let is_dockerfile = matches!(tree, RemoteTree::File(_));
        let snapshot = self.make_tree(&tree, session, progress).await?;
        Ok(Some(RemoteContext { tree: snapshot.tree(), snapshot: snapshot.id(), time, is_dockerfile }))
    }

    /// A URL gives an archive, or else a Dockerfile.
    async fn download_context(
        &self,
        url: &str,
        session: &Session,
    ) -> Result<(RemoteTree, ContextTime), BuildError> {
        let name = HttpName { url: url.to_owned(), checksum: None };
        let HttpPin { content, last_modified, .. } =
            session.pin_http(name).await.map_err(BuildError::unpinned)?;
        let store = self.store.clone();
        let is_archive = blocking(move || store.blobs().open(&content).map(store::is_archive)).await;
        let is_archive = is_archive.map_err(|source| BuildError::failed("read the build context", source))?;
        let file = HttpSource { content, file_name: FILE_NAME.to_owned(), last_modified };
        let time = match last_modified {
            Some(seconds) => ContextTime::Seconds(seconds),
            None if is_archive => ContextTime::Of(TimedSource::Archive(content)),
            None => ContextTime::None,
        };
        Ok((if is_archive { RemoteTree::Archive(file) } else { RemoteTree::File(file) }, time))
    }

    /// An archive on standard input.
    async fn receive(&self, stream: &ArchiveStream) -> Result<(RemoteTree, ContextTime), BuildError> {
        let (store, stream) = (self.store.clone(), stream.clone());
        let content = blocking(move || received(&store, &stream)).await?;
        let file = HttpSource { content, file_name: FILE_NAME.to_owned(), last_modified: None };
        Ok((RemoteTree::Archive(file), ContextTime::Of(TimedSource::Archive(content))))
    }

    async fn make_tree(
        &self,
        tree: &RemoteTree,
        session: &Session,
        progress: &Progress,
    ) -> Result<Snapshot, BuildError> {
        let TreePlan { graph, root, steps } = tree.plan(&Platform::host());
        let job = Job {
            graph: graph.into(),
            roots: vec![root],
            positions: std::collections::HashMap::new(),
            bypass: Bypass::None,
            processes: options::default_jobs(),
        };
        let outputs =
            self.solve(job, session.clone(), &steps, progress).await.map_err(|error| match error {
                SolveError::Vertex { source, .. } => BuildError::failed("load the build context", source),
                SolveError::Cache(source) => BuildError::failed("use the cache", source),
            })?;
        match outputs.get(&root) {
            Some(Output::Snapshot(snapshot)) => Ok(snapshot.clone()),
            _ => Err(BuildError::failed("load the build context", io::Error::other("it has no content"))),
        }
    }
}

/// A checkout of a repository. With a `SOURCE_DATE_EPOCH` its files are as old as the commit, so that they are the
/// same whenever it is made.
async fn repository(
    reference: &GitReference,
    request: &BuildRequest,
    session: &Session,
) -> Result<(RemoteTree, ContextTime), BuildError> {
    let argument = |name: &str| request.build_args.get(name).filter(|value| !value.is_empty());
    let mut reference = reference.clone();
    if argument("BUILDKIT_CONTEXT_KEEP_GIT_DIR").and_then(|value| parse_bool(value)) == Some(true) {
        reference.keep_git_directory = Some(true);
    }
    if argument("SOURCE_DATE_EPOCH").is_some() {
        reference.times = GitTimes::Commit;
    }
    let name = reference.name();
    let GitPin { commit } = session.pin_git(name.clone()).await.map_err(BuildError::unpinned)?;
    let time = ContextTime::Of(TimedSource::Commit { remote: name.remote, commit: commit.clone() });
    Ok((RemoteTree::Git { address: reference.remote.clone(), source: reference.source(commit) }, time))
}

/// Copies a stream into the store; an archive by its first bytes that is none is no context.
fn received(store: &Store, stream: &ArchiveStream) -> Result<Digest, BuildError> {
    let failed = |source: StoreError| BuildError::failed("store the build context", source);
    let mut writer = store.blobs().writer().map_err(failed)?;
    stream
        .copy_to(&mut writer)
        .map_err(|source| BuildError::failed("read the build context from standard input", source))?;
    let (digest, _) = writer.commit(None).map_err(failed)?;
    let blob = store.blobs().open(&digest).map_err(failed)?;
    if store::is_archive(blob) { Ok(digest) } else { Err(BuildError::NotAnArchive) }
}
