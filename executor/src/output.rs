//! [`Output`]: what a vertex results in.

use graph::source::ContextName;
use store::{Snapshot, Tree};

/// The result of a vertex: a file tree.
#[derive(Clone, Debug)]
pub enum Output {
    /// A tree in the store.
    Snapshot(Snapshot),
    /// A directory of the host, read in place. It can change at any time, so it has no identity and is never
    /// recorded.
    Context(ContextName, Tree),
}

impl Output {
    /// The tree, for reading.
    pub fn tree(&self) -> Tree {
        match self {
            Self::Snapshot(snapshot) => snapshot.tree(),
            Self::Context(_, tree) => tree.clone(),
        }
    }

    /// The context that it is, if it is one.
    pub fn context(&self) -> Option<&ContextName> {
        match self {
            Self::Snapshot(_) => None,
            Self::Context(name, _) => Some(name),
        }
    }
}
