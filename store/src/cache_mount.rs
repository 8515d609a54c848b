//! Directories that outlive builds: `RUN --mount=type=cache`.
//!
//! ```text
//! ROOT/cache-mounts/<sha256 of the id>/        flock: exclusive while the data is made
//! ROOT/cache-mounts/<sha256 of the id>/id      the id, as text
//! ROOT/cache-mounts/<sha256 of the id>/lock    flock: shared by its users, exclusive for `locked` and `private` ones
//! ROOT/cache-mounts/<sha256 of the id>/data    what is mounted
//! ROOT/cache-mounts/<sha256 of the id>/links   who owns links in it, where owners are recorded: see `owners`
//! ROOT/cache-mounts/<sha256 of the id>.<n>/…   further ones, while a `private` user has the others
//! ```
//!
//! The data is made under another name and renamed when it is complete, so a killed process leaves no cache that
//! looks seeded and is not.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use image::Digest;

use crate::confined::ConfinedDirectory;
use crate::editor::Editor;
use crate::error::{Attempt, StoreError};
use crate::metadata::Attributes;
use crate::path::TreePath;
use crate::store::{self, Store};
use crate::tree::Entry;

/// Who may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Anybody, together.
    Shared,
    /// One at a time; others get another directory.
    Private,
    /// One at a time; others wait.
    Locked,
}

/// What a cache holds when it is new.
#[derive(Debug, Clone)]
pub struct CacheSeed {
    /// Mode, owner and time of the directory itself.
    pub attributes: Attributes,
    /// A directory whose content is copied.
    pub content: Option<Entry>,
}

/// A cache directory in use. Dropping it ends the use; the directory stays.
#[derive(Debug)]
pub struct CacheMount {
    directory: PathBuf,
    _lock: File,
}

impl CacheMount {
    /// What to mount.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Store {
    /// The cache of that name, made from the seed when it is new. None while somebody else has it and
    /// `sharing` is [`Sharing::Locked`], or while somebody has it to itself and `sharing` is
    /// [`Sharing::Shared`].
    pub fn cache_mount(
        &self,
        id: &str,
        sharing: Sharing,
        seed: &CacheSeed,
    ) -> Result<Option<CacheMount>, StoreError> {
        let name = Digest::of(id.as_bytes()).hex();
        let mut number = 0_u32;
        loop {
            let suffix = if number == 0 { String::new() } else { format!(".{number}") };
            let home = self.root().join("cache-mounts").join(format!("{name}{suffix}"));
            store::make_private_directory(&home)?;
            let path = home.join("lock");
            let lock = store::open_lock(&path)?;
            let locked = match sharing {
                Sharing::Shared => lock.try_lock_shared(),
                Sharing::Private | Sharing::Locked => lock.try_lock(),
            };
            match locked {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if sharing == Sharing::Private => {
                    number += 1;
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error).attempt("lock", path),
            }
            self.seed(&home, id, seed)?;
            return Ok(Some(CacheMount { directory: home.join("data"), _lock: lock }));
        }
    }

    /// Makes the data, unless it is there. Shared users may come here together, and hold their locks
    /// until their processes end: a lock of the directory itself lets one of them make the data.
    fn seed(&self, home: &Path, id: &str, seed: &CacheSeed) -> Result<(), StoreError> {
        let data = home.join("data");
        if data.exists() {
            return Ok(());
        }
        let making = File::open(home).attempt("open", home)?;
        making.lock().attempt("lock", home)?;
        if data.exists() {
            return Ok(());
        }
        let name = home.join("id");
        std::fs::write(&name, id).attempt("write", &name)?;
        let unfinished = home.join("new");
        store::remove(&unfinished)?;
        std::fs::create_dir(&unfinished).attempt("make", &unfinished)?;
        let mut editor = Editor::new(
            ConfinedDirectory::layer(unfinished.clone(), self.privileges().owners),
            [],
            self.privileges(),
        );
        if let Some(content) = &seed.content {
            for entry in content.tree().walk(content) {
                let entry = entry?;
                match entry.path().strip_prefix(content.path()) {
                    Some(below) if !below.is_root() => editor.copy(&entry, &below, &entry.attributes())?,
                    _ => {}
                }
            }
        }
        editor.set_attributes(&TreePath::root(), &seed.attributes)?;
        editor.finish()?;
        std::fs::rename(&unfinished, &data).attempt("put in place", data)
    }
}
