//! `type=tar`: the root filesystem as one archive.

use store::Snapshot;

use crate::export::output::{self, OutputError};
use crate::request::Destination;

/// Writes the merged tree of a snapshot.
pub(crate) fn write(root: &Snapshot, destination: &Destination) -> Result<(), OutputError> {
    output::write(destination, |out| Ok(store::write_tree(&root.tree(), out)?))
}
