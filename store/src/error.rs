//! What can go wrong with the store, in one enum.

use std::io;
use std::path::{Path, PathBuf};

use image::{DiffId, Digest, ImageId};

use crate::path::TreePath;
use crate::snapshot::SnapshotId;

/// A failed operation of this crate: what was attempted, on which object, and why not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A system call on a file of the store, of a layer or of a host directory failed.
    #[error("cannot {attempt} {path}", path = path.display())]
    Io {
        /// The verb, as in "cannot open".
        attempt: &'static str,
        /// The file as the host sees it.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The database refused a statement.
    #[error("cannot {attempt} in the store's database")]
    Database {
        /// The verb and its object, as in "record a snapshot".
        attempt: &'static str,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
    /// A value in the database is not of the form that this version writes.
    #[error("the store's database holds an unreadable {what}: {value}")]
    Corrupt {
        /// Which kind of value.
        what: &'static str,
        /// The value, as text.
        value: String,
    },
    /// The directory belongs to another version of the program.
    #[error("the store at {root} has format {found}, this program reads format {expected}", root = root.display())]
    Format {
        /// The store's directory.
        root: PathBuf,
        /// What its `format` file says.
        found: String,
        /// What this program writes.
        expected: String,
    },
    /// The layers in the directory say who owns their files in a way that this process cannot follow: whoever made
    /// them had other user ids at hand.
    #[error("the store at {root} was made by a user with other ids", root = root.display())]
    OtherOwners {
        /// The store's directory.
        root: PathBuf,
    },
    /// The kernel's random numbers were not available.
    #[error("cannot make a random identifier: {0}")]
    Random(getrandom::Error),
    /// A blob that something refers to is not here.
    #[error("blob {0} is not in the store")]
    BlobMissing(Digest),
    /// Bytes are not those that were promised.
    #[error("content has digest {found}, expected {expected}")]
    DigestMismatch {
        /// What was promised.
        expected: Digest,
        /// What arrived.
        found: Digest,
    },
    /// The original compressed bytes of an unpacked layer are needed, because packing its files again
    /// would give other bytes, and are not in the store.
    #[error("layer {0} can only be packed from its original blob, which is not in the store")]
    OriginalBlobMissing(DiffId),
    /// A snapshot that something refers to is not here.
    #[error("snapshot {0} is not in the store")]
    SnapshotMissing(SnapshotId),
    /// An image that something refers to is not here.
    #[error("image {0} is not in the store")]
    ImageMissing(ImageId),
    /// An id prefix fits several images.
    #[error("image id prefix {prefix} is ambiguous: it fits {count} images", count = matches.len())]
    AmbiguousImageId {
        /// The prefix that was asked for.
        prefix: String,
        /// The images that it fits, sorted.
        matches: Vec<ImageId>,
    },
    /// An archive could not be decompressed or read.
    #[error("cannot read the archive")]
    ArchiveRead(#[source] io::Error),
    /// An archive entry that would reach outside the root, or that no file system can hold.
    #[error("archive entry {entry}: {problem}")]
    ArchiveEntry {
        /// The entry's name as the archive has it, lossily as text.
        entry: String,
        /// What is wrong with it.
        problem: ArchiveProblem,
    },
    /// A layer directory uses a feature of overlayfs that only the kernel can follow.
    #[error("layer file {path} carries {xattr}, which layers must not have", path = path.display())]
    UnsupportedLayer {
        /// The file as the host sees it.
        path: PathBuf,
        /// The attribute's name.
        xattr: String,
    },
    /// Something that is not a directory is where a directory is needed.
    #[error("/{0} is not a directory")]
    NotADirectory(TreePath),
    /// A directory is where something else is to be written.
    #[error("/{0} is a directory")]
    IsADirectory(TreePath),
    /// The path is needed and does not exist.
    #[error("/{0} does not exist")]
    NotFound(TreePath),
    /// The root of a tree cannot be replaced or removed.
    #[error("the root directory cannot be replaced")]
    RootReplaced,
    /// More symbolic links than the kernel would follow.
    #[error("too many symbolic links in /{0}")]
    TooManySymlinks(TreePath),
    /// A mount point would not be visible, because the draft already hides its place.
    #[error("no mount point can be made at /{0}: the draft's own files hide it")]
    MountPointHidden(TreePath),
    /// A pattern is not well-formed: a `[` without `]`, an empty class, a `\\` at the end.
    #[error("invalid pattern {0}")]
    Pattern(String),
}

/// What is wrong with an entry of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveProblem {
    /// `..` climbs above the root, or the name holds a NUL byte.
    #[error("its name leads outside the root")]
    Outside,
    /// A hard link to something outside the root.
    #[error("its link target leads outside the root")]
    LinkOutside,
    /// A hard link to something that exists neither in the archive so far nor below.
    #[error("its hard link target does not exist")]
    LinkTargetMissing,
    /// A hard link to a directory.
    #[error("its hard link target is a directory")]
    LinkToDirectory,
    /// A symbolic or hard link without a target.
    #[error("it is a link without a target")]
    NoLinkTarget,
    /// An entry type that has no meaning in a layer.
    #[error("its type is not known")]
    UnknownType,
    /// A whiteout for the root, or one without a name.
    #[error("it is a whiteout without a name")]
    BadWhiteout,
    /// A number in the header does not parse or does not fit.
    #[error("its header has an unreadable number")]
    BadNumber,
    /// The PAX records before the entry do not parse.
    #[error("its PAX records are malformed")]
    BadRecords,
    /// The map of a sparse file is malformed.
    #[error("its sparse map is malformed")]
    BadSparseMap,
    /// The entry would replace the root directory by something else.
    #[error("it would replace the root directory")]
    ReplacesRoot,
}

/// Names the attempt and the object of a failed system call.
pub(crate) trait Attempt<T> {
    fn attempt(self, attempt: &'static str, path: impl AsRef<Path>) -> Result<T, StoreError>;
}

impl<T, E: Into<io::Error>> Attempt<T> for Result<T, E> {
    fn attempt(self, attempt: &'static str, path: impl AsRef<Path>) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Io { attempt, path: path.as_ref().to_owned(), source: error.into() })
    }
}

/// Names the attempt of a failed statement.
pub(crate) trait DatabaseAttempt<T> {
    fn database(self, attempt: &'static str) -> Result<T, StoreError>;
}

impl<T> DatabaseAttempt<T> for rusqlite::Result<T> {
    fn database(self, attempt: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { attempt, source })
    }
}
