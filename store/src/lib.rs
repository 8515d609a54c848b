//! Bytes on local disk: blobs, snapshots, file trees, pack and unpack, tags, locks.
//!
//! ```text
//! ROOT/format                     the version of this layout, "1", with what layers are like in this store: owners
//!                                 recorded, marks plain; others are refused
//! ROOT/lock                       flock: shared by every process that has the store open, exclusive for one that
//!                                 cleans up alone, as it opens
//! ROOT/store.db                   SQLite: which snapshots, layer blobs, images and tags exist
//! ROOT/blobs/sha256/ab/abcdef…    blobs by content
//! ROOT/layers/<id>/fs             one layer each, in the form of an overlayfs upper directory
//! ROOT/layers/<id>/kept           what is remembered of a draft that was kept
//! ROOT/layers/<id>/links          owners of links, where owners are recorded: see `owners`
//! ROOT/drafts/<id>/…              layers being made, each locked by its owner
//! ROOT/cache-mounts/…             directories that outlive builds
//! ROOT/tmp/                       blobs being written
//! ```
//!
//! The store is synchronous, never mounts anything and needs no daemon: any number of processes use one directory
//! at once. Files are complete before a row of the database speaks of them, so a process killed at any instant
//! leaves a consistent store and some garbage, which a later [`Store::open`] removes. What a power failure may take
//! is told in `unsynced`.
//!
//! - [`Store`] (`store`): opening, version, locks, garbage; `database`: the tables
//! - [`Blobs`] (`blob`): content-addressed files
//! - [`Snapshot`] (`snapshot`): immutable trees; [`Draft`] (`draft`): a tree being made, and the directories to
//!   mount for it; [`Kept`] (`draft::kept`): drafts that outlive their process; [`Editor`] (`editor`): writing
//!   into a draft without a mount
//! - [`Change`] (`changes`): what a layer changes on its parent
//! - [`Tree`] (`tree`): reading a snapshot, a draft or a directory of the host; content digests
//! - `unpack`, `extract`, `decompress`: archives become layers or files of a draft
//! - `pack`: layers become archives and blobs
//! - `images`: images and tags; `cache_mount`: cache directories
//! - `owners`: who owns the files of a layer, where only one user exists
//! - `path`, `metadata`, `xattrs`, `overlay`, `confined`: the file system's vocabulary and its dangers
#![forbid(unsafe_code)]

mod blob;
mod cache_mount;
mod changes;
mod confined;
mod database;
mod decompress;
mod draft;
mod editor;
mod error;
mod extract;
mod images;
mod metadata;
mod overlay;
mod owners;
mod pack;
mod path;
mod snapshot;
mod store;
mod tree;
mod unpack;
mod unsynced;
mod xattrs;

pub use blob::{BlobWriter, Blobs};
pub use cache_mount::{CacheMount, CacheSeed, Sharing};
pub use changes::{Change, ChangeKind};
pub use decompress::{begins_like_archive, decompress, is_archive, newest_file};
pub use draft::kept::{Forgotten, Kept};
pub use draft::{Copied, Draft, MountPoint, MountPointKind, OwnerRecords, Stack};
pub use editor::{Editor, Made, Resolved};
pub use error::{ArchiveProblem, StoreError};
pub use images::{ImageRecord, NewImage, Origin, RemoteLayer};
pub use metadata::{Attributes, Device, Inode, Kind, Timestamp};
pub use owners::{OWNER_ATTRIBUTE, Owner};
pub use pack::{LayerEncoding, PackedLayer, write_entry, write_trees};
pub use path::TreePath;
pub use snapshot::{InvalidSnapshotId, Snapshot, SnapshotId};
pub use store::Store;
pub use tree::digest::{ContentDigest, ContentOptions, ManifestEntry, ManifestKind};
pub use tree::host::Keep;
pub use tree::select::{Selected, Wildcards};
pub use tree::{Entry, Tree, Walk};
pub use xattrs::Xattrs;
