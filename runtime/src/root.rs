//! A draft as the root of a process: its overlay or copy, its mount points, its working directory.

use std::path::PathBuf;

use image::ImagePath;
use sandbox::{Overlay, Ownership, Root};
use store::{
    Attributes, Copied, Draft, MountPoint, MountPointKind, OWNER_ATTRIBUTE, Owner, OwnerRecords, Stack,
    StoreError, Timestamp,
};

use crate::snapshotter::View;

/// What shows a draft to a process, and where the points are in it, links followed, in their order. The
/// places where the sandbox mounts file systems of its own are there as well.
pub fn show(
    draft: &mut Draft,
    view: View,
    points: impl IntoIterator<Item = MountPoint>,
) -> Result<(Root, Vec<PathBuf>), StoreError> {
    let own = sandbox::MOUNT_POINTS
        .iter()
        .map(|path| MountPoint { path: ImagePath::new(path), kind: MountPointKind::Directory });
    let all: Vec<MountPoint> = own.chain(points).collect();
    let (root, mut resolved) = match view {
        View::Overlay => {
            let Stack { lowers, upper, work, resolved } = draft.stack(&all)?;
            (Root::Overlay(Overlay { lowers, upper, work }), resolved)
        }
        View::Copy => {
            let Copied { root, resolved } = draft.copy(&all)?;
            (Root::Directory(root), resolved)
        }
    };
    resolved.drain(..sandbox::MOUNT_POINTS.len());
    Ok((root, resolved))
}

/// How the owners of the draft's files are kept while a process runs on it; `None` where the kernel does it.
pub fn ownership(draft: &Draft) -> Result<Option<Ownership>, StoreError> {
    let Some(OwnerRecords { given, links }) = draft.owner_records()? else { return Ok(None) };
    let owner = |Owner { uid, gid }| sandbox::Owner { uid, gid };
    let links = links.into_iter().map(|(inode, of)| (inode, owner(of))).collect();
    Ok(Some(Ownership { attribute: OWNER_ATTRIBUTE.to_owned(), given, links }))
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
