//! `Op::Merge`: one layer placed on another tree, which moves no bytes.

use store::{Snapshot, Store, StoreError};

/// The layer that made `layer_of`, on top of `onto`.
pub(crate) fn run(store: &Store, onto: &Snapshot, layer_of: &Snapshot) -> Result<Snapshot, StoreError> {
    store.rebase(layer_of, onto)
}
