//! [`Worker`]: who does what the solver decides.

use std::error::Error;
use std::future::Future;

use cache::{ContentKey, Record};
use graph::vertex::InputIndex;
use graph::{Op, VertexId};
use image::{Digest, PathPattern};
use store::SnapshotId;

use crate::StepLog;

/// Does the work on single vertices. The executor's session is one; tests have a toy.
///
/// The futures are dropped when the build is canceled, at any await; they must leave nothing
/// behind then.
pub trait Worker: Send + Sync + 'static {
    /// The result of a vertex: a handle that is cheap to clone.
    type Output: Clone + Send + Sync + 'static;
    /// Why something failed.
    type Error: Error + Send + Sync + 'static;

    /// Does an operation on the results of the vertex's inputs.
    fn run(
        &self,
        vertex: VertexId,
        op: &Op,
        inputs: Vec<Self::Output>,
        log: StepLog,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;

    /// Gets the result that a record speaks of; none if it is gone.
    fn load(&self, record: &Record)
    -> impl Future<Output = Result<Option<Self::Output>, Self::Error>> + Send;

    /// What an operation reads of one of its inputs.
    fn content(
        &self,
        op: &Op,
        input: InputIndex,
        output: &Self::Output,
        patterns: &[PathPattern],
    ) -> impl Future<Output = Result<ContentKey, Self::Error>> + Send;

    /// What a record can remember of a result; none if it cannot be remembered.
    fn snapshot(&self, output: &Self::Output) -> Option<SnapshotId>;

    /// The digest of what the layer of a snapshot changes, without times; none if it is gone.
    fn layer_digest(
        &self,
        snapshot: SnapshotId,
    ) -> impl Future<Output = Result<Option<Digest>, Self::Error>> + Send;
}
