//! Operations on files that need no process: `COPY`, `ADD`, `WORKDIR`.
//!
//! They write into a [`store::Draft`] through its editor and read their sources as [`store::Tree`]s;
//! nothing is mounted, no path is ever opened outside the two roots.
//!
//! - [`copy`]: what is copied where; the rules of BuildKit's copier
//! - [`sources`]: which entries the source of a copy means; [`similar`]: which one it could have meant
//! - [`ownership`]: `--chown` texts to numbers
//! - [`make_directory`]: directories for `WORKDIR`
//! - [`error`]: what can go wrong

pub(crate) mod copy;
pub mod error;
pub(crate) mod make_directory;
pub(crate) mod ownership;
pub(crate) mod similar;
pub(crate) mod sources;
#[cfg(test)]
mod tests;

use graph::FileOp;
use store::{Snapshot, Store};

use crate::file::error::FileError;
use crate::output::Output;

/// Carries out a file operation on the tree `base`.
///
/// `inputs` are all inputs of the vertex, the one that `base` was made from included.
pub(crate) fn run(
    store: &Store,
    operation: &FileOp,
    base: &Snapshot,
    inputs: &[Output],
) -> Result<Snapshot, FileError> {
    match operation {
        FileOp::Copy(copy) => copy::run(store, copy, base, inputs),
        FileOp::MakeDirectory(directory) => make_directory::run(store, directory, base),
    }
}
