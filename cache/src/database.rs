//! The file on disk.
//!
//! ```text
//! cache.db            SQLite, write-ahead log, synchronous=NORMAL; user_version = FORMAT
//! cache.db-wal, -shm  belong to it
//! cache.db.lock       flock: shared by every process that has the cache open; exclusive while the
//!                     file is made or replaced
//! cache.db.old-…      a file of another format or a damaged one, set aside; may be deleted
//!
//! records     key → result (null once evicted), base, op and inputs = the pre-image
//! aliases     another key → the record that it leads to (one hop, never a chain)
//! positions   Dockerfile, stage, ordinal → records seen there
//! manifests   content digest → the list of files, JSON in zstd
//! layers      snapshot → digest of its layer's content, computed once
//! ```
//!
//! Any number of processes read and write at once; SQLite serialises the writers, and each change
//! is one transaction. A crash at any instant leaves the state before or after the change; a crash
//! of the machine can lose the last transactions, which costs a rebuild and nothing else. Rows
//! whose snapshot the store does not have are found out when they are used.
//!
//! A file of another format is set aside rather than converted: a cache may be lost.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use crate::CacheError;

/// The format of the file. Another number is another format, older or newer.
const FORMAT: i64 = 1;

/// How long a statement waits for a writer of another process.
const BUSY: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
    CREATE TABLE records (
        key TEXT PRIMARY KEY, result TEXT, base TEXT, op TEXT NOT NULL, inputs TEXT NOT NULL,
        created INTEGER NOT NULL, duration INTEGER NOT NULL, last_used INTEGER NOT NULL, evicted INTEGER
    );
    CREATE INDEX records_by_base ON records (base, created) WHERE result IS NOT NULL;
    CREATE INDEX records_by_result ON records (result) WHERE result IS NOT NULL;
    CREATE TABLE aliases (
        key TEXT PRIMARY KEY, record TEXT NOT NULL REFERENCES records (key) ON DELETE CASCADE
    ) WITHOUT ROWID;
    CREATE INDEX aliases_by_record ON aliases (record);
    CREATE TABLE positions (
        dockerfile TEXT NOT NULL, stage TEXT NOT NULL, ordinal INTEGER NOT NULL,
        record TEXT NOT NULL REFERENCES records (key) ON DELETE CASCADE, seen INTEGER NOT NULL,
        PRIMARY KEY (dockerfile, stage, ordinal, record)
    ) WITHOUT ROWID;
    CREATE INDEX positions_by_record ON positions (record);
    CREATE TABLE manifests (digest TEXT PRIMARY KEY, files BLOB NOT NULL);
    CREATE TABLE layers (snapshot TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID;
";

/// An open file: one connection for reading, which never waits for a writer, one for writing.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) reader: Connection,
    pub(crate) writer: Connection,
    /// Held shared as long as the file is open.
    pub(crate) lock: File,
}

impl Database {
    /// Opens the file, makes it and its directory if they are missing, replaces it if it is of another format.
    pub(crate) fn open(path: &Path) -> Result<Self, CacheError> {
        let lock_path = beside(path, ".lock");
        let failed = |source| CacheError::Lock { path: lock_path.clone(), source };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => prepare(path)?,
            // Somebody has it open, or is preparing it right now; the shared lock waits for that.
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        lock.lock_shared().map_err(failed)?;
        let opened = |source| CacheError::Open { path: path.to_owned(), source };
        let found = format_of(path).map_err(opened)?;
        if found != FORMAT {
            return Err(CacheError::OtherFormatInUse { path: path.to_owned(), found, expected: FORMAT });
        }
        let reader = connect(path).map_err(opened)?;
        let writer = connect(path).map_err(opened)?;
        Ok(Self { reader, writer, lock })
    }
}

/// Makes the file what this program expects. The caller has it alone.
fn prepare(path: &Path) -> Result<(), CacheError> {
    match format_of(path) {
        Ok(FORMAT) => return Ok(()),
        Ok(0) if !path.exists() => {}
        Ok(found) => set_aside(path, &found.to_string())?,
        Err(error) if is_damaged(&error) => set_aside(path, "damaged")?,
        Err(source) => return Err(CacheError::Open { path: path.to_owned(), source }),
    }
    create(path).map_err(|source| CacheError::Open { path: path.to_owned(), source })
}

/// The number in the file; 0 if there is no file, or one that was never finished.
fn format_of(path: &Path) -> Result<i64, rusqlite::Error> {
    if !path.exists() {
        return Ok(0);
    }
    connect(path)?.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn create(path: &Path) -> Result<(), rusqlite::Error> {
    let mut connection = connect(path)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(connection)
}

/// Renames the file and what belongs to it.
fn set_aside(path: &Path, why: &str) -> Result<(), CacheError> {
    let now = milliseconds(SystemTime::now());
    let target = beside(path, &format!(".old-{why}-{now}"));
    tracing::warn!(why, path = %path.display(), to = %target.display(), "the cache is set aside; beginning a new one");
    for suffix in ["-wal", "-shm", ""] {
        let from = beside(path, suffix);
        match std::fs::rename(&from, beside(&target, suffix)) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(CacheError::SetAside { path: from, source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Milliseconds since 1970, which is how times are stored.
pub(crate) fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time that was stored as milliseconds since 1970.
pub(crate) fn time(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_version(path: &Path, version: i64) {
        Connection::open(path).unwrap().pragma_update(None, "user_version", version).unwrap();
    }

    fn set_aside_files(directory: &Path) -> usize {
        let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("cache.db.old-")).count()
    }

    #[test]
    fn another_format_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache.db");
        drop(Database::open(&path).unwrap());
        assert_eq!(set_aside_files(directory.path()), 0);
        for other in [0, FORMAT + 1] {
            user_version(&path, other);
            drop(Database::open(&path).unwrap());
            assert_eq!(format_of(&path).unwrap(), FORMAT);
        }
        assert_eq!(set_aside_files(directory.path()), 2);
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache.db");
        std::fs::write(&path, "this is no database, whatever its name says".repeat(100)).unwrap();
        drop(Database::open(&path).unwrap());
        assert_eq!(set_aside_files(directory.path()), 1);
    }

    #[test]
    fn a_file_in_use_is_never_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache.db");
        let in_use = Database::open(&path).unwrap();
        in_use.writer.pragma_update(None, "user_version", FORMAT + 1).unwrap();
        let error = Database::open(&path).unwrap_err();
        assert!(
            matches!(error, CacheError::OtherFormatInUse { found, .. } if found == FORMAT + 1),
            "{error}"
        );
        assert_eq!(set_aside_files(directory.path()), 0);
    }

    #[test]
    fn many_open_it_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache.db");
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Database::open(&path).map(drop))).collect();
            for thread in threads {
                thread.join().unwrap().unwrap();
            }
        });
        assert_eq!(set_aside_files(directory.path()), 0);
    }
}
