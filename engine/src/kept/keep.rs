//! What is done with a step that failed: files are copied out, and the rest is kept.

use std::sync::Arc;

use executor::{FailedStep, Output};
use graph::source::ContextName;
use store::{SnapshotId, Store, StoreError};

use super::record::{InputRecord, Record};
use crate::contexts::Contexts;
use crate::copy_out;
use crate::error::{Remains, Salvaged};
use crate::request::{CopyOut, OnFailure};

/// Why a step could not be kept. The build has failed for another reason.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    /// A path in the record is no text.
    #[error("cannot write down what the step was")]
    Encode(#[source] serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies out of a failed step what the request wants, and keeps the step if it wants that.
pub(crate) fn keep(store: &Store, failed: FailedStep, record: &Record, wanted: &OnFailure) -> Remains {
    let tree = failed.tree();
    let salvage = |copy: &CopyOut| {
        let copied = copy_out::salvage(&tree, &copy.source, &copy.destination);
        Salvaged {
            source: copy.source.path.clone(),
            destination: copy.destination.clone(),
            problem: copied.err().map(|error| Arc::new(error) as _),
        }
    };
    let salvaged = wanted.copies.iter().map(salvage).collect();
    let mut remains = Remains { kept: None, salvaged, problem: None };
    if wanted.kept > 0 {
        match keep_in_store(store, failed, record, wanted.kept) {
            Ok(name) => remains.kept = Some(name),
            Err(error) => remains.problem = Some(Arc::new(error)),
        }
    }
    remains
}

fn keep_in_store(
    store: &Store,
    failed: FailedStep,
    record: &Record,
    most: usize,
) -> Result<String, KeepError> {
    let text = record.encode().map_err(KeepError::Encode)?;
    let needed: Vec<SnapshotId> = record.inputs.iter().filter_map(InputRecord::snapshot).collect();
    let kept = failed.draft.keep(&text, &needed)?;
    store.forget_oldest_kept(most)?;
    Ok(super::short(kept.snapshot().id(), &store.kept()?))
}

/// How the trees of a step are found again.
pub(crate) fn inputs(failed: &FailedStep, contexts: &Contexts) -> Vec<InputRecord> {
    let record = |input: &Output| match input {
        Output::Snapshot(snapshot) => Some(InputRecord::Snapshot(snapshot.id())),
        Output::Context(name, _) => context(name, contexts),
    };
    // A context without an origin does not exist: sessions get both from the same place.
    failed.inputs.iter().filter_map(record).collect()
}

fn context(name: &ContextName, contexts: &Contexts) -> Option<InputRecord> {
    let origin = contexts.origins.get(name)?;
    Some(InputRecord::Context(name.clone(), origin.clone()))
}
