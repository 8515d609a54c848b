//! Drafts: file trees being made, each a fresh layer directory on a parent snapshot.
//!
//! ```text
//! ROOT/drafts/<id>/lock          locked by its owner while it lives
//! ROOT/drafts/<id>/fs            the layer being made: upper directory of an overlay, or written by an Editor
//! ROOT/drafts/<id>/links, given  who owns links and their like, where owners are recorded: see `owners`
//! ROOT/drafts/<id>/work          overlayfs's work directory
//! ROOT/drafts/<id>/<number>      where mounts of steps go that the image has no directory for; see `mount_points`
//! ROOT/drafts/<id>/root          a copy of the whole tree, where no overlay can be mounted; see `copy`
//! ROOT/drafts/<id>/copied        when the copy was complete
//! ```
//!
//! A draft whose lock nobody holds belongs to a killed process and is removed when a store is opened. Committing
//! renames `fs` to `ROOT/layers/<id>/fs` and then records it in one transaction. So does keeping, see [`kept`].

mod copy;
pub(crate) mod kept;
mod mount_points;
mod unchanged;

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use image::{ChainId, DiffId};

use crate::confined::ConfinedDirectory;
use crate::editor::Editor;
use crate::error::{Attempt, StoreError};
use crate::metadata::Timestamp;
use crate::owners::given::GIVEN;
use crate::owners::{self, Links, Owner, Owners};
use crate::path::TreePath;
use crate::snapshot::{LayerId, LayerRow, Snapshot, SnapshotId};
use crate::store::{self, Store};
use crate::tree::Tree;

pub use copy::Copied;
pub(crate) use mount_points::MountPointLayers;
pub use mount_points::{MountPoint, MountPointKind, Stack};

/// A file tree being made on a parent snapshot. Dropped without [`Draft::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    store: Store,
    parent: Snapshot,
    claimed: Claimed,
    form: Form,
    /// Whose process has run on it.
    maker: Option<Owner>,
    /// The mount points that the parent lacks.
    mount_points: Mutex<Option<ConfinedDirectory>>,
}

/// How owners are recorded while a process runs on a draft: files and directories have the attribute
/// [`OWNER_ATTRIBUTE`](crate::OWNER_ATTRIBUTE), `uid:gid` in decimal, devices are empty files whose attribute goes on
/// with `:char:major:minor` or `:block:major:minor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRecords {
    /// Gets a line for each link, pipe or socket that a process gives away: the inode in the upper directory, the
    /// seconds and nanoseconds of its birth, user and group, in decimal, with blanks between.
    pub given: PathBuf,
    /// The links, pipes and sockets of the layers below that do not belong to root, by inode.
    pub links: Vec<(u64, Owner)>,
}

/// Where the changes of a draft are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In the layer directory.
    Layer,
    /// In a copy of the whole tree.
    Copy {
        /// When the copy was complete.
        copied: Timestamp,
    },
}

impl Store {
    /// Begins a draft on a parent snapshot.
    pub fn draft(&self, parent: &Snapshot) -> Result<Draft, StoreError> {
        let draft = Draft {
            store: self.clone(),
            parent: parent.clone(),
            claimed: Claimed::new(self)?,
            form: Form::Layer,
            maker: None,
            mount_points: Mutex::default(),
        };
        draft.make_directories()?;
        Ok(draft)
    }
}

/// A directory below `ROOT/drafts` that is this process's as long as this value lives, and is removed with it.
#[derive(Debug)]
struct Claimed {
    id: SnapshotId,
    directory: PathBuf,
    /// Locked as long as the directory is claimed.
    _lock: File,
}

impl Claimed {
    fn new(store: &Store) -> Result<Self, StoreError> {
        loop {
            let id = SnapshotId::random()?;
            let directory = store.root().join("drafts").join(id.to_string());
            store::make_private_directory(&directory)?;
            // A process that opens the store just now may take the new directory for garbage: then try again.
            if let Some(lock) = claim(&directory)? {
                return Ok(Self { id, directory, _lock: lock });
            }
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Err(error) = remove_locked(&self.directory) {
            tracing::warn!(directory = %self.directory.display(), %error, "a draft could not be removed");
        }
    }
}

impl Draft {
    /// The snapshot it started from.
    pub fn parent(&self) -> &Snapshot {
        &self.parent
    }

    /// What the draft looks like now: its own files over those of its parent.
    pub fn tree(&self) -> Tree {
        match self.form {
            Form::Layer => {
                Tree::layered(std::iter::once(self.upper()).chain(self.parent.directories()).collect())
            }
            Form::Copy { .. } => Tree::layered(vec![self.layer_directory("root")]),
        }
    }

    /// Says that a process of that user will run on the draft: what it makes is the user's. Only where owners are
    /// recorded, this must be said; elsewhere the kernel sees to it.
    pub fn made_by(&mut self, maker: Owner) {
        self.maker = Some(maker);
    }

    /// Writes into the draft from outside a sandbox.
    pub fn editor(&self) -> Editor<'_> {
        Editor::new(self.upper(), self.parent.directories(), self.store.privileges())
    }

    /// Ends the draft: its files become a layer and, with its parent, a snapshot.
    ///
    /// Files and directories that differ in nothing from those below are left out, so that a step that changed
    /// nothing makes an empty layer.
    pub fn commit(self) -> Result<Snapshot, StoreError> {
        self.commit_as(None)
    }

    /// As [`Draft::commit`]; the layer is the unpacked form of an archive with that digest.
    ///
    /// When another process has unpacked the same layers meanwhile, theirs is the result.
    pub(crate) fn commit_unpacked(self, diff_id: DiffId, chain: ChainId) -> Result<Snapshot, StoreError> {
        self.commit_as(Some((diff_id, chain)))
    }

    fn commit_as(mut self, unpacked: Option<(DiffId, ChainId)>) -> Result<Snapshot, StoreError> {
        let row = self.become_layer(unpacked.map(|(diff_id, _)| diff_id))?;
        let chain = unpacked.map(|(_, chain)| chain);
        match self.store.record_snapshot(self.claimed.id, &self.parent, row, chain) {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => {
                store::remove(&self.store.layer_home(LayerId(self.claimed.id)))?;
                let other = chain.map(|chain| self.store.snapshot_of_chain(chain)).transpose()?.flatten();
                other.ok_or(StoreError::SnapshotMissing(self.claimed.id))
            }
            Err(error) => {
                // Without a row the directory is garbage; removing it now is only tidier.
                let _ = store::remove(&self.store.layer_home(LayerId(self.claimed.id)));
                Err(error)
            }
        }
    }

    /// Puts the files in place as a layer, and says what its row is to be.
    fn become_layer(&mut self, diff_id: Option<DiffId>) -> Result<LayerRow, StoreError> {
        if diff_id.is_none() {
            self.settle()?;
        }
        let upper = self.upper();
        let root_entry = unchanged::is_root_changed(&upper, &self.parent.tree())?;
        let layer = LayerId(self.claimed.id);
        store::make_private_directory(&self.store.layer_home(layer))?;
        let target = self.store.layer_directory(layer);
        let (from, to) = (Links::beside(upper.path()), Links::beside(target.path()));
        match std::fs::rename(from.file(), to.file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).attempt("put in place", to.file());
            }
            _ => {}
        }
        std::fs::rename(upper.path(), target.path()).attempt("put in place", target.path())?;
        Ok(LayerRow { root_entry, diff_id, canonical: diff_id.is_none(), size: None })
    }

    /// What whoever runs a process on the draft has to know and to do, where owners are recorded; `None` where the
    /// kernel sees to them. To be asked when the process has its view of the draft.
    pub fn owner_records(&self) -> Result<Option<OwnerRecords>, StoreError> {
        if self.store.privileges().owners == Owners::Exact {
            return Ok(None);
        }
        let layers: Vec<ConfinedDirectory> = match self.form {
            Form::Layer => self.parent.directories().collect(),
            Form::Copy { .. } => vec![self.layer_directory("root")],
        };
        let mut links = Vec::new();
        for layer in layers {
            for (path, owner) in
                Links::beside(layer.path()).all().attempt("read the links of", layer.path())?
            {
                let found = layer.status(&path).attempt("look up", layer.host_path(&path))?;
                links.extend(found.map(|status| (status.stx_ino, owner)));
            }
        }
        Ok(Some(OwnerRecords { given: self.claimed.directory.join(GIVEN), links }))
    }

    /// Makes the upper directory say what changed, and nothing else: neither what is as it was, nor mount points.
    fn settle(&mut self) -> Result<(), StoreError> {
        let holds = self.take_copy()?;
        let upper = self.upper();
        let points = self.mount_point_layer().into_iter();
        let below = Tree::layered(points.chain(self.parent.directories()).collect());
        if let Some(maker) = self.maker.filter(|_| upper.owners() == Owners::Recorded) {
            owners::give_to_maker(&upper, &below, maker)?;
        }
        unchanged::remove_unchanged(&upper, &below, holds, self.store.privileges())
    }

    fn make_directories(&self) -> Result<(), StoreError> {
        for name in ["fs", "work"] {
            let path = self.claimed.directory.join(name);
            std::fs::create_dir(&path).attempt("make", path)?;
        }
        self.copy_root_attributes(&self.upper())
    }

    /// The root of an overlay has the attributes of its uppermost directory.
    fn copy_root_attributes(&self, directory: &ConfinedDirectory) -> Result<(), StoreError> {
        let root = self.parent.tree().root()?;
        let mut editor = Editor::new(directory.clone(), [], self.store.privileges());
        editor.set_attributes(&TreePath::root(), &root.attributes())?;
        editor.set_xattrs(&TreePath::root(), &root.xattrs()?)?;
        editor.finish()
    }

    fn upper(&self) -> ConfinedDirectory {
        self.layer_directory("fs")
    }

    fn layer_directory(&self, name: &str) -> ConfinedDirectory {
        ConfinedDirectory::layer(self.claimed.directory.join(name), self.store.privileges().owners)
    }
}

/// Locks a draft directory. `None` when somebody else has it, or has removed it.
fn claim(directory: &Path) -> Result<Option<File>, StoreError> {
    let path = directory.join("lock");
    let lock = match store::open_lock(&path) {
        Ok(lock) => lock,
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error).attempt("lock", path),
    }
    // The file may have been removed between opening and locking it.
    let is_linked = lock.metadata().attempt("look up", &path)?.nlink() > 0;
    Ok(is_linked.then_some(lock))
}

/// Removes a draft directory whose lock the caller holds. The lock file goes last: a directory without one holds
/// nothing, whenever the removal is interrupted.
fn remove_locked(directory: &Path) -> Result<(), StoreError> {
    for path in store::children(directory)? {
        if path.file_name().is_some_and(|name| name != "lock") {
            store::remove(&path)?;
        }
    }
    store::remove(&directory.join("lock"))?;
    store::remove(directory)
}

/// Removes the drafts that nobody holds.
pub(crate) fn remove_abandoned(drafts: &Path) -> Result<(), StoreError> {
    for directory in store::children(drafts)? {
        // Only an owner makes the lock file; a directory without one is empty and about to be claimed or removed.
        if !directory.join("lock").exists() {
            let _ = std::fs::remove_dir(&directory);
            continue;
        }
        if let Some(_lock) = claim(&directory)? {
            tracing::debug!(directory = %directory.display(), "removing an abandoned draft");
            remove_locked(&directory)?;
        }
    }
    Ok(())
}
