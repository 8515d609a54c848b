//! Paths that are hidden or made read-only.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::device::DeviceDirectory;
use super::{MountPoint, NO_PROGRAMS, Refusal, Tree};
use crate::error::{At, Failure, Stage};
use crate::spec::Spec;

/// Covers the spec's masked paths, then makes its read-only ones read-only.
pub(crate) fn apply(root: &Tree, devices: &DeviceDirectory, spec: &Spec) -> Result<(), Failure> {
    let mut covers = Covers { null: devices.null()?, empty: None };
    for path in &spec.masked_paths {
        let Some(point) = existing(root, path, Stage::Mask)? else { continue };
        covers.cover(&point).at(Stage::Mask, path.display())?;
    }
    for path in &spec.read_only_paths {
        let Some(point) = existing(root, path, Stage::ReadOnly)? else { continue };
        read_only(&point).at(Stage::ReadOnly, path.display())?;
    }
    Ok(())
}

/// What is put on paths.
struct Covers {
    /// For files: the node `null`.
    null: OwnedFd,
    /// For directories: an empty one, from the first time on that it is needed.
    empty: Option<Tree>,
}

impl Covers {
    fn cover(&mut self, point: &MountPoint) -> Result<(), Refusal> {
        if !point.is_directory()? {
            return Ok(Tree::copy_of_descriptor(&self.null, false)?.attach(point)?);
        }
        if let Some(empty) = &self.empty {
            return Ok(Tree::copy_of_descriptor(empty, false)?.attach(point)?);
        }
        // Attached before it is copied: kernels before 6.15 copy nothing that is detached.
        let empty = Tree::tmpfs(0o755, Some(0), NO_PROGRAMS | MountAttrFlags::MOUNT_ATTR_RDONLY)?;
        empty.attach(point)?;
        self.empty = Some(empty);
        Ok(())
    }
}

/// Mounts what is there on itself, read-only, with all that is mounted below.
fn read_only(point: &MountPoint) -> Result<(), Errno> {
    let tree = Tree::copy_of_descriptor(point, true)?;
    tree.make_read_only()?;
    tree.attach(point)
}

fn existing(root: &Tree, path: &Path, stage: Stage) -> Result<Option<MountPoint>, Failure> {
    match MountPoint::find(root, path) {
        Ok(point) => Ok(Some(point)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(Failure::setup(stage, path.display(), errno)),
    }
}
