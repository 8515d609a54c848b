//! Mount points that an image lacks, made where they never reach the layer.
//!
//! A mount needs something to be mounted on. Making it in the upper directory would leave an empty directory or
//! file in the layer, and cleaning up afterwards would be guesswork. Instead the missing ones are made in a lower
//! directory of their own, directly under the upper one:
//!
//! ```text
//! upper         drafts/<id>/fs
//! lowers        drafts/<id>/mountpoints    only what is missing, and its parents as the image has them
//!               layers/…/fs                the image
//! ```

use std::io;
use std::path::PathBuf;

use image::ImagePath;

use super::Draft;
use crate::confined::ConfinedDirectory;
use crate::editor::Editor;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Attributes, Timestamp};
use crate::path::TreePath;
use crate::tree::{Tree, resolve};

/// Something will be mounted here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// Where, inside the image. Symbolic links are followed, the last component included.
    pub path: ImagePath,
    /// What to make when nothing is there.
    pub kind: MountPointKind,
}

/// What is mounted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Whether the image lacked any.
    made_any: bool,
    /// As [`Stack::resolved`].
    pub(super) resolved: Vec<PathBuf>,
}

impl Draft {
    /// The directories to mount, with all mount points in existence. To be called before anything else is
    /// mounted or run on the draft; a second call starts the mount points afresh.
    pub fn stack(&self, mount_points: &[MountPoint]) -> Result<Stack, StoreError> {
        let MadePoints { made_any, resolved, .. } = self.make_mount_points(mount_points)?;
        let mut lowers = self.parent.lowers();
        // An overlay needs one lower directory at least: for scratch it is the one without mount points.
        if made_any || lowers.is_empty() {
            lowers.insert(0, self.mount_point_directory().path().to_owned());
        }
        let (upper, work) = (self.upper().path().to_owned(), self.directory.join("work"));
        Ok(Stack { lowers, upper, work, resolved })
    }

    /// Where mount points are made that the image lacks.
    pub(super) fn mount_point_directory(&self) -> ConfinedDirectory {
        self.layer_directory("mountpoints")
    }

    pub(super) fn make_mount_points(&self, mount_points: &[MountPoint]) -> Result<MadePoints, StoreError> {
        let extra = self.mount_point_directory();
        crate::store::remove(extra.path())?;
        std::fs::create_dir(extra.path()).attempt("make", extra.path())?;
        self.copy_root_attributes(&extra)?;

        let view = Tree::layered(
            [self.upper(), extra.clone()].into_iter().chain(self.parent.directories()).collect(),
        );
        let mut editor = Editor::new(extra.clone(), self.parent.directories(), self.store.privileges());
        let mut made_any = false;
        let mut resolved = Vec::new();
        for point in mount_points {
            let resolution = resolve::resolve(&view.root()?, &TreePath::from(&point.path), true)?;
            let path = resolution.path();
            if resolution.into_entry().is_none() {
                make(&mut editor, &path, point.kind)?;
                made_any = true;
                if view.get(&path)?.is_none() {
                    return Err(StoreError::MountPointHidden(path));
                }
            }
            resolved.push(path.to_absolute());
        }
        editor.finish()?;
        Ok(MadePoints { view, made_any, resolved })
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
