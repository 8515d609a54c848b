//! What enters a build from outside: images, downloads, repositories.
//!
//! Each kind has two halves. *Pinning* resolves a name to a content, before there is a graph, and loads no more
//! than it must. *Fetching* makes the tree of a pinned source, when a vertex needs it: a source says what it is
//! and not where it is, which the session remembers from pinning, in [`origins`].
//!
//! - [`image`]: from the store, a registry, or a directory in the OCI image layout
//! - [`http`]: files by URL
//! - [`git`]: checkouts of commits
//! - [`origins`]: where pinned sources can be fetched
//! - [`error`]: what can go wrong

pub mod error;
pub(crate) mod git;
pub(crate) mod http;
pub(crate) mod image;
pub(crate) mod origins;

use ::image::Digest;
use graph::name::TimedSource;
use graph::{Name, Pin, Source};
use solver::StepLog;
use store::Snapshot;

use self::error::SourceError;
use crate::blocking::blocking;
use crate::session::Session;

/// Resolves a name.
pub(crate) async fn pin(session: &Session, name: &Name) -> Result<Pin, SourceError> {
    match name {
        Name::Image(name) => Ok(Pin::Image(Box::new(image::pin::pin(session, name).await?))),
        Name::Http(name) => Ok(Pin::Http(http::pin(session, name).await?)),
        Name::Git(name) => Ok(Pin::Git(git::pin(session, name).await?)),
        Name::Time(TimedSource::Commit { remote, commit }) => {
            Ok(Pin::Time(Some(git::time(session, remote, commit).await?)))
        }
        Name::Time(TimedSource::Archive(digest)) => Ok(Pin::Time(newest_file(session, *digest).await?)),
    }
}

/// The modification time of the newest file of an archive in the store.
async fn newest_file(session: &Session, digest: Digest) -> Result<Option<i64>, SourceError> {
    let store = session.executor.store().clone();
    blocking(move || {
        let archive = store.blobs().open(&digest)?;
        store::newest_file(archive).map_err(|source| SourceError::Archive { digest, source })
    })
    .await
}

/// Makes the tree of a source. Contexts are trees already and none of this module's business.
pub(crate) async fn fetch(
    session: &Session,
    source: &Source,
    log: &StepLog,
) -> Result<Snapshot, SourceError> {
    match source {
        Source::Scratch => Ok(session.executor.store().scratch()),
        Source::Image(source) => image::fetch::fetch(session, source.chain, log).await,
        Source::Local(name) => Err(SourceError::NoContext { name: name.clone() }),
        Source::Http(source) => http::fetch(session, source).await,
        Source::Git(source) => git::fetch(session, source).await,
    }
}
