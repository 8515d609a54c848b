//! What can go wrong with the cache.

use std::io;
use std::path::PathBuf;

/// An operation of the cache that failed.
///
/// Whatever it is, removing the file of the cache costs nothing but rebuilding.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The lock file could not be made or locked.
    #[error("cannot lock the cache with {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file could not be opened as a database, or its tables could not be made.
    #[error("cannot open the cache {}", path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The file has another format, or is damaged, and could not be moved out of the way.
    #[error("cannot set aside the old cache {}", path.display())]
    SetAside {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file has another format and a process of that version is using it.
    #[error(
        "the cache {} has format {found}, this program writes format {expected}, and another process is using it",
        path.display()
    )]
    OtherFormatInUse {
        /// The database.
        path: PathBuf,
        /// The format of the file; 0 if it has none.
        found: i64,
        /// The format of this program.
        expected: i64,
    },
    /// A query failed.
    #[error("cannot {attempt} in the cache")]
    Query {
        /// What was tried.
        attempt: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A list of files could not be compressed.
    #[error("cannot compress the list of files of {digest}")]
    Compress {
        /// The content whose files they are.
        digest: image::Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
}
