//! [`Op`]: the closed set of operations, and the encoding that identities are made of.

use image::Digest;
use serde::{Deserialize, Serialize};

use crate::{Exec, FileOp, Source};

/// The version of the encoding of operations.
///
/// It is part of every digest, so records of another version are never mistaken for ours. Raise
/// it when an operation of the same fields begins to mean something else.
pub const ENCODING: u32 = 2;

/// One operation of a build. Its result is a file tree.
///
/// The set is closed: a new operation is a variant here, a lowering in the planner and an arm in
/// the executor, and the compiler lists the places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// A tree from outside of the build. No inputs.
    Source(Source),
    /// A process that runs on input 0 and changes it; further inputs are mounted.
    Exec(Box<Exec>),
    /// Files are made on top of input 0; further inputs are read.
    File(FileOp),
    /// The layer that made input 1 (one layer above nothing), placed on top of input 0.
    ///
    /// This is how `COPY --link` stays independent of what lies below it.
    Merge,
}

impl Op {
    /// The stable encoding: compact JSON with fields in the order of their declaration.
    ///
    /// It is what digests are made of and, stored with a cache record, what a later miss is
    /// explained from; so it never depends on hash-map order, pointers or time.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(&(ENCODING, self)).expect("an operation has only string keys and finite numbers")
    }

    /// The digest of [`Op::encode`].
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// Whether the result can change although the operation does not, as the local context does.
    ///
    /// A volatile vertex has no definition key; what reads it is known by content alone.
    pub fn is_volatile(&self) -> bool {
        matches!(self, Op::Source(Source::Local(_)))
    }
}
