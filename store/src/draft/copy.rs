//! A draft as a copy of the whole tree, where no overlay can be mounted over the store's directory.
//!
//! The copy is written to `ROOT/drafts/<id>/root`, sharing blocks with the layers where the file system can, and
//! the step changes it in place. When the draft settles, it becomes the layer: what did not change is removed, what is gone
//! gets a whiteout. So the layer is byte for byte the one that an overlay gives, with one thing to know: names of one
//! file in a lower layer are files of their own in the copy, as overlayfs makes them as soon as they are written to.
//!
//! Nothing is ever linked to the layers: a process that writes to a hard link writes to all its names.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::mount_points::MountPoint;
use super::unchanged::Holds;
use super::{Draft, Form};
use crate::confined::ConfinedDirectory;
use crate::editor::Editor;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Kind, Timestamp};
use crate::tree::Tree;

/// A draft as one directory that holds everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The directory.
    pub root: PathBuf,
    /// The mount points in the order given, each absolute inside the root and without symbolic links.
    pub resolved: Vec<PathBuf>,
}

impl Draft {
    /// Copies everything that the draft shows into one directory, with all mount points in existence. What is
    /// changed there afterwards is what the draft becomes.
    pub fn copy(&mut self, mount_points: &[MountPoint]) -> Result<Copied, StoreError> {
        let points = self.make_mount_points(mount_points)?;
        let root = self.layer_directory("root");
        crate::store::remove(root.path())?;
        std::fs::create_dir(root.path()).attempt("make", root.path())?;
        self.fill(&root, &points.view)?;
        self.form = Form::Copy { copied: self.time_of_disk()? };
        Ok(Copied { root: root.path().to_owned(), resolved: points.resolved })
    }

    fn fill(&self, root: &ConfinedDirectory, view: &Tree) -> Result<(), StoreError> {
        let mut editor = Editor::new(root.clone(), [], self.store.privileges());
        for entry in view.walk(&view.root()?) {
            let entry = entry?;
            let (path, attributes) = (entry.path(), entry.attributes());
            match entry.kind() {
                Kind::CharDevice(_) | Kind::BlockDevice(_) | Kind::Socket => {
                    editor.node_if_allowed(path, entry.kind(), &attributes)?;
                }
                Kind::File | Kind::Directory | Kind::Symlink(_) | Kind::Fifo => {
                    editor.copy(&entry, path, &attributes)?;
                }
            }
            editor.forget_hard_links();
        }
        editor.finish()
    }

    /// The time that the file system gives to what changes now: its clock may be another one.
    fn time_of_disk(&self) -> Result<Timestamp, StoreError> {
        let path = self.claimed.directory.join("copied");
        let metadata = File::create(&path).and_then(|file| file.metadata()).attempt("make", path)?;
        Ok(Timestamp {
            seconds: metadata.ctime(),
            nanoseconds: u32::try_from(metadata.ctime_nsec()).unwrap_or_default(),
        })
    }

    /// Puts a copy in the place of the upper directory; what that holds then.
    pub(super) fn take_copy(&mut self) -> Result<Holds, StoreError> {
        let Form::Copy { copied } = self.form else { return Ok(Holds::Changes) };
        let (upper, root) = (self.upper(), self.claimed.directory.join("root"));
        crate::store::remove(upper.path())?;
        std::fs::rename(&root, upper.path()).attempt("put in place", upper.path())?;
        self.form = Form::Layer;
        Ok(Holds::Everything { copied })
    }
}
