//! Mount points that an image lacks, made where they never reach the layer.
//!
//! A mount needs something to be mounted on. Making it in the upper directory would leave an empty directory or
//! file in the layer, and cleaning up afterwards would be guesswork. Instead the missing ones are made in a lower
//! directory of their own, directly under the upper one:
//!
//! ```text
//! upper         drafts/<id>/fs
//! lowers        drafts/<other>/<number>    only what is missing, and its parents as the image has them
//!               layers/…/fs                the image
//! ```
//! The steps of a process share those that are the same ([`MountPointLayers`]). They lie in a directory that is
//! claimed as a draft's is, and goes when the store is closed, or like the drafts of a killed process.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use image::ImagePath;

use super::{Claimed, Draft};
use crate::confined::ConfinedDirectory;
use crate::editor::Editor;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Attributes, Timestamp};
use crate::path::TreePath;
use crate::tree::{Tree, resolve};
use crate::xattrs::Xattrs;

/// Something will be mounted here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// Where, inside the image. Symbolic links are followed, the last component included.
    pub path: ImagePath,
    /// What to make when nothing is there.
    pub kind: MountPointKind,
}

/// What is mounted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MountPointKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
}

/// A draft as an overlay mount. The store itself never mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// `lowerdir`s, top first; never empty.
    pub lowers: Vec<PathBuf>,
    /// `upperdir`.
    pub upper: PathBuf,
    /// `workdir`.
    pub work: PathBuf,
    /// The mount points in the order given, each absolute inside the root and without symbolic links.
    pub resolved: Vec<PathBuf>,
}

/// The mount points of a draft, in existence.
pub(super) struct MadePoints {
    /// The draft with its mount points.
    pub(super) view: Tree,
    /// As [`Stack::resolved`].
    pub(super) resolved: Vec<PathBuf>,
}

/// The layers of mount points that were made through a store, for as long as it is open. Steps of one kind need
/// the same, and an overlay does not change what lies below it: so each is made once and shared.
#[derive(Debug, Default)]
pub(crate) struct MountPointLayers(Mutex<Made>);

#[derive(Debug, Default)]
struct Made {
    /// Where they are made.
    home: Option<Claimed>,
    layers: HashMap<Recipe, ConfinedDirectory>,
}

/// What the content of a layer of mount points depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Recipe {
    missing: Vec<(TreePath, MountPointKind)>,
    /// The directories above them, the root included, as the image has them; `None` for those that it lacks.
    above: BTreeMap<TreePath, Option<(Attributes, Xattrs)>>,
}

impl Draft {
    /// The directories to mount, with all mount points in existence. To be called before anything else is
    /// mounted or run on the draft; a second call starts the mount points afresh.
    pub fn stack(&self, mount_points: &[MountPoint]) -> Result<Stack, StoreError> {
        let MadePoints { resolved, .. } = self.make_mount_points(mount_points)?;
        let mut lowers = self.parent.lowers();
        lowers.splice(0..0, self.mount_point_layer().map(|layer| layer.path().to_owned()));
        if lowers.is_empty() {
            // An overlay needs one lower directory at least: for scratch it is a layer of no mount points.
            lowers.push(self.layer_of(Vec::new())?.path().to_owned());
        }
        let (upper, work) = (self.upper().path().to_owned(), self.claimed.directory.join("work"));
        Ok(Stack { lowers, upper, work, resolved })
    }

    /// The mount points that the image lacks, if there are any.
    pub(super) fn mount_point_layer(&self) -> Option<ConfinedDirectory> {
        self.mount_points.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn make_mount_points(&self, mount_points: &[MountPoint]) -> Result<MadePoints, StoreError> {
        let tree = self.tree();
        let (mut missing, mut resolved) = (Vec::new(), Vec::new());
        for point in mount_points {
            let resolution = resolve::resolve(&tree.root()?, &TreePath::from(&point.path), true)?;
            let path = resolution.path();
            if resolution.into_entry().is_none() {
                missing.push((path.clone(), point.kind));
            }
            resolved.push(path.to_absolute());
        }
        let layer = if missing.is_empty() { None } else { Some(self.layer_of(missing.clone())?) };
        self.mount_points.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&layer);
        let layers = [self.upper()].into_iter().chain(layer).chain(self.parent.directories());
        let view = Tree::layered(layers.collect());
        for (path, _) in missing {
            if view.get(&path)?.is_none() {
                return Err(StoreError::MountPointHidden(path));
            }
        }
        Ok(MadePoints { view, resolved })
    }

    /// A layer with these mount points, made now if none like it was made before.
    fn layer_of(&self, missing: Vec<(TreePath, MountPointKind)>) -> Result<ConfinedDirectory, StoreError> {
        let recipe = self.recipe(missing)?;
        let mut made = self.store.mount_point_layers().0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layer) = made.layers.get(&recipe) {
            return Ok(layer.clone());
        }
        let home = match made.home.take() {
            Some(home) => home,
            None => Claimed::new(&self.store)?,
        };
        let path = home.directory.join(made.layers.len().to_string());
        made.home = Some(home);
        // What an attempt that failed has left.
        crate::store::remove(&path)?;
        std::fs::create_dir(&path).attempt("make", &path)?;
        let layer = ConfinedDirectory::layer(path, self.store.privileges().owners);
        self.copy_root_attributes(&layer)?;
        let mut editor = Editor::new(layer.clone(), self.parent.directories(), self.store.privileges());
        for (path, kind) in &recipe.missing {
            make(&mut editor, path, *kind)?;
        }
        editor.finish()?;
        let layer = layer.finished();
        made.layers.insert(recipe, layer.clone());
        Ok(layer)
    }

    fn recipe(&self, missing: Vec<(TreePath, MountPointKind)>) -> Result<Recipe, StoreError> {
        let image = self.parent.tree();
        let mut above = BTreeMap::new();
        let mut pending: Vec<TreePath> = missing.iter().filter_map(|(path, _)| path.parent()).collect();
        pending.push(TreePath::root());
        while let Some(path) = pending.pop() {
            if above.contains_key(&path) {
                continue;
            }
            let entry = image.get(&path)?;
            let known = entry.map(|entry| Ok::<_, StoreError>((entry.attributes(), entry.xattrs()?)));
            pending.extend(path.parent());
            above.insert(path, known.transpose()?);
        }
        Ok(Recipe { missing, above })
    }
}

fn make(editor: &mut Editor<'_>, path: &TreePath, kind: MountPointKind) -> Result<(), StoreError> {
    let attributes = Attributes { mode: 0o755, uid: 0, gid: 0, mtime: Timestamp::default() };
    match kind {
        MountPointKind::Directory => editor.make_directory_all(path, &attributes).map(drop),
        MountPointKind::File => {
            if let Some(parent) = path.parent() {
                editor.make_directory_all(&parent, &attributes)?;
            }
            editor.write_file(path, io::empty(), &Attributes { mode: 0o644, ..attributes })
        }
    }
}
