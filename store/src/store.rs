//! A store on disk: opening, its version, its locks, and what is cleaned up when.

use std::collections::HashSet;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::blob::Blobs;
use crate::confined::ConfinedDirectory;
use crate::database::Database;
use crate::draft::{self, MountPointLayers};
use crate::error::{Attempt, StoreError};
use crate::overlay::{Marks, Privileges};
use crate::owners::Owners;
use crate::snapshot::LayerId;

/// The content of `ROOT/format`: the version, and what layers are like, by who uses the store and where it lies.
fn format(owners: Owners, marks: Marks) -> String {
    let owners = match owners {
        Owners::Exact => "",
        Owners::Recorded => " recorded-owners",
    };
    let marks = match marks {
        Marks::Kernel => "",
        Marks::Plain => " plain-marks",
    };
    format!("1{owners}{marks}")
}

/// Directories of a store. Layers hold set-id programs of other systems: nobody else may reach them.
const DIRECTORIES: [&str; 5] = ["blobs", "layers", "drafts", "cache-mounts", "tmp"];

/// An open store. Cheap to clone; clones share one database connection and one lock.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Canonical.
    root: PathBuf,
    privileges: Privileges,
    database: Database,
    blobs: Blobs,
    /// Whoever holds it waits for the disk, see [`Store::sync`].
    syncing: Mutex<()>,
    mount_points: MountPointLayers,
    /// `ROOT/lock`, locked shared as long as the store is open.
    lock: File,
}

impl Store {
    /// Opens the store in a directory, making it when the directory is new or empty.
    ///
    /// Any number of processes may have a store open. What killed processes left is removed here: drafts that
    /// nobody has locked always; unfinished blobs, and layers that the database does not know, when nobody else
    /// has the store open. What a power failure may have torn is forgotten.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(root).attempt("make", root)?;
        let root = root.canonicalize().attempt("open", root)?;
        let privileges = Privileges::of_this_process().attempt("read", "/proc/self/uid_map")?;
        let privileges = privileges.with_marks(check_format(&root, privileges)?);
        for name in DIRECTORIES {
            make_private_directory(&root.join(name))?;
        }
        let lock_path = root.join("lock");
        let lock = open_lock(&lock_path)?;
        let is_alone = match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                lock.lock_shared().attempt("lock", &lock_path)?;
                false
            }
            Err(TryLockError::Error(error)) => return Err(error).attempt("lock", &lock_path),
        };
        let database = Database::open(&root.join("store.db"), &root)?;
        let blobs = Blobs::in_store(&root)?;
        let inner = Inner {
            root,
            privileges,
            database,
            blobs,
            syncing: Mutex::default(),
            mount_points: MountPointLayers::default(),
            lock,
        };
        let store = Self { inner: Arc::new(inner) };
        store.forget_torn()?;
        store.remove_garbage(is_alone)?;
        if is_alone {
            // Converting the lock is not atomic, which is fine: a process that gets in between finds no garbage.
            store.inner.lock.lock_shared().attempt("lock", &lock_path)?;
        }
        Ok(store)
    }

    /// The store's directory.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Whether the kernel understands the layers, so that an overlay of them can be mounted. It does not where the
    /// file system, an overlay itself when the store was made, refused the marks that overlayfs wants.
    pub fn has_overlay_layers(&self) -> bool {
        self.inner.privileges.marks == Marks::Kernel
    }

    /// Manifests, configs and compressed layers.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    pub(crate) fn syncing(&self) -> &Mutex<()> {
        &self.inner.syncing
    }

    pub(crate) fn mount_point_layers(&self) -> &MountPointLayers {
        &self.inner.mount_points
    }

    pub(crate) fn privileges(&self) -> Privileges {
        self.inner.privileges
    }

    /// `ROOT/layers/<id>/fs`
    pub(crate) fn layer_directory(&self, layer: LayerId) -> ConfinedDirectory {
        ConfinedDirectory::layer(self.layer_home(layer).join("fs"), self.privileges().owners)
    }

    /// `ROOT/layers/<id>`
    pub(crate) fn layer_home(&self, layer: LayerId) -> PathBuf {
        self.inner.root.join("layers").join(layer.to_string())
    }

    fn remove_garbage(&self, is_alone: bool) -> Result<(), StoreError> {
        draft::remove_abandoned(&self.inner.root.join("drafts"))?;
        if !is_alone {
            return Ok(());
        }
        for path in children(&self.inner.root.join("tmp"))? {
            remove(&path)?;
        }
        let layers = children(&self.inner.root.join("layers"))?;
        if layers.is_empty() {
            return Ok(());
        }
        let known: HashSet<String> = self.layer_ids()?.into_iter().collect();
        for path in layers {
            let is_known =
                path.file_name().and_then(|name| name.to_str()).is_some_and(|name| known.contains(name));
            if !is_known {
                tracing::debug!(path = %path.display(), "removing a layer without a record");
                remove(&path)?;
            }
        }
        Ok(())
    }
}

/// Reads `ROOT/format`, or writes it into a directory that has none yet.
fn check_format(root: &Path, privileges: Privileges) -> Result<Marks, StoreError> {
    let path = root.join("format");
    let both = [Marks::Kernel, Marks::Plain];
    match std::fs::read_to_string(&path) {
        Ok(found) => {
            let marks = |owners| both.into_iter().find(|&marks| found.trim() == format(owners, marks));
            if let Some(marks) = marks(privileges.owners) {
                return Ok(marks);
            }
            let root = root.to_owned();
            if [Owners::Exact, Owners::Recorded].into_iter().any(|owners| marks(owners).is_some()) {
                return Err(StoreError::OtherOwners { root });
            }
            let expected = format(privileges.owners, Marks::Kernel);
            Err(StoreError::Format { root, found: found.trim().to_owned(), expected })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let marks = Marks::possible_in(root, privileges)?;
            let format = format(privileges.owners, marks);
            // Written beside and renamed: nobody reads half a number.
            let mut file = tempfile::Builder::new()
                .prefix("format-")
                .tempfile_in(root)
                .attempt("make a file in", root)?;
            io::Write::write_all(&mut file, format!("{format}\n").as_bytes())
                .attempt("write", file.path())?;
            file.as_file().sync_all().attempt("write", file.path())?;
            file.persist(&path).map_err(|error| error.error).attempt("put in place", &path)?;
            Ok(marks)
        }
        Err(error) => Err(error).attempt("read", path),
    }
}

/// Makes a directory that only its owner can enter; one that exists is left as it is.
pub(crate) fn make_private_directory(path: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error).attempt("make", path),
        _ => Ok(()),
    }
}

/// Opens a lock file, making it when it is new.
pub(crate) fn open_lock(path: &Path) -> Result<File, StoreError> {
    File::options().create(true).truncate(false).read(true).write(true).open(path).attempt("open", path)
}

/// The paths in a directory.
pub(crate) fn children(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .attempt("list", directory)
}

/// Removes a file or a whole directory; one that is gone already is no error.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).attempt("remove", path),
        _ => Ok(()),
    }
}
