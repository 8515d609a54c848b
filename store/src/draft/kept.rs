//! Drafts that are kept: what a step left that failed, for whoever wants to look into it.
//!
//! ```text
//! ROOT/layers/<id>/fs      the layer as the draft had it
//! ROOT/layers/<id>/kept    what the keeper wants to know later, in a form of its own; flock: shared by those who use
//!                          the draft, exclusive for who removes it
//! ROOT/store.db            kept(number, snapshot, time), kept_inputs(kept, snapshot)
//! ```
//!
//! A kept draft is a snapshot that no image and no cache knows: it can be read, and be the parent of further drafts.
//! Nothing is copied to keep one. The snapshots that it lies on, and those named as its inputs, are referred to by
//! its rows.
//!
//! The rows of snapshot, layer and kept draft are written in one transaction, after the files. So a process that is
//! killed leaves a kept draft or a layer without a row, which [`Store::open`] removes; and a kept draft is removed
//! rows first.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use rusqlite::{OptionalExtension, Transaction, params};

use super::Draft;
use crate::database::{first_text, now, parse, time};
use crate::error::{Attempt, DatabaseAttempt, StoreError};
use crate::snapshot::{LayerId, LayerRow, Snapshot, SnapshotId, insert_layer, insert_snapshot};
use crate::store::{self, Store};

/// A kept draft in use. It is not removed as long as this value lives.
#[derive(Debug)]
pub struct Kept {
    snapshot: Snapshot,
    time: SystemTime,
    record: Vec<u8>,
    /// Locked shared.
    _lock: File,
}

/// What came of the attempt to remove a kept draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// It is gone.
    Gone,
    /// Somebody uses it.
    InUse,
}

impl Kept {
    /// Its files on those of the parent. It is for reading and for drafts that are thrown away.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// When it was kept, to the second.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// What [`Draft::keep`] was told to remember.
    pub fn record(&self) -> &[u8] {
        &self.record
    }
}

impl Draft {
    /// Ends the draft: its files stay, with a record about them, until [`Store::forget_kept`]. Nothing may be
    /// mounted on it any more. `inputs` are further snapshots that the record speaks of.
    pub fn keep(mut self, record: &[u8], inputs: &[SnapshotId]) -> Result<Kept, StoreError> {
        let row = self.become_layer(None)?;
        let kept = self.record_kept(row, record, inputs);
        if kept.is_err() {
            // Without a row the directory is garbage; removing it now is only tidier.
            let _ = store::remove(&self.store.layer_home(LayerId(self.claimed.id)));
        }
        kept
    }

    fn record_kept(&self, row: LayerRow, record: &[u8], inputs: &[SnapshotId]) -> Result<Kept, StoreError> {
        let path = self.store.kept_record(self.claimed.id);
        let mut file = File::create_new(&path).attempt("make", &path)?;
        // Nobody removes what is in use, not even at once.
        file.lock_shared().attempt("lock", &path)?;
        file.write_all(record).attempt("write", &path)?;
        let seconds = now();
        self.store.database().write(|transaction| {
            insert_layer(transaction, LayerId(self.claimed.id), row)?;
            insert_snapshot(transaction, self.claimed.id, &self.parent, LayerId(self.claimed.id))?;
            insert_kept(transaction, self.claimed.id, seconds, inputs)
        })?;
        let snapshot = self.store.snapshot_on(&self.parent, self.claimed.id);
        Ok(Kept { snapshot, time: time(seconds), record: record.to_vec(), _lock: file })
    }
}

impl Store {
    /// The kept drafts by the names of their snapshots, the latest first.
    pub fn kept(&self) -> Result<Vec<SnapshotId>, StoreError> {
        let connection = self.database().connection();
        let mut statement = connection
            .prepare_cached("SELECT snapshot FROM kept ORDER BY number DESC")
            .database("list the kept drafts")?;
        let rows = statement.query_map([], first_text).database("list the kept drafts")?;
        rows.map(|id| parse("snapshot id", &id.database("list the kept drafts")?)).collect()
    }

    /// Begins to use a kept draft; `None` when there is none of that name.
    pub fn open_kept(&self, id: SnapshotId) -> Result<Option<Kept>, StoreError> {
        let path = self.kept_record(id);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).attempt("open", path),
        };
        file.lock_shared().attempt("lock", &path)?;
        // Between opening and locking, somebody may have removed it.
        let Some(seconds) = self.kept_time(id)? else { return Ok(None) };
        let snapshot = self.snapshot(id)?.ok_or(StoreError::SnapshotMissing(id))?;
        let mut record = Vec::new();
        file.read_to_end(&mut record).attempt("read", &path)?;
        Ok(Some(Kept { snapshot, time: time(seconds), record, _lock: file }))
    }

    /// Removes a kept draft, unless it is in use. One that is gone already is no error.
    pub fn forget_kept(&self, id: SnapshotId) -> Result<Forgotten, StoreError> {
        let path = self.kept_record(id);
        let lock = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Forgotten::Gone),
            Err(error) => return Err(error).attempt("open", path),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Forgotten::InUse),
            Err(TryLockError::Error(error)) => return Err(error).attempt("lock", path),
        }
        let was_kept = self.database().write(|transaction| delete_kept(transaction, id))?;
        if was_kept {
            store::remove(&self.layer_home(LayerId(id)))?;
        }
        Ok(Forgotten::Gone)
    }

    /// Removes the oldest kept drafts until so many are left. Those in use stay, and count.
    pub fn forget_oldest_kept(&self, left: usize) -> Result<(), StoreError> {
        let kept = self.kept()?;
        let mut surplus = kept.len().saturating_sub(left);
        for id in kept.into_iter().rev() {
            if surplus == 0 {
                break;
            }
            if self.forget_kept(id)? == Forgotten::Gone {
                surplus -= 1;
            }
        }
        Ok(())
    }

    fn kept_time(&self, id: SnapshotId) -> Result<Option<i64>, StoreError> {
        self.database()
            .connection()
            .query_row("SELECT time FROM kept WHERE snapshot = ?1", [id.to_string()], |row| row.get(0))
            .optional()
            .database("look up a kept draft")
    }

    fn kept_record(&self, id: SnapshotId) -> PathBuf {
        self.layer_home(LayerId(id)).join("kept")
    }
}

fn insert_kept(
    transaction: &Transaction<'_>,
    id: SnapshotId,
    seconds: i64,
    inputs: &[SnapshotId],
) -> Result<(), StoreError> {
    let attempt = "record a kept draft";
    transaction
        .execute("INSERT INTO kept (snapshot, time) VALUES (?1, ?2)", params![id.to_string(), seconds])
        .database(attempt)?;
    for input in inputs.iter().filter(|input| **input != SnapshotId::SCRATCH) {
        transaction
            .execute(
                "INSERT OR IGNORE INTO kept_inputs (kept, snapshot) VALUES (?1, ?2)",
                params![id.to_string(), input.to_string()],
            )
            .database(attempt)?;
    }
    Ok(())
}

/// Removes the rows of a kept draft; `false` when there are none.
fn delete_kept(transaction: &Transaction<'_>, id: SnapshotId) -> Result<bool, StoreError> {
    let delete =
        |statement: &str| transaction.execute(statement, [id.to_string()]).database("remove a kept draft");
    delete("DELETE FROM kept_inputs WHERE kept = ?1")?;
    if delete("DELETE FROM kept WHERE snapshot = ?1")? == 0 {
        return Ok(false);
    }
    delete("DELETE FROM snapshots WHERE id = ?1")?;
    delete("DELETE FROM layers WHERE id = ?1")?;
    Ok(true)
}
