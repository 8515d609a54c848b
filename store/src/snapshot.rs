//! Snapshots: immutable file trees, each one layer on top of its parent.
//!
//! ```text
//! ROOT/layers/<id>/fs    one layer: what changed, in the form of an overlayfs upper directory
//! ROOT/store.db          snapshots(id, parent, layer): which layer lies on which snapshot
//! ```
//!
//! A snapshot is visible when its row is; the row is written after the layer directory is complete. A layer
//! directory without a row was left by a killed process and is removed when a store is opened by nobody else.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use image::{ChainId, DiffId};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::confined::{ConfinedDirectory, Top};
use crate::database::{self, first_text, parse, time};
use crate::error::{DatabaseAttempt, StoreError};
use crate::store::Store;
use crate::tree::Tree;
use crate::unsynced;

/// Names a snapshot within one store: 128 random bits, as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId([u8; 16]);

/// A text that is no [`SnapshotId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a snapshot id: {0}")]
pub struct InvalidSnapshotId(String);

impl SnapshotId {
    /// The snapshot without any layer, which `FROM scratch` starts from.
    pub const SCRATCH: Self = Self([0; 16]);

    pub(crate) fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotId({self})")
    }
}

impl FromStr for SnapshotId {
    type Err = InvalidSnapshotId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidSnapshotId(text.to_owned()))?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for SnapshotId {
    type Error = InvalidSnapshotId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> Self {
        id.to_string()
    }
}

/// An immutable file tree: a layer on a parent, down to scratch. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Base first; empty for scratch.
    chain: Arc<[Link]>,
    /// The file tree, which remembers what it has found out.
    tree: Arc<OnceLock<Tree>>,
}

/// One step of a snapshot's chain.
#[derive(Debug, Clone)]
struct Link {
    snapshot: SnapshotId,
    layer: LayerId,
    directory: ConfinedDirectory,
}

/// Names a directory under `ROOT/layers`: that of the snapshot it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayerId(pub(crate) SnapshotId);

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the database says about a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerRow {
    pub(crate) root_entry: bool,
    pub(crate) diff_id: Option<DiffId>,
    pub(crate) canonical: bool,
    pub(crate) size: Option<u64>,
}

impl Snapshot {
    pub(crate) fn scratch() -> Self {
        Self::of([].into())
    }

    fn of(chain: Arc<[Link]>) -> Self {
        Self { chain, tree: Arc::default() }
    }

    /// Its name.
    pub fn id(&self) -> SnapshotId {
        self.chain.last().map_or(SnapshotId::SCRATCH, |top| top.snapshot)
    }

    /// Whether it has no layer at all.
    pub fn is_scratch(&self) -> bool {
        self.chain.is_empty()
    }

    /// How many layers it has.
    pub fn depth(&self) -> usize {
        self.chain.len()
    }

    /// What lies below its layer; `None` for scratch.
    pub fn parent(&self) -> Option<Snapshot> {
        let (_, below) = self.chain.split_last()?;
        Some(Self::of(below.into()))
    }

    /// The snapshots whose layers it consists of, base first, itself last; none for scratch.
    pub fn layers(&self) -> Vec<Snapshot> {
        (1..=self.chain.len()).filter_map(|length| Some(Self::of(self.chain.get(..length)?.into()))).collect()
    }

    /// The layer directories as `lowerdir`s of an overlay, top first; none for scratch. Empty ones are left out, but
    /// for the topmost, whose attributes are those of the root.
    pub fn lowers(&self) -> Vec<PathBuf> {
        let top = self.chain.len().saturating_sub(1);
        let shown = self.chain.iter().enumerate().filter(|(position, link)| {
            // What cannot be read is for the kernel to complain about.
            *position == top || !link.directory.top().is_ok_and(|known| known.is_some_and(Top::is_nothing))
        });
        shown.rev().map(|(_, link)| link.directory.path().to_owned()).collect()
    }

    /// The file tree.
    pub fn tree(&self) -> Tree {
        self.tree.get_or_init(|| Tree::layered(self.directories().collect())).clone()
    }

    /// The layer directories, top first.
    pub(crate) fn directories(&self) -> impl Iterator<Item = ConfinedDirectory> {
        self.chain.iter().rev().map(|link| link.directory.clone())
    }

    /// Its own layer; `None` for scratch.
    pub(crate) fn layer(&self) -> Option<(LayerId, &ConfinedDirectory)> {
        self.chain.last().map(|top| (top.layer, &top.directory))
    }
}

impl Store {
    /// The snapshot without any layer.
    pub fn scratch(&self) -> Snapshot {
        Snapshot::scratch()
    }

    /// The snapshot of that name; `None` when the store does not have it.
    pub fn snapshot(&self, id: SnapshotId) -> Result<Option<Snapshot>, StoreError> {
        if id == SnapshotId::SCRATCH {
            return Ok(Some(Snapshot::scratch()));
        }
        let connection = self.database().connection();
        let mut statement = connection
            .prepare_cached(
                "WITH RECURSIVE chain(id, parent, layer, depth) AS (
                     SELECT id, parent, layer, 0 FROM snapshots WHERE id = ?1
                     UNION ALL
                     SELECT below.id, below.parent, below.layer, chain.depth + 1
                     FROM chain JOIN snapshots AS below ON below.id = chain.parent
                 )
                 SELECT id, layer FROM chain ORDER BY depth DESC",
            )
            .database("look up a snapshot")?;
        let rows = statement
            .query_map([id.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .database("look up a snapshot")?;
        let mut chain = Vec::new();
        for row in rows {
            let (snapshot, layer) = row.database("look up a snapshot")?;
            let layer = LayerId(parse("snapshot id", &layer)?);
            chain.push(Link {
                snapshot: parse("snapshot id", &snapshot)?,
                layer,
                directory: self.layer_directory(layer).finished(),
            });
        }
        Ok((!chain.is_empty()).then(|| Snapshot::of(chain.into())))
    }

    /// The snapshot whose layers have that OCI chain id: unpacked or packed here before.
    pub fn snapshot_of_chain(&self, chain: ChainId) -> Result<Option<Snapshot>, StoreError> {
        let id = self
            .database()
            .connection()
            .query_row("SELECT snapshot FROM chains WHERE chain_id = ?1", [chain.to_string()], first_text)
            .optional()
            .database("look up a chain id")?;
        match id {
            Some(id) => self.snapshot(parse("snapshot id", &id)?),
            None => Ok(None),
        }
    }

    /// When a snapshot was made, to the second. Scratch was made at the beginning of 1970.
    pub fn created(&self, snapshot: &Snapshot) -> Result<SystemTime, StoreError> {
        if snapshot.is_scratch() {
            return Ok(SystemTime::UNIX_EPOCH);
        }
        let seconds: i64 = self
            .database()
            .connection()
            .query_row("SELECT created FROM snapshots WHERE id = ?1", [snapshot.id().to_string()], |row| {
                row.get(0)
            })
            .database("look up when a snapshot was made")?;
        Ok(time(seconds))
    }

    /// The layer of one snapshot on another parent: a new snapshot, and no bytes moved. Scratch has no layer, so
    /// its rebase is `onto` itself.
    pub fn rebase(&self, layer_of: &Snapshot, onto: &Snapshot) -> Result<Snapshot, StoreError> {
        let Some((layer, directory)) = layer_of.layer() else { return Ok(onto.clone()) };
        let id = SnapshotId::random()?;
        self.database().write(|transaction| insert_snapshot(transaction, id, onto, layer))?;
        Ok(stacked(onto, Link { snapshot: id, layer, directory: directory.clone() }))
    }

    /// Records a layer whose directory is in place, and the snapshot that it makes on `parent`.
    ///
    /// With `chain`, the snapshot is the one of that chain id, unless another process was faster: then the
    /// result is `None` and nothing is recorded.
    pub(crate) fn record_snapshot(
        &self,
        id: SnapshotId,
        parent: &Snapshot,
        row: LayerRow,
        chain: Option<ChainId>,
    ) -> Result<Option<Snapshot>, StoreError> {
        let layer = LayerId(id);
        let is_new = self.database().write(|transaction| {
            if let Some(chain) = chain
                && chain_exists(transaction, chain)?
            {
                return Ok(false);
            }
            insert_layer(transaction, layer, row)?;
            insert_snapshot(transaction, id, parent, layer)?;
            if let Some(chain) = chain {
                insert_chain(transaction, chain, id)?;
            }
            Ok(true)
        })?;
        Ok(is_new.then(|| self.snapshot_on(parent, id)))
    }

    /// The snapshot that a layer of its own makes on a parent.
    pub(crate) fn snapshot_on(&self, parent: &Snapshot, id: SnapshotId) -> Snapshot {
        let layer = LayerId(id);
        stacked(parent, Link { snapshot: id, layer, directory: self.layer_directory(layer).finished() })
    }

    /// What is known about a layer.
    pub(crate) fn layer_row(&self, layer: LayerId) -> Result<LayerRow, StoreError> {
        let columns = self
            .database()
            .connection()
            .query_row(
                "SELECT root_entry, diff_id, canonical, size FROM layers WHERE id = ?1",
                [layer.to_string()],
                |row| {
                    Ok((
                        row.get(0)?,
                        row.get::<_, Option<String>>(1)?,
                        row.get(2)?,
                        row.get::<_, Option<i64>>(3)?,
                    ))
                },
            )
            .optional()
            .database("look up a layer")?;
        let Some((root_entry, diff_id, canonical, size)) = columns else {
            return Err(StoreError::SnapshotMissing(layer.0));
        };
        let diff_id = diff_id.map(|text| parse("diff id", &text)).transpose()?;
        Ok(LayerRow { root_entry, diff_id, canonical, size: size.and_then(|size| u64::try_from(size).ok()) })
    }

    /// Remembers the diff id of a layer that was packed, and the chain id of its snapshot if it is known now.
    pub(crate) fn record_diff_id(
        &self,
        snapshot: &Snapshot,
        diff_id: DiffId,
        chain: Option<ChainId>,
    ) -> Result<(), StoreError> {
        let Some((layer, _)) = snapshot.layer() else { return Ok(()) };
        self.database().write(|transaction| {
            transaction
                .execute(
                    "UPDATE layers SET diff_id = ?2 WHERE id = ?1",
                    params![layer.to_string(), diff_id.to_string()],
                )
                .database("record a diff id")?;
            if let Some(chain) = chain {
                insert_chain(transaction, chain, snapshot.id())?;
            }
            Ok(())
        })
    }

    /// Remembers the size of a layer.
    pub(crate) fn record_size(&self, layer: LayerId, size: u64) -> Result<(), StoreError> {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.database()
            .connection()
            .execute("UPDATE layers SET size = ?2 WHERE id = ?1", params![layer.to_string(), size])
            .database("record a layer's size")?;
        Ok(())
    }

    /// The names of all layers that the database knows.
    pub(crate) fn layer_ids(&self) -> Result<Vec<String>, StoreError> {
        let connection = self.database().connection();
        let mut statement = connection.prepare("SELECT id FROM layers").database("list the layers")?;
        let rows = statement.query_map([], first_text).database("list the layers")?;
        rows.collect::<rusqlite::Result<_>>().database("list the layers")
    }
}

fn stacked(parent: &Snapshot, link: Link) -> Snapshot {
    Snapshot::of(parent.chain.iter().cloned().chain(std::iter::once(link)).collect())
}

pub(crate) fn insert_layer(
    transaction: &Transaction<'_>,
    layer: LayerId,
    row: LayerRow,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO layers (id, root_entry, diff_id, canonical, size) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                layer.to_string(),
                row.root_entry,
                row.diff_id.map(|diff_id| diff_id.to_string()),
                row.canonical,
                row.size.map(i64::try_from).transpose().ok().flatten(),
            ])
        })
        .database("record a layer")?;
    unsynced::insert(transaction, layer)
}

pub(crate) fn insert_snapshot(
    transaction: &Transaction<'_>,
    id: SnapshotId,
    parent: &Snapshot,
    layer: LayerId,
) -> Result<(), StoreError> {
    let parent = (!parent.is_scratch()).then(|| parent.id().to_string());
    transaction
        .prepare_cached("INSERT INTO snapshots (id, parent, layer, created) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut statement| {
            statement.execute(params![id.to_string(), parent, layer.to_string(), database::now()])
        })
        .database("record a snapshot")?;
    Ok(())
}

fn chain_exists(transaction: &Transaction<'_>, chain: ChainId) -> Result<bool, StoreError> {
    transaction
        .query_row("SELECT 1 FROM chains WHERE chain_id = ?1", [chain.to_string()], |_| Ok(()))
        .optional()
        .map(|row| row.is_some())
        .database("look up a chain id")
}

fn insert_chain(transaction: &Transaction<'_>, chain: ChainId, id: SnapshotId) -> Result<(), StoreError> {
    transaction
        .execute(
            "INSERT OR IGNORE INTO chains (chain_id, snapshot) VALUES (?1, ?2)",
            params![chain.to_string(), id.to_string()],
        )
        .database("record a chain id")?;
    Ok(())
}
