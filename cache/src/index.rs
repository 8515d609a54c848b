//! The index itself.
//!
//! A key leads to a record directly or through one alias. Two keys are aliased in three cases:
//!
//! - *definition → content*: a step with inputs by content is recorded under its content key; the
//!   key made of its inputs' keys leads there, so the next build need not hash anything.
//! - *new → equal*: a step ran, its layer equals that of an earlier record on the same base
//!   ([`Cache::equate`]); what was built on that record is found for the new key as well.
//! - *key → refreshed*: a step was run again on demand and gave something new
//!   ([`CacheKey::refreshed`]); the newest result wins.
//!
//! Removing a result leaves the key behind ([`Lookup::Evicted`]): later steps that were built on
//! it are still found, and a miss can say that the result was removed.

use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use image::Digest;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use store::SnapshotId;

use crate::content::{ContentKey, FileEntry};
use crate::database::{Database, milliseconds, time};
use crate::diff::StoredInput;
use crate::record::{NewRecord, Position, Record};
use crate::{CacheError, CacheKey, InputKey, KeyImage, Miss, diff};

/// Uses are written down with the next change, or when so many have come together.
const USES_AT_ONCE: usize = 512;

/// How many earlier records on the same base are compared with a new layer. Each comparison may
/// read a layer, once.
const SIBLINGS: usize = 8;

/// How many earlier records of a position are compared to explain a miss.
const CANDIDATES: usize = 16;

const COLUMNS: &str = "key, result, base, created, duration, last_used";

/// The memory of what was built. Shared by threads; several processes may have the file open.
#[derive(Debug)]
pub struct Cache {
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
    uses: Mutex<Vec<Use>>,
    /// Keeps the file from being set aside by a program of another version.
    _lock: std::fs::File,
}

#[derive(Debug)]
struct Use {
    key: CacheKey,
    position: Option<Position>,
    at: SystemTime,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// There is a result.
    Hit(Record),
    /// There was one, and later steps may still be known by its key.
    Evicted {
        /// The canonical key.
        key: CacheKey,
        /// When it was removed.
        at: SystemTime,
    },
    /// Nothing.
    Unknown,
}

impl Cache {
    /// Opens the file, making it if it is missing. A file of another format is set aside.
    pub fn open(path: &Path) -> Result<Self, CacheError> {
        let Database { reader, writer, lock } = Database::open(path)?;
        Ok(Self {
            reader: Mutex::new(reader),
            writer: Mutex::new(writer),
            uses: Mutex::default(),
            _lock: lock,
        })
    }

    /// What is known of a key, by its own record or by an alias.
    pub fn lookup(&self, key: CacheKey) -> Result<Lookup, CacheError> {
        let connection = lock(&self.reader);
        let found = || {
            let mut statement = connection.prepare_cached(
                "SELECT key, result, base, created, duration, last_used, evicted FROM records
                 WHERE key = coalesce((SELECT record FROM aliases WHERE key = ?1), ?1)",
            )?;
            let found = |row: &Row<'_>| {
                if let Some(evicted) = row.get::<_, Option<i64>>("evicted")? {
                    return Ok(Lookup::Evicted { key: parsed(row, "key")?, at: time(evicted) });
                }
                Ok(Lookup::Hit(record(row)?))
            };
            statement.query_row([key.to_string()], found).optional()
        };
        match found() {
            // A row that cannot be read is as good as none, and is replaced by the rebuilt one.
            Err(rusqlite::Error::FromSqlConversionFailure(..)) => Ok(Lookup::Unknown),
            found => Ok(found.map_err(query("look up a key"))?.unwrap_or(Lookup::Unknown)),
        }
    }

    /// Remembers a step that was run, in one transaction. What was remembered under the same key
    /// is replaced.
    pub fn insert(&self, new: &NewRecord<'_>) -> Result<Record, CacheError> {
        let manifests = manifests(new.image)?;
        let now = SystemTime::now();
        self.change("insert a record", |transaction| {
            write_record(transaction, new, milliseconds(now))?;
            for (digest, files) in &manifests {
                let mut statement = transaction
                    .prepare_cached("INSERT OR IGNORE INTO manifests (digest, files) VALUES (?1, ?2)")?;
                statement.execute(params![digest.to_string(), files])?;
            }
            for alias in new.aliases {
                write_alias(transaction, *alias, new.key)?;
            }
            if let Some(position) = new.position {
                write_position(transaction, position, new.key, milliseconds(now))?;
            }
            Ok(())
        })?;
        let (key, result, base, duration) = (new.key, new.result, new.base, new.duration);
        Ok(Record { key, result, base, created: now, duration, last_used: now })
    }

    /// A step whose result was gone was run once more: its record has a result again.
    pub fn renew(&self, key: CacheKey, result: SnapshotId, duration: Duration) -> Result<(), CacheError> {
        self.change("renew a record", |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE records SET result = ?2, created = ?3, duration = ?4, last_used = ?3, evicted = NULL
                     WHERE key = ?1",
                )?
                .execute(params![
                    key.to_string(),
                    result.to_string(),
                    milliseconds(SystemTime::now()),
                    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
                ])
                .map(drop)
        })
    }

    /// From now on `key` leads to the record of `to`.
    pub fn alias(&self, key: CacheKey, to: CacheKey) -> Result<(), CacheError> {
        self.change("insert an alias", |transaction| write_alias(transaction, key, to))
    }

    /// The step that was just recorded under `made` turned out to have the result of `equal`: its
    /// record takes that result over, and all `keys` lead to `equal`.
    pub fn equate(&self, made: CacheKey, keys: &[CacheKey], equal: &Record) -> Result<(), CacheError> {
        self.change("equate two records", |transaction| {
            transaction
                .prepare_cached("UPDATE records SET result = ?2 WHERE key = ?1")?
                .execute([made.to_string(), equal.result.to_string()])?;
            for key in keys.iter().chain([&made]) {
                write_alias(transaction, *key, equal.key)?;
            }
            Ok(())
        })
    }

    /// Notes that a build used a record, and where. It is written down with the next change, or
    /// by [`Cache::flush`], or when the cache is dropped.
    pub fn used(&self, key: CacheKey, position: Option<&Position>) -> Result<(), CacheError> {
        let mut uses = lock(&self.uses);
        uses.push(Use { key, position: position.cloned(), at: SystemTime::now() });
        let full = uses.len() >= USES_AT_ONCE;
        drop(uses);
        if full { self.flush() } else { Ok(()) }
    }

    /// Writes down the uses that were noted.
    pub fn flush(&self) -> Result<(), CacheError> {
        if lock(&self.uses).is_empty() {
            return Ok(());
        }
        self.change("note the use of records", |_| Ok(()))
    }

    /// The latest results on the same base, newest first; not that of `except`. Neither evicted
    /// results are among them, nor records that were equated: what follows an equal result is known
    /// by the canonical key.
    pub fn siblings(&self, base: CacheKey, except: CacheKey) -> Result<Vec<Record>, CacheError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM records WHERE base = ?1 AND result IS NOT NULL AND key <> ?2
                AND NOT EXISTS (
                    SELECT 1 FROM aliases JOIN records AS canonical ON canonical.key = aliases.record
                    WHERE aliases.key = records.key AND canonical.result = records.result
                )
             ORDER BY created DESC LIMIT {SIBLINGS}"
        );
        let connection = lock(&self.reader);
        let mut statement = connection.prepare_cached(&sql).map_err(query("find siblings"))?;
        statement
            .query_map([base.to_string(), except.to_string()], record)
            .and_then(Iterator::collect)
            .map_err(query("find siblings"))
    }

    /// The digest of the content of a snapshot's layer, if it was remembered.
    pub fn layer_digest(&self, snapshot: SnapshotId) -> Result<Option<Digest>, CacheError> {
        let connection = lock(&self.reader);
        connection
            .prepare_cached("SELECT digest FROM layers WHERE snapshot = ?1")
            .and_then(|mut statement| {
                statement.query_row([snapshot.to_string()], |row| parsed(row, "digest")).optional()
            })
            .map_err(query("look up a layer digest"))
    }

    /// Remembers the digest of the content of a snapshot's layer.
    pub fn remember_layer_digest(&self, snapshot: SnapshotId, digest: Digest) -> Result<(), CacheError> {
        self.change("insert a layer digest", |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO layers (snapshot, digest) VALUES (?1, ?2)")?
                .execute([snapshot.to_string(), digest.to_string()])
                .map(drop)
        })
    }

    /// Why there is no record for `image`: the difference to the nearest earlier record of the
    /// same position, or else of the same operation in the same stage.
    ///
    /// Whether the key itself was evicted, [`Cache::lookup`] has said before.
    pub fn explain(&self, position: Option<&Position>, image: &KeyImage) -> Result<Miss, CacheError> {
        let Some(position) = position else { return Ok(Miss::NeverBuilt) };
        let connection = lock(&self.reader);
        let (attempt, op) = ("explain a miss", operation(image));
        for place in [Place::Ordinal(position), Place::Stage(position, &op)] {
            let earlier = candidates(&connection, place).map_err(query(attempt))?;
            if let Some(nearest) = diff::nearest(&earlier, image) {
                let files = |digest: Digest| manifest(&connection, digest);
                return Ok(Miss::Changed(diff::explain(&nearest, image, files).map_err(query(attempt))?));
            }
        }
        Ok(Miss::NeverBuilt)
    }

    /// Every snapshot that a record needs: what a garbage collection of the store has to keep.
    pub fn results(&self) -> Result<Vec<SnapshotId>, CacheError> {
        let connection = lock(&self.reader);
        connection
            .prepare_cached("SELECT DISTINCT result FROM records WHERE result IS NOT NULL ORDER BY result")
            .and_then(|mut statement| {
                statement.query_map([], |row| parsed(row, "result"))?.collect::<Result<Vec<_>, _>>()
            })
            .map_err(query("list the results"))
    }

    /// The result is gone: all records that have it lose it. Their keys stay known.
    pub fn evict(&self, result: SnapshotId) -> Result<(), CacheError> {
        self.change("evict a result", |transaction| {
            transaction
                .prepare_cached("UPDATE records SET result = NULL, evicted = ?2 WHERE result = ?1")?
                .execute(params![result.to_string(), milliseconds(SystemTime::now())])?;
            transaction
                .prepare_cached("DELETE FROM layers WHERE snapshot = ?1")?
                .execute([result.to_string()])
                .map(drop)
        })
    }

    /// One transaction, which also writes down the uses.
    fn change(
        &self,
        attempt: &'static str,
        body: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), CacheError> {
        let mut writer = lock(&self.writer);
        let uses = std::mem::take(&mut *lock(&self.uses));
        let all = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for used in &uses {
                write_use(&transaction, used)?;
            }
            body(&transaction)?;
            transaction.commit()
        };
        all().map_err(query(attempt))
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::warn!(?error, "the last uses of the cache are not written down");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves a connection usable: its transaction was rolled back.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn query(attempt: &'static str) -> impl Fn(rusqlite::Error) -> CacheError {
    move |source| CacheError::Query { attempt, source }
}

/// A column that is text, as the value it stands for.
fn parsed<T>(row: &Row<'_>, column: &str) -> Result<T, rusqlite::Error>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(unreadable)
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}

/// A row with [`COLUMNS`] whose result is not null.
fn record(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    let base: Option<String> = row.get("base")?;
    let duration: i64 = row.get("duration")?;
    Ok(Record {
        key: parsed(row, "key")?,
        result: parsed(row, "result")?,
        base: base.map(|base| base.parse()).transpose().map_err(unreadable)?,
        created: time(row.get("created")?),
        duration: Duration::from_millis(u64::try_from(duration).unwrap_or_default()),
        last_used: time(row.get("last_used")?),
    })
}

fn operation(image: &KeyImage) -> String {
    String::from_utf8_lossy(&image.op.encode()).into_owned()
}

fn write_record(transaction: &Transaction<'_>, new: &NewRecord<'_>, now: i64) -> Result<(), rusqlite::Error> {
    let inputs: Vec<StoredInput> = new.image.inputs.iter().map(StoredInput::from).collect();
    let inputs = serde_json::to_string(&inputs).map_err(unreadable)?;
    transaction
        .prepare_cached(
            "INSERT INTO records (key, result, base, op, inputs, created, duration, last_used)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6)
             ON CONFLICT (key) DO UPDATE SET result = excluded.result, base = excluded.base, op = excluded.op,
                inputs = excluded.inputs, created = excluded.created, duration = excluded.duration,
                last_used = excluded.last_used, evicted = NULL",
        )?
        .execute(params![
            new.key.to_string(),
            new.result.to_string(),
            new.base.map(|base| base.to_string()),
            operation(new.image),
            inputs,
            now,
            i64::try_from(new.duration.as_millis()).unwrap_or(i64::MAX),
        ])
        .map(drop)
}

fn write_alias(transaction: &Transaction<'_>, key: CacheKey, to: CacheKey) -> Result<(), rusqlite::Error> {
    if key == to {
        // The record of this key counts again, whatever replaced it in between.
        return transaction
            .prepare_cached("DELETE FROM aliases WHERE key = ?1")?
            .execute([key.to_string()])
            .map(drop);
    }
    transaction
        .prepare_cached("INSERT OR REPLACE INTO aliases (key, record) VALUES (?1, ?2)")?
        .execute([key.to_string(), to.to_string()])
        .map(drop)
}

fn write_position(
    transaction: &Transaction<'_>,
    position: &Position,
    key: CacheKey,
    now: i64,
) -> Result<(), rusqlite::Error> {
    // The record may have been removed since it was looked up.
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO positions (dockerfile, stage, ordinal, record, seen)
             SELECT ?1, ?2, ?3, key, ?5 FROM records WHERE key = ?4",
        )?
        .execute(params![position.dockerfile, position.stage, position.ordinal, key.to_string(), now])
        .map(drop)
}

fn write_use(transaction: &Transaction<'_>, used: &Use) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("UPDATE records SET last_used = max(last_used, ?2) WHERE key = ?1")?
        .execute(params![used.key.to_string(), milliseconds(used.at)])?;
    match &used.position {
        Some(position) => write_position(transaction, position, used.key, milliseconds(used.at)),
        None => Ok(()),
    }
}

/// Where earlier records are looked for.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// At this position.
    Ordinal(&'a Position),
    /// Anywhere in this stage, with this operation.
    Stage(&'a Position, &'a str),
}

/// The pre-images of the records at a place, the last seen first.
fn candidates(connection: &Connection, place: Place<'_>) -> Result<Vec<diff::Earlier>, rusqlite::Error> {
    let (position, filter, value) = match place {
        Place::Ordinal(position) => {
            (position, "ordinal = ?3", rusqlite::types::Value::from(position.ordinal))
        }
        Place::Stage(position, op) => (position, "op = ?3", rusqlite::types::Value::from(op.to_owned())),
    };
    let sql = format!(
        "SELECT op, inputs FROM positions JOIN records ON records.key = positions.record
         WHERE dockerfile = ?1 AND stage = ?2 AND {filter} ORDER BY seen DESC, key LIMIT {CANDIDATES}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![position.dockerfile, position.stage, value], |row| {
        let (op, inputs): (String, String) = (row.get("op")?, row.get("inputs")?);
        Ok(serde_json::from_str(&inputs).ok().map(|inputs| diff::Earlier { op, inputs }))
    })?;
    // A pre-image that cannot be read explains nothing.
    rows.filter_map(Result::transpose).collect()
}

/// The lists of files of all inputs by content, compressed.
fn manifests(image: &KeyImage) -> Result<Vec<(Digest, Vec<u8>)>, CacheError> {
    let mut manifests = Vec::new();
    for input in &image.inputs {
        if let InputKey::Content(ContentKey { digest, files }) = input {
            let failed = |source| CacheError::Compress { digest: *digest, source };
            let json = serde_json::to_vec(&**files).map_err(|error| failed(io::Error::from(error)))?;
            manifests.push((*digest, zstd::encode_all(json.as_slice(), 3).map_err(failed)?));
        }
    }
    Ok(manifests)
}

/// A stored list of files; none if it is not there or cannot be read.
fn manifest(connection: &Connection, digest: Digest) -> Result<Option<Vec<FileEntry>>, rusqlite::Error> {
    let stored: Option<Vec<u8>> = connection
        .prepare_cached("SELECT files FROM manifests WHERE digest = ?1")?
        .query_row([digest.to_string()], |row| row.get(0))
        .optional()?;
    Ok(stored.and_then(|stored| serde_json::from_slice(&zstd::decode_all(stored.as_slice()).ok()?).ok()))
}
