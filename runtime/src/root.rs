//! A draft as the root of a process: its overlay, its mount points, its working directory.

use std::path::PathBuf;

use image::ImagePath;
use sandbox::Overlay;
use store::{Attributes, Draft, MountPoint, MountPointKind, Stack, StoreError, Timestamp};

/// The overlay that shows a draft to a process, and where the points are in it, links followed, in
/// their order. The places where the sandbox mounts file systems of its own are there as well.
pub fn overlay(
    draft: &Draft,
    points: impl IntoIterator<Item = MountPoint>,
) -> Result<(Overlay, Vec<PathBuf>), StoreError> {
    let own = sandbox::MOUNT_POINTS
        .iter()
        .map(|path| MountPoint { path: ImagePath::new(path), kind: MountPointKind::Directory });
    let all: Vec<MountPoint> = own.chain(points).collect();
    let Stack { lowers, upper, work, mut resolved } = draft.stack(&all)?;
    resolved.drain(..sandbox::MOUNT_POINTS.len());
    Ok((Overlay { lowers, upper, work }, resolved))
}

/// Makes the working directory of a process where the tree lacks it: root's, and part of the layer,
/// as docker and BuildKit do.
pub fn make_working_directory(draft: &Draft, path: &ImagePath) -> Result<(), StoreError> {
    let mut editor = draft.editor();
    let place = editor.resolve(path)?;
    if place.entry.is_none() {
        let attributes = Attributes { mode: 0o755, uid: 0, gid: 0, mtime: Timestamp::now() };
        editor.make_directory_all(&place.path, &attributes)?;
    }
    editor.finish()
}
