//! What a power failure may take: layers that were not yet written back.
//!
//! ```text
//! ROOT/store.db    unsynced(number, layer, boot): layers whose files the disk may not have yet
//! ```
//! New files lie in the kernel's memory for a while. That is no danger when a process is killed, but after a power
//! failure the database may know a layer whose files are missing, empty or torn. Waiting for the disk after every
//! layer would cost more than making it. So a layer is listed here, in the transaction that records it, together
//! with the boot of the machine that made it; [`Store::sync`] has the whole file system written back, once for all
//! layers of a build, and takes them off the list. An image is recorded when all layers are off it.
//!
//! A listed layer of this boot is as good as any. One of an earlier boot is not to be trusted, since nobody can
//! tell a power failure from an orderly shutdown: when a store is opened, such layers are forgotten, with the
//! snapshots on them. Their directories are then layers without a row, which are removed as such.

use std::sync::{OnceLock, PoisonError};

use rusqlite::{OptionalExtension, Transaction, params};

use crate::error::{Attempt, DatabaseAttempt, StoreError};
use crate::snapshot::LayerId;
use crate::store::Store;

/// Where the kernel names the boot (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What forgets the snapshots in `torn` and everything that needs them. A layer takes its place on the list with it.
const FORGET: [&str; 7] = [
    "DELETE FROM kept_inputs WHERE kept IN torn",
    "DELETE FROM kept WHERE snapshot IN torn",
    "DELETE FROM chains WHERE snapshot IN torn",
    "DELETE FROM tags WHERE image IN (SELECT id FROM images WHERE top IN torn)",
    "DELETE FROM images WHERE top IN torn",
    "DELETE FROM snapshots WHERE id IN torn",
    "DELETE FROM layers WHERE NOT EXISTS (SELECT 1 FROM snapshots WHERE snapshots.layer = layers.id)",
];

/// Snapshots with a layer of another boot than `?1` on the list, those on top of them, and kept drafts that need one.
const TORN: &str = "
    CREATE TEMPORARY TABLE torn AS
    WITH RECURSIVE found(id) AS (
        SELECT snapshots.id FROM unsynced JOIN snapshots ON snapshots.layer = unsynced.layer
        WHERE unsynced.boot <> ?1
        UNION SELECT snapshots.id FROM found JOIN snapshots ON snapshots.parent = found.id
        UNION SELECT kept_inputs.kept FROM found JOIN kept_inputs ON kept_inputs.snapshot = found.id
    )
    SELECT id FROM found";

impl Store {
    /// Has every layer that was recorded so far written back to the disk. Does nothing when they all are.
    ///
    /// Threads take turns: whoever comes while another one waits for the disk finds little left to do.
    pub fn sync(&self) -> Result<(), StoreError> {
        let _turn = self.syncing().lock().unwrap_or_else(PoisonError::into_inner);
        let last: Option<i64> = self
            .database()
            .connection()
            .query_row("SELECT max(number) FROM unsynced", [], |row| row.get(0))
            .database("look for layers that are not written back")?;
        let Some(last) = last else { return Ok(()) };
        std::fs::File::open(self.root())
            .and_then(|directory| Ok(rustix::fs::syncfs(directory)?))
            .attempt("write back", self.root())?;
        self.database().write(|transaction| {
            transaction
                .execute("DELETE FROM unsynced WHERE number <= ?1", [last])
                .database("note that layers are written back")?;
            Ok(())
        })
    }

    /// Forgets the layers that an earlier boot has not written back, and what is made of them.
    pub(crate) fn forget_torn(&self) -> Result<(), StoreError> {
        let is_there = self
            .database()
            .connection()
            .query_row("SELECT 1 FROM unsynced WHERE boot <> ?1", [boot()], |_| Ok(()))
            .optional()
            .database("look for layers of an earlier boot")?;
        if is_there.is_none() {
            return Ok(());
        }
        self.database().write(|transaction| {
            let attempt = "forget the layers of an earlier boot";
            transaction.execute(TORN, [boot()]).database(attempt)?;
            for statement in FORGET {
                let count = transaction.execute(statement, []).database(attempt)?;
                tracing::debug!(statement, count, "forgetting what was not written back");
            }
            transaction.execute("DROP TABLE torn", []).database(attempt)?;
            Ok(())
        })
    }
}

/// Notes that a layer is recorded before it is written back.
pub(crate) fn insert(transaction: &Transaction<'_>, layer: LayerId) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO unsynced (layer, boot) VALUES (?1, ?2)")
        .and_then(|mut statement| statement.execute(params![layer.to_string(), boot()]))
        .database("record a layer")?;
    Ok(())
}

/// The name of this boot. Where it cannot be told, all boots are the same, and nothing is ever distrusted.
fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| std::fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;

    fn listed(store: &Store) -> i64 {
        let connection = store.database().connection();
        connection.query_row("SELECT count(*) FROM unsynced", [], |row| row.get(0)).unwrap()
    }

    fn make(store: &Store, parent: &Snapshot) -> Snapshot {
        store.draft(parent).unwrap().commit().unwrap()
    }

    /// As if the machine had been started anew.
    fn boot_again(store: &Store) {
        store.database().connection().execute("UPDATE unsynced SET boot = 'earlier'", []).unwrap();
    }

    #[test]
    fn what_was_synced_survives_another_boot_and_what_was_not_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let below = make(&store, &store.scratch());
        let other = make(&store, &store.scratch());
        store.sync().unwrap();
        assert_eq!(listed(&store), 0);
        let torn = make(&store, &below);
        let top = make(&store, &torn);
        let rebased = store.rebase(&other, &top).unwrap();
        let kept = store.draft(&below).unwrap().keep(b"record", &[rebased.id()]).unwrap().snapshot().id();
        // Layers of the same boot are trusted.
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        assert!(store.snapshot(rebased.id()).unwrap().is_some());
        boot_again(&store);
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        for id in [torn.id(), top.id(), rebased.id(), kept] {
            assert!(store.snapshot(id).unwrap().is_none(), "{id}");
        }
        for snapshot in [&below, &other] {
            assert!(store.snapshot(snapshot.id()).unwrap().is_some());
        }
        assert_eq!((listed(&store), store.kept().unwrap()), (0, Vec::new()));
        let layers = std::fs::read_dir(directory.path().join("layers")).unwrap().count();
        assert_eq!(layers, 2, "the directories of what is forgotten are gone");
    }

    #[test]
    fn an_image_waits_for_its_layers() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let top = make(&store, &store.scratch());
        let image = crate::NewImage { config: b"{}", top: &top, manifest: None, origin: None };
        let image = store.put_image(&image).unwrap();
        boot_again(&store);
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        assert!(store.image(image.id).unwrap().is_some());
        assert!(store.snapshot(top.id()).unwrap().is_some());
    }
}
