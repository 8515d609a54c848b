//! Failed steps that were kept, and what can be done with them.
//!
//! When the process of a `RUN` fails, what it wrote is not deleted: it becomes a kept draft of the store (see
//! `store`), with a record of everything that it takes to start another process in the same surroundings. Only the
//! last few are kept. They are called by the first digits of their name, as many as it takes to tell them apart.
//!
//! - `keep`: what a failed build keeps and copies out
//! - [`record`]: what is remembered of a step
//! - [`visit`]: starting a process in the state after the failure, or before the step

pub(crate) mod keep;
pub mod record;
pub mod visit;

use std::path::PathBuf;
use std::time::SystemTime;

use executor::ExecError;
use store::{Change, Forgotten, Kept, SnapshotId, StoreError};

use crate::copy_out::{self, CopyError, CopySource};
use crate::engine::Engine;
use crate::error::BuildError;
use record::{Record, RecordError};

/// The least digits that a step is called by.
const FEWEST_DIGITS: usize = 4;

/// Why something could not be done with a kept step.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// There is none at all.
    #[error("no failed step is kept")]
    None,
    /// There is none of that name.
    #[error("no such failed step: {0}")]
    NotFound(String),
    /// Several names begin so.
    #[error("{prefix} is the beginning of several failed steps: {}", matches.join(", "))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// The names, as short as they can be.
        matches: Vec<String>,
    },
    /// Somebody uses it, so it cannot be removed.
    #[error("the failed step {0} is in use")]
    InUse(String),
    /// What is remembered of it cannot be read.
    #[error("cannot tell what the failed step {id} was")]
    Record {
        /// Its name.
        id: String,
        /// Why not.
        #[source]
        source: RecordError,
    },
    /// A context that the step mounts cannot be opened any more.
    #[error(transparent)]
    Context(Box<BuildError>),
    /// The image has no shell.
    #[error("there is no shell in the image of the step: none of {} is there", .0.join(", "))]
    NoShell(Vec<String>),
    /// The program that was to be brought along cannot be used.
    #[error("cannot bring {} along: it is not a file", .0.display())]
    NotAFile(PathBuf),
    /// The process could not be started, or got lost.
    #[error(transparent)]
    Process(#[from] ExecError),
    /// Files could not be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A failed step in the list.
#[derive(Debug)]
pub struct KeptSummary {
    /// What it is called: as few digits as tell it from the others.
    pub id: String,
    /// When it failed.
    pub time: SystemTime,
    /// Bytes of the files that it left.
    pub size: u64,
    /// What is remembered of it.
    pub record: Result<Record, RecordError>,
}

/// A failed step in use. It is not removed as long as this value lives.
#[derive(Debug)]
pub struct KeptStep {
    /// What it is called.
    pub id: String,
    /// What is remembered of it.
    pub record: Record,
    pub(crate) kept: Kept,
}

impl Engine {
    /// The failed steps that are kept, the latest first.
    pub fn kept_steps(&self) -> Result<Vec<KeptSummary>, KeptError> {
        let ids = self.store.kept()?;
        let mut steps = Vec::with_capacity(ids.len());
        for id in &ids {
            // Another process may have removed it meanwhile.
            let Some(kept) = self.store.open_kept(*id)? else { continue };
            steps.push(KeptSummary {
                id: short(*id, &ids),
                time: kept.time(),
                size: self.store.size(kept.snapshot())?,
                record: Record::decode(kept.record()),
            });
        }
        Ok(steps)
    }

    /// Begins to use a failed step: the one whose name begins so, or else the latest.
    pub fn kept_step(&self, prefix: Option<&str>) -> Result<KeptStep, KeptError> {
        let (id, snapshot) = self.find_kept(prefix)?;
        let kept = self.store.open_kept(snapshot)?.ok_or_else(|| KeptError::NotFound(id.clone()))?;
        match Record::decode(kept.record()) {
            Ok(record) => Ok(KeptStep { id, record, kept }),
            Err(source) => Err(KeptError::Record { id, source }),
        }
    }

    /// Removes a failed step; its name in return.
    pub fn remove_kept_step(&self, prefix: &str) -> Result<String, KeptError> {
        let (id, snapshot) = self.find_kept(Some(prefix))?;
        match self.store.forget_kept(snapshot)? {
            Forgotten::Gone => Ok(id),
            Forgotten::InUse => Err(KeptError::InUse(id)),
        }
    }

    /// What a step changed, until it failed.
    pub fn changes_of(&self, step: &KeptStep) -> Result<Vec<Change>, KeptError> {
        Ok(self.store.changes(step.kept.snapshot())?)
    }

    fn find_kept(&self, prefix: Option<&str>) -> Result<(String, SnapshotId), KeptError> {
        let ids = self.store.kept()?;
        let Some(prefix) = prefix else {
            let latest = ids.first().ok_or(KeptError::None)?;
            return Ok((short(*latest, &ids), *latest));
        };
        let digits = prefix.to_ascii_lowercase();
        let is_meant = |id: &&SnapshotId| !digits.is_empty() && id.to_string().starts_with(&digits);
        match ids.iter().filter(is_meant).collect::<Vec<_>>().as_slice() {
            [] => Err(KeptError::NotFound(prefix.to_owned())),
            [id] => Ok((short(**id, &ids), **id)),
            several => Err(KeptError::Ambiguous {
                prefix: prefix.to_owned(),
                matches: several.iter().map(|id| short(**id, &ids)).collect(),
            }),
        }
    }
}

impl KeptStep {
    /// Copies files that the step left to a path of the host, by the rules of `docker cp`.
    pub fn copy_to(&self, source: &CopySource, destination: &std::path::Path) -> Result<(), KeptError> {
        Ok(copy_out::to_path(&self.kept.snapshot().tree(), source, destination)?)
    }

    /// Writes them to standard output as an archive.
    pub fn archive(&self, source: &CopySource) -> Result<(), KeptError> {
        Ok(copy_out::to_archive(&self.kept.snapshot().tree(), source)?)
    }
}

/// As many digits of a name as it takes to tell it from the others.
pub(crate) fn short(id: SnapshotId, all: &[SnapshotId]) -> String {
    let name = id.to_string();
    let shared = |other: &SnapshotId| {
        let other = other.to_string();
        name.bytes().zip(other.bytes()).take_while(|(one, two)| one == two).count()
    };
    let digits = all.iter().filter(|other| **other != id).map(|other| shared(other) + 1).max();
    let digits = digits.unwrap_or_default().clamp(FEWEST_DIGITS, name.len());
    name.chars().take(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_long_as_they_must_be() {
        let ids = ["4f2a", "4f2b1", "4f2b2", "0000"].map(|digits| format!("{digits:0<32}").parse().unwrap());
        let names = ids.map(|id| short(id, &ids));
        assert_eq!(names, ["4f2a", "4f2b1", "4f2b2", "0000"]);
        assert_eq!(short(ids[0], &[]), "4f2a");
        assert_eq!(short(ids[0], &ids[..1]), "4f2a");
    }
}
