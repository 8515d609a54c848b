//! Paths that are hidden or made read-only.

use std::path::Path;

use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::device::Devices;
use super::{MountPoint, NO_PROGRAMS, Tree};
use crate::error::{At, Failure, Stage};
use crate::spec::Spec;

/// Covers the spec's masked paths, then makes its read-only ones read-only.
pub(crate) fn apply(root: &Tree, devices: &Devices, spec: &Spec) -> Result<(), Failure> {
    let null = devices.null()?;
    let empty = NO_PROGRAMS | MountAttrFlags::MOUNT_ATTR_RDONLY;
    for path in &spec.masked_paths {
        let Some(point) = existing(root, path, Stage::Mask)? else { continue };
        let cover = if point.is_directory().at(Stage::Mask, path.display())? {
            Tree::tmpfs(0o755, Some(0), empty).at(Stage::Mask, path.display())?
        } else {
            Tree::copy_of_descriptor(&null, false).at(Stage::Mask, path.display())?
        };
        cover.attach(&point).at(Stage::Mask, path.display())?;
    }
    for path in &spec.read_only_paths {
        let Some(point) = existing(root, path, Stage::ReadOnly)? else { continue };
        read_only(&point).at(Stage::ReadOnly, path.display())?;
    }
    Ok(())
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
