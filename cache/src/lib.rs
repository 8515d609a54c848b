//! Memory of what was built: cache key to record, and why a step missed.
//!
//! - [`key`]: [`CacheKey`] and its structured pre-image [`KeyImage`]; **the table of what enters a
//!   key and what does not**
//! - [`content`]: what a step reads of an input, as a digest and a list of files ([`ContentKey`])
//! - [`record`]: what is remembered of a step ([`Record`], [`NewRecord`]) and where it stands in a
//!   Dockerfile ([`Position`])
//! - [`index`]: [`Cache`], the index itself: look up, insert, equate, evict
//! - [`miss`]: why a step missed ([`Miss`]), as values and as one line for people
//! - `diff`: how a miss is explained, from the stored pre-images
//! - `database`: the file on disk, its format, its locks and what a crash leaves
//! - [`error`]: what can go wrong with it, as [`CacheError`]
//!
//! The cache knows nothing of how steps are run and holds no file trees: a record names a snapshot
//! of the store. It may be lost at any time; then everything is built once more.
#![forbid(unsafe_code)]

pub mod content;
mod database;
mod diff;
pub mod error;
pub mod index;
pub mod key;
pub mod miss;
pub mod record;

pub use content::ContentKey;
pub use error::CacheError;
pub use index::{Cache, Lookup};
pub use key::{CacheKey, InputKey, KeyImage};
pub use miss::Miss;
pub use record::{NewRecord, Position, Record};
