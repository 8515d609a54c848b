//! The store's index: one SQLite file in WAL mode, shared by any number of processes.
//!
//! The database says what exists; the bytes are plain files beside it. A row is written after the files it
//! speaks of are in place, and in one transaction, so a process that is killed at any instant leaves files
//! without a row (garbage, see [`crate::Store::open`]) but never a row without files. `synchronous=NORMAL`: a
//! power failure may lose the last transactions, never the database. What it may do to the files that the rows speak of
//! is told in [`crate::unsynced`].

use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

use crate::error::{DatabaseAttempt, StoreError};

/// `PRAGMA user_version` of the newest schema. A later program migrates; an older one refuses.
const SCHEMA_VERSION: i64 = 3;

/// How long a statement waits for another process's transaction. Those take milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// What makes each version of the schema out of the one before it; the first out of an empty file.
const SCHEMA: [&str; 3] = [VERSION_1, VERSION_2, VERSION_3];

const VERSION_1: &str = "
-- A directory ROOT/layers/<id>, named after the snapshot it was made for.
CREATE TABLE layers (
    id         TEXT PRIMARY KEY,
    -- 1: the layer says something about the root directory itself
    root_entry INTEGER NOT NULL,
    -- digest of its tar form: known at once for an unpacked layer, else computed when first asked for
    diff_id    TEXT,
    -- 1: packing the directory gives the bytes of diff_id; 0: only an original blob does
    canonical  INTEGER NOT NULL,
    -- bytes of its regular files, computed when first asked for
    size       INTEGER
) STRICT;
-- A layer on a parent. Several snapshots may share a layer.
CREATE TABLE snapshots (
    id      TEXT PRIMARY KEY,
    parent  TEXT REFERENCES snapshots(id),
    layer   TEXT NOT NULL REFERENCES layers(id),
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX snapshots_parent ON snapshots(parent);
CREATE INDEX snapshots_layer ON snapshots(layer);
-- The snapshot that has the layers of an OCI chain id.
CREATE TABLE chains (
    chain_id TEXT PRIMARY KEY,
    snapshot TEXT NOT NULL REFERENCES snapshots(id)
) STRICT;
CREATE INDEX chains_snapshot ON chains(snapshot);
-- Blobs in ROOT/blobs that are a layer's tar form in some encoding.
CREATE TABLE layer_blobs (
    diff_id    TEXT NOT NULL,
    -- how it was made here ('gzip-6', …), or 'original' when it came from elsewhere
    encoding   TEXT NOT NULL,
    descriptor TEXT NOT NULL,
    PRIMARY KEY (diff_id, encoding, descriptor)
) STRICT;
-- Compressed forms of layers that a registry is known to have.
CREATE TABLE remote_layers (
    diff_id    TEXT NOT NULL,
    repository TEXT NOT NULL,
    descriptor TEXT NOT NULL,
    PRIMARY KEY (diff_id, repository, descriptor)
) STRICT;
-- An image is its config blob; `top` has its layers.
CREATE TABLE images (
    id       TEXT PRIMARY KEY,
    top      TEXT NOT NULL,
    stored   INTEGER NOT NULL,
    -- descriptor of the manifest it came with, as JSON
    manifest TEXT
) STRICT;
CREATE TABLE tags (
    reference TEXT PRIMARY KEY,
    image     TEXT NOT NULL REFERENCES images(id)
) STRICT;
CREATE INDEX tags_image ON tags(image);
";

const VERSION_2: &str = "
-- Drafts that were kept as snapshots; nothing else refers to those.
CREATE TABLE kept (
    -- grows: the order in which they were kept
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    snapshot TEXT NOT NULL UNIQUE REFERENCES snapshots(id),
    time     INTEGER NOT NULL
) STRICT;
-- What is needed to use a kept draft again, beside its parent.
CREATE TABLE kept_inputs (
    kept     TEXT NOT NULL REFERENCES kept(snapshot),
    snapshot TEXT NOT NULL REFERENCES snapshots(id),
    PRIMARY KEY (kept, snapshot)
) STRICT;
CREATE INDEX kept_inputs_snapshot ON kept_inputs(snapshot);
";

const VERSION_3: &str = "
-- Layers whose files may not have reached the disk yet, and the boot of the machine that made them.
CREATE TABLE unsynced (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    layer  TEXT NOT NULL UNIQUE REFERENCES layers(id) ON DELETE CASCADE,
    boot   TEXT NOT NULL
) STRICT;
";

/// One connection per open store; threads take turns, which is enough for statements of microseconds.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens the file, making it and its tables when it is new.
    pub(crate) fn open(path: &Path, root: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path).database("open the file")?;
        connection.busy_timeout(BUSY_TIMEOUT).database("set the busy timeout")?;
        let _mode: String = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .database("switch to write-ahead logging")?;
        connection.pragma_update(None, "synchronous", "NORMAL").database("set the synchronous mode")?;
        connection.pragma_update(None, "foreign_keys", true).database("switch foreign keys on")?;
        let found = version(&connection)?;
        if !(0..=SCHEMA_VERSION).contains(&found) {
            return Err(StoreError::Format {
                root: root.to_owned(),
                found: format!("database {found}"),
                expected: format!("database {SCHEMA_VERSION}"),
            });
        }
        if found != SCHEMA_VERSION {
            migrate(&mut connection)?;
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// The connection, for single statements.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere cannot leave a transaction open: dropping one rolls it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs statements as one transaction. It takes the write lock at the start, so that it never fails half way
    /// because another process wrote in between.
    pub(crate) fn write<T>(
        &self,
        statements: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .database("begin a transaction")?;
        let result = statements(&transaction)?;
        transaction.commit().database("commit a transaction")?;
        Ok(result)
    }
}

fn version(connection: &Connection) -> Result<i64, StoreError> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).database("read the schema version")
}

/// Brings the tables to the newest version, in one transaction.
fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .database("begin a transaction")?;
    // Another process may have been first.
    let found = usize::try_from(version(&transaction)?).unwrap_or_default();
    for statements in SCHEMA.iter().skip(found) {
        transaction.execute_batch(statements).database("make the tables")?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION).database("set the schema version")?;
    transaction.commit().database("commit a transaction")
}

/// A text column in the form of its type.
pub(crate) fn parse<T: FromStr>(what: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt { what, value: text.to_owned() })
}

/// A text column that holds JSON.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { what, value: text.to_owned() })
}

/// The first column, as text.
pub(crate) fn first_text(row: &Row<'_>) -> rusqlite::Result<String> {
    row.get(0)
}

/// Seconds since 1970, now.
pub(crate) fn now() -> i64 {
    crate::metadata::Timestamp::now().seconds
}

/// The time of so many seconds since 1970, as [`now`] gives them.
pub(crate) fn time(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_database_is_migrated_and_a_newer_one_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(VERSION_1).unwrap();
        old.execute_batch("INSERT INTO layers VALUES ('a', 0, NULL, 1, NULL)").unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        let new = Database::open(&path, directory.path()).unwrap();
        let count = |table: &str| {
            let query = format!("SELECT count(*) FROM {table}");
            new.connection().query_row(&query, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!((count("layers"), count("kept")), (1, 0));
        new.connection().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
        drop(new);
        let refused = Database::open(&path, directory.path()).unwrap_err();
        assert!(matches!(refused, StoreError::Format { .. }), "{refused}");
    }
}
