//! Steps on a copy of the tree give the same layers as steps on an overlay, byte for byte.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use store::{MountPoint, MountPointKind, Snapshot, Store, TreePath};

use crate::disk::{attributes, path, store};
use crate::overlayfs::Overlay;

/// What a process does to the tree that it sees.
#[derive(Debug, Clone)]
enum Deed {
    Write(TreePath, u8),
    Append(TreePath, u8),
    Directory(TreePath),
    /// A directory that is made elsewhere and moved, which overlayfs marks as opaque.
    MovedDirectory(TreePath),
    Remove(TreePath),
    Rename(TreePath, TreePath),
    Link(TreePath, TreePath),
    Symlink(TreePath),
    Mode(TreePath, u32),
    Owner(TreePath, u32),
    Time(TreePath, i64),
    SetXattr(TreePath),
    RemoveXattr(TreePath),
    Node(TreePath, FileType),
    Socket(TreePath),
}

fn paths() -> impl Strategy<Value = TreePath> {
    proptest::collection::vec("[abc]", 1..4).prop_map(|names| path(&names.join("/")))
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => (paths(), b'0'..=b'2').prop_map(|(path, byte)| Deed::Write(path, byte)),
        2 => (paths(), b'0'..=b'2').prop_map(|(path, byte)| Deed::Append(path, byte)),
        4 => paths().prop_map(Deed::Directory),
        1 => paths().prop_map(Deed::MovedDirectory),
        4 => paths().prop_map(Deed::Remove),
        2 => (paths(), paths()).prop_map(|(from, to)| Deed::Rename(from, to)),
        2 => (paths(), paths()).prop_map(|(from, to)| Deed::Link(from, to)),
        1 => paths().prop_map(Deed::Symlink),
        1 => (paths(), 0_u32..0o10000).prop_map(|(path, mode)| Deed::Mode(path, mode)),
        1 => (paths(), 0_u32..3).prop_map(|(path, uid)| Deed::Owner(path, uid)),
        1 => (paths(), 1_i64..4).prop_map(|(path, seconds)| Deed::Time(path, seconds)),
        1 => paths().prop_map(Deed::SetXattr),
        1 => paths().prop_map(Deed::RemoveXattr),
        1 => paths().prop_map(|path| Deed::Node(path, FileType::Fifo)),
        1 => paths().prop_map(|path| Deed::Node(path, FileType::CharacterDevice)),
        1 => paths().prop_map(Deed::Socket),
    ];
    proptest::collection::vec(deed, 0..16)
}

/// Does it below a directory. Errors are part of the game, and the same on both kinds of root.
fn perform(root: &Path, deed: &Deed) {
    let at = |path: &TreePath| root.join(path.to_absolute().strip_prefix("/").unwrap());
    let is_directory = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let is_file = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let _ = match deed {
        Deed::Write(path, byte) if is_file(&at(path)) || !at(path).exists() => {
            fs::write(at(path), [*byte]).ok()
        }
        Deed::Append(path, byte) if is_file(&at(path)) => {
            let mut content = fs::read(at(path)).unwrap();
            content.push(*byte);
            fs::write(at(path), content).ok()
        }
        Deed::Directory(path) => fs::create_dir(at(path)).ok(),
        Deed::MovedDirectory(path) => {
            let elsewhere = root.join("elsewhere");
            fs::create_dir(&elsewhere).unwrap();
            if at(path).exists() || is_link(&at(path)) || fs::rename(&elsewhere, at(path)).is_err() {
                fs::remove_dir(&elsewhere).unwrap();
            }
            None
        }
        Deed::Remove(path) if is_directory(&at(path)) => fs::remove_dir_all(at(path)).ok(),
        Deed::Remove(path) => fs::remove_file(at(path)).ok(),
        // Overlayfs refuses to move a directory that the image has.
        Deed::Rename(from, to) if !is_directory(&at(from)) => fs::rename(at(from), at(to)).ok(),
        Deed::Link(from, to) => fs::hard_link(at(from), at(to)).ok(),
        Deed::Symlink(path) => std::os::unix::fs::symlink("target", at(path)).ok(),
        Deed::Mode(path, mode) if !is_link(&at(path)) => {
            fs::set_permissions(at(path), fs::Permissions::from_mode(*mode)).ok()
        }
        Deed::Owner(path, id) => {
            let (uid, gid) = (Some(Uid::from_raw(*id)), Some(Gid::from_raw(*id)));
            rustix::fs::chownat(CWD, at(path), uid, gid, AtFlags::SYMLINK_NOFOLLOW).ok()
        }
        Deed::Time(path, seconds) => set_time(&at(path), *seconds),
        Deed::SetXattr(path) => rustix::fs::lsetxattr(at(path), "user.mark", b"1", XattrFlags::empty()).ok(),
        Deed::RemoveXattr(path) => rustix::fs::lremovexattr(at(path), "user.mark").ok(),
        Deed::Node(path, kind) => {
            let device = rustix::fs::makedev(1, 3);
            rustix::fs::mknodat(CWD, at(path), *kind, Mode::from_raw_mode(0o600), device).ok()
        }
        Deed::Socket(path) => UnixListener::bind(at(path)).ok().map(drop),
        Deed::Write(..) | Deed::Append(..) | Deed::Rename(..) | Deed::Mode(..) => None,
    };
}

fn set_time(path: &Path, seconds: i64) -> Option<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).ok()
}

/// Gives one time to everything that was changed just now, so that two runs can be compared.
fn stop_the_clock(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            stop_the_clock(&path);
        }
        stop_the_clock_of(&path);
    }
}

fn stop_the_clock_of(path: &Path) {
    if fs::symlink_metadata(path).unwrap().mtime() > 1_000_000 {
        set_time(path, 1_000_000).unwrap();
    }
}

/// A step that does these deeds, with a mount point that the image lacks.
struct Steps<'a> {
    store: &'a Store,
    mounted: PathBuf,
    points: Vec<MountPoint>,
}

impl Steps<'_> {
    fn on_overlay(&self, parent: &Snapshot, deeds: &[Deed]) -> Snapshot {
        let draft = self.store.draft(parent).unwrap();
        let stack = draft.stack(&self.points).unwrap();
        let mounted = Overlay::mount(self.mounted.clone(), &stack.lowers, Some((&stack.upper, &stack.work)));
        run(&self.mounted, deeds);
        drop(mounted);
        draft.commit().unwrap()
    }

    fn on_copy(&self, parent: &Snapshot, deeds: &[Deed]) -> Snapshot {
        let mut draft = self.store.draft(parent).unwrap();
        let copied = draft.copy(&self.points).unwrap();
        assert_eq!(copied.resolved, [PathBuf::from("/a/mounted")]);
        run(&copied.root, deeds);
        draft.commit().unwrap()
    }
}

fn run(root: &Path, deeds: &[Deed]) {
    // Nobody can remove a mount point.
    let keeps = |deed: &&Deed| match deed {
        Deed::Remove(path) => *path != path_of_mount() && !path_of_mount().starts_with(path),
        Deed::Rename(_, to) => !path_of_mount().starts_with(to),
        _ => true,
    };
    deeds.iter().filter(keeps).for_each(|deed| perform(root, deed));
    stop_the_clock(root);
    stop_the_clock_of(root);
}

fn path_of_mount() -> TreePath {
    path("a/mounted")
}

/// What an image may have: a directory, names of one file, a link.
fn base(store: &Store) -> Snapshot {
    crate::disk::snapshot(store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("b/c"), &attributes(0o755, 1)).unwrap();
        editor.write_file(&path("b/a"), &b"1"[..], &attributes(0o644, 2)).unwrap();
        editor.hard_link(&path("b/a"), &path("b/b")).unwrap();
        editor.write_file(&path("c"), &b"2"[..], &attributes(0o4755, 3)).unwrap();
        editor.set_xattrs(&path("c"), &[("user.mark".into(), b"0".to_vec())].into()).unwrap();
        editor.symlink(&path("b/c/a"), "target".as_ref(), &attributes(0o777, 3)).unwrap();
    })
}

fn packed(store: &Store, snapshot: &Snapshot) -> Vec<u8> {
    let mut archive = Vec::new();
    store.write_layer(snapshot, &mut archive).unwrap();
    archive
}

#[test]
fn a_copy_gives_the_layers_of_an_overlay() {
    if !crate::disk::is_root("a_copy_gives_the_layers_of_an_overlay") {
        return;
    }
    let config = ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in proptest::collection::vec(deeds(), 1..4))| {
        let (root, store) = store();
        let points = vec![MountPoint {
            path: image::ImagePath::new("/a/mounted"),
            kind: MountPointKind::Directory,
        }];
        let all = Steps { store: &store, mounted: root.path().join("mounted"), points };
        let (mut overlay, mut copy) = (base(&store), base(&store));
        for deeds in &steps {
            overlay = all.on_overlay(&overlay, deeds);
            copy = all.on_copy(&copy, deeds);
            prop_assert_eq!(crate::disk::dump(&overlay.tree()), crate::disk::dump(&copy.tree()));
            let (one, other) = (packed(&store, &overlay), packed(&store, &copy));
            prop_assert_eq!(crate::archives::listing(&one), crate::archives::listing(&other));
            prop_assert!(one == other, "the same bytes");
        }
    });
}

#[test]
fn a_step_that_changes_nothing_leaves_nothing_of_the_copy() {
    let (_root, store) = store();
    let base = base(&store);
    let mut draft = store.draft(&base).unwrap();
    let copied = draft.copy(&[]).unwrap();
    assert_eq!(fs::read(copied.root.join("b/b")).unwrap(), b"1");
    // A copy: nothing that is done to it reaches the image.
    assert_ne!(
        fs::metadata(copied.root.join("b/a")).unwrap().ino(),
        fs::metadata(base.lowers()[0].join("b/a")).unwrap().ino()
    );
    let snapshot = draft.commit().unwrap();
    assert_eq!(fs::read_dir(&snapshot.lowers()[0]).unwrap().count(), 0);
    assert_eq!(fs::read_dir(store.root().join("drafts")).unwrap().count(), 0);
}

#[test]
fn a_file_with_the_old_time_and_size_is_not_taken_for_the_old_one() {
    let (_root, store) = store();
    let base = base(&store);
    let mut draft = store.draft(&base).unwrap();
    let copied = draft.copy(&[]).unwrap();
    fs::write(copied.root.join("c"), "3").unwrap();
    set_time(&copied.root.join("c"), 3).unwrap();
    let snapshot = draft.commit().unwrap();
    assert_eq!(fs::read(snapshot.lowers()[0].join("c")).unwrap(), b"3");
}

#[test]
fn a_store_on_an_overlay_makes_the_same_layers() {
    if !crate::disk::is_root("a_store_on_an_overlay_makes_the_same_layers") {
        return;
    }
    let (root, plain) = store();
    let directories = ["lower", "upper", "work"].map(|name| {
        let directory = root.path().join(name);
        fs::create_dir(&directory).unwrap();
        directory
    });
    let [lower, upper, work] = directories;
    let mounted = Overlay::mount(root.path().join("merged"), &[lower], Some((&upper, &work)));
    let place = root.path().join("merged/store");
    let nested = Store::open(&place).unwrap();
    assert!(plain.has_overlay_layers() && !nested.has_overlay_layers());

    let layers = |store: &Store| {
        let base = base(store);
        let mut draft = store.draft(&base).unwrap();
        let copied = draft.copy(&[]).unwrap();
        fs::remove_file(copied.root.join("c")).unwrap();
        fs::remove_dir_all(copied.root.join("b")).unwrap();
        fs::create_dir(copied.root.join("b")).unwrap();
        fs::write(copied.root.join("b/new"), "").unwrap();
        fs::set_permissions(copied.root.join("b/new"), fs::Permissions::from_mode(0o0)).unwrap();
        stop_the_clock(&copied.root);
        stop_the_clock_of(&copied.root);
        let snapshot = draft.commit().unwrap();
        let edited = crate::disk::snapshot(store, &snapshot, |editor| {
            editor.remove(&path("b")).unwrap();
            editor.make_directory(&path("b"), &attributes(0o755, 4)).unwrap();
        });
        let listing = "d 755 1000000 .\nd 755 1000000 b\nf 0 1000000 b/new \n";
        assert_eq!(crate::disk::dump(&snapshot.tree()), listing);
        assert_eq!(crate::disk::dump(&edited.tree()), "d 755 1000000 .\nd 755 4 b\n");
        [packed(store, &snapshot), packed(store, &edited)]
    };
    let expected = layers(&plain);
    assert!(layers(&nested) == expected);

    // Layers from elsewhere have their marks here, too.
    let diff_id = image::DiffId(image::Digest::of(&expected[0]));
    let unpacked = nested.unpack(&base(&nested), &expected[0][..], diff_id).unwrap();
    assert_eq!(crate::disk::dump(&unpacked.tree()), "d 755 0 .\nd 755 1000000 b\nf 0 1000000 b/new \n");
    drop(nested);
    assert!(!Store::open(&place).unwrap().has_overlay_layers());
    drop(mounted);
}
