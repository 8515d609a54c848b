//! The kernel's overlayfs as the judge of layers and of trees merged in user space.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use crate::disk::{attributes, path, store};
use proptest::prelude::*;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use store::{Attributes, Editor, Keep, Tree, TreePath};

/// An overlay, unmounted when dropped.
pub(crate) struct Overlay(PathBuf);

impl Overlay {
    pub(crate) fn mount(target: PathBuf, lowers: &[PathBuf], upper: Option<(&Path, &Path)>) -> Self {
        std::fs::create_dir_all(&target).unwrap();
        let lowers: Vec<_> = lowers.iter().map(|lower| lower.to_str().unwrap()).collect();
        let mut options = format!("redirect_dir=off,metacopy=off,lowerdir={}", lowers.join(":"));
        if let Some((upper, work)) = upper {
            options = format!("{options},upperdir={},workdir={}", upper.display(), work.display());
        }
        let options = CString::new(options).unwrap();
        mount("overlay", &target, "overlay", MountFlags::empty(), options.as_c_str()).unwrap();
        Self(target)
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

#[derive(Debug, Clone)]
enum Edit {
    File(TreePath, u8),
    Directory(TreePath),
    Link(TreePath, TreePath),
    Mode(TreePath, u32),
    Remove(TreePath),
}

/// Few names, so that edits meet.
fn paths() -> impl Strategy<Value = TreePath> {
    proptest::collection::vec("[abc]", 1..4).prop_map(|names| path(&names.join("/")))
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        3 => (paths(), b'0'..=b'9').prop_map(|(path, byte)| Edit::File(path, byte)),
        3 => paths().prop_map(Edit::Directory),
        1 => (paths(), paths()).prop_map(|(path, target)| Edit::Link(path, target)),
        1 => (paths(), 0_u32..0o1000).prop_map(|(path, mode)| Edit::Mode(path, mode)),
        2 => paths().prop_map(Edit::Remove),
    ];
    proptest::collection::vec(edit, 0..12)
}

/// Errors are part of the game: a file where a directory is needed, nothing where something is to be changed.
fn apply(editor: &mut Editor<'_>, edit: &Edit) {
    let _ = match edit {
        Edit::File(path, byte) => editor.write_file(path, &[*byte][..], &attributes(0o644, 5)),
        Edit::Directory(path) => editor.make_directory_all(path, &attributes(0o755, 6)).map(drop),
        Edit::Link(path, target) => {
            let target = target.to_absolute();
            editor.symlink(path, target.as_os_str(), &attributes(0o777, 7))
        }
        Edit::Mode(path, mode) => {
            editor.set_attributes(path, &Attributes { mode: *mode, ..attributes(0, 8) })
        }
        Edit::Remove(path) => editor.remove(path),
    };
}

fn everything(directory: &Path) -> Tree {
    Tree::host(directory, |_, _| Keep::Yes).unwrap()
}

#[test]
fn the_kernel_sees_the_same_tree() {
    if !crate::disk::is_root("the_kernel_sees_the_same_tree") {
        return;
    }
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(layers in proptest::collection::vec(edits(), 1..4))| {
        let (root, store) = store();
        let mut top = store.scratch();
        for edits in &layers {
            top = crate::disk::snapshot(&store, &top, |editor| edits.iter().for_each(|edit| apply(editor, edit)));
        }
        // Overlayfs mounts no directory alone.
        let empty = root.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        let mut lowers = top.lowers();
        lowers.push(empty);
        let mounted = Overlay::mount(root.path().join("mounted"), &lowers, None);
        prop_assert_eq!(crate::disk::dump(&top.tree()), crate::disk::dump(&everything(&mounted.0)));

        // What was packed and unpacked again is the same tree, too.
        let (_other_root, other) = crate::disk::store();
        let mut copy = other.scratch();
        for layer in top.layers() {
            let mut archive = Vec::new();
            let diff_id = store.write_layer(&layer, &mut archive).unwrap();
            copy = other.unpack(&copy, &archive[..], diff_id).unwrap();
        }
        prop_assert_eq!(crate::disk::dump(&top.tree()), crate::disk::dump(&copy.tree()));
    });
}

#[test]
fn what_a_process_changes_in_the_mount_is_what_the_snapshot_has() {
    if !crate::disk::is_root("what_a_process_changes_in_the_mount_is_what_the_snapshot_has") {
        return;
    }
    let (root, store) = store();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        for directory in ["kept/deep", "replaced/old", "touched"] {
            editor.make_directory_all(&path(directory), &attributes(0o755, 1)).unwrap();
        }
        editor.write_file(&path("kept/deep/file"), &b"1"[..], &attributes(0o644, 1)).unwrap();
        editor.write_file(&path("removed"), &b"2"[..], &attributes(0o644, 1)).unwrap();
    });
    let draft = store.draft(&base).unwrap();
    let stack = draft.stack(&[]).unwrap();
    let target = root.path().join("mounted");
    let mounted = Overlay::mount(target.clone(), &stack.lowers, Some((&stack.upper, &stack.work)));
    std::fs::write(target.join("kept/deep/file"), "changed").unwrap();
    std::fs::remove_file(target.join("removed")).unwrap();
    std::fs::remove_dir_all(target.join("replaced")).unwrap();
    std::fs::create_dir(target.join("replaced")).unwrap();
    std::fs::write(target.join("replaced/new"), "new").unwrap();
    let expected = crate::disk::dump(&everything(&target));
    assert_eq!(crate::disk::dump(&draft.tree()), expected);
    drop(mounted);
    let snapshot = draft.commit().unwrap();
    assert_eq!(crate::disk::dump(&snapshot.tree()), expected);
    assert!(!snapshot.lowers()[0].join("touched").exists());
}
