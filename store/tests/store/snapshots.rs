//! Drafts, editors, snapshots and trees on a real disk.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use crate::disk::{attributes, dump, path, store};
use image::ImagePath;
use store::{Kind, Made, MountPoint, MountPointKind, SnapshotId, Store, StoreError, TreePath};

#[test]
fn a_draft_becomes_a_snapshot_and_lower_files_stay_visible() {
    let (_root, store) = store();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("etc/conf.d"), &attributes(0o750, 100)).unwrap();
        editor.write_file(&path("etc/passwd"), &b"root"[..], &attributes(0o644, 200)).unwrap();
        editor.symlink(&path("var"), OsStr::new("/etc/conf.d"), &attributes(0o777, 300)).unwrap();
    });
    let top = crate::disk::snapshot(&store, &base, |editor| {
        editor.write_file(&path("var/log"), &b"through the link"[..], &attributes(0o600, 400)).unwrap();
        editor.remove(&path("etc/passwd")).unwrap();
    });
    assert_eq!(
        dump(&top.tree()),
        "d 755 0 .\nd 750 100 etc\nd 750 100 etc/conf.d\nf 600 400 etc/conf.d/log through the link\nl 300 var /etc/conf.d\n"
    );
    assert_eq!(dump(&base.tree()).lines().count(), 5, "the parent is unchanged");
    let reopened = store.snapshot(top.id()).unwrap().unwrap();
    assert_eq!(reopened.lowers(), top.lowers());
    assert_eq!(reopened.parent().unwrap().id(), base.id());
    assert_eq!(reopened.lowers().len(), 2);
    assert!(
        store.snapshot("00000000000000000000000000000001".parse::<SnapshotId>().unwrap()).unwrap().is_none()
    );
}

#[test]
fn a_directory_in_place_of_a_removed_one_is_opaque() {
    let (_root, store) = store();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("data/old"), &attributes(0o755, 1)).unwrap();
        editor.write_file(&path("file"), &b"x"[..], &attributes(0o644, 1)).unwrap();
    });
    let top = crate::disk::snapshot(&store, &base, |editor| {
        editor.remove(&path("data")).unwrap();
        assert_eq!(editor.make_directory(&path("data"), &attributes(0o700, 2)).unwrap(), Made::New);
        assert_eq!(editor.make_directory(&path("data"), &attributes(0o711, 3)).unwrap(), Made::Existing);
        editor.remove(&path("file")).unwrap();
        editor.make_directory(&path("file"), &attributes(0o755, 2)).unwrap();
    });
    assert_eq!(dump(&top.tree()), "d 755 0 .\nd 700 2 data\nd 755 2 file\n");
}

#[test]
fn directories_that_changed_nothing_are_left_out() {
    let (_root, store) = store();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("a/b/c"), &attributes(0o755, 1)).unwrap();
    });
    let same = crate::disk::snapshot(&store, &base, |editor| {
        editor.write_file(&path("a/b/c/temporary"), &b""[..], &attributes(0o644, 1)).unwrap();
        editor.remove(&path("a/b/c/temporary")).unwrap();
    });
    assert_eq!(std::fs::read_dir(&same.lowers()[0]).unwrap().count(), 0);
    let touched = crate::disk::snapshot(&store, &base, |editor| {
        editor.set_attributes(&path("a/b"), &attributes(0o755, 7)).unwrap();
    });
    assert_eq!(dump(&touched.tree()), "d 755 0 .\nd 755 1 a\nd 755 7 a/b\nd 755 1 a/b/c\n");
}

#[test]
fn files_that_changed_nothing_are_left_out() {
    let (_root, store) = store();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("d"), &attributes(0o755, 1)).unwrap();
        editor.make_directory_all(&path("hidden"), &attributes(0o755, 1)).unwrap();
        editor.write_file(&path("d/same"), &b"1"[..], &attributes(0o644, 1)).unwrap();
        editor.write_file(&path("d/linked"), &b"2"[..], &attributes(0o644, 1)).unwrap();
        editor.symlink(&path("d/link"), "same".as_ref(), &attributes(0o777, 1)).unwrap();
        editor.write_file(&path("hidden/same"), &b"3"[..], &attributes(0o644, 1)).unwrap();
    });
    let top = crate::disk::snapshot(&store, &base, |editor| {
        // Written again, linked to, hidden and then there again: only what is new is in the layer.
        editor.write_file(&path("d/same"), &b"1"[..], &attributes(0o644, 1)).unwrap();
        editor.symlink(&path("d/link"), "same".as_ref(), &attributes(0o777, 1)).unwrap();
        editor.hard_link(&path("d/linked"), &path("d/other")).unwrap();
        editor.remove(&path("hidden")).unwrap();
        editor.make_directory_all(&path("hidden"), &attributes(0o755, 1)).unwrap();
        editor.write_file(&path("hidden/same"), &b"3"[..], &attributes(0o644, 1)).unwrap();
    });
    let layer = top.lowers()[0].clone();
    let names = |directory: &str| {
        let mut names: Vec<_> = std::fs::read_dir(layer.join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!((names(""), names("d")), (vec!["d".to_owned()], vec!["other".to_owned()]));
    let changed = crate::disk::snapshot(&store, &base, |editor| {
        editor.write_file(&path("d/same"), &b"9"[..], &attributes(0o644, 1)).unwrap();
        editor.set_attributes(&path("d/linked"), &attributes(0o600, 1)).unwrap();
    });
    assert_eq!(std::fs::read_dir(changed.lowers()[0].join("d")).unwrap().count(), 2);
}

#[test]
fn links_out_of_the_root_stay_inside() {
    let (root, store) = store();
    let outside = root.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("deep/er"), &attributes(0o755, 1)).unwrap();
        editor.symlink(&path("deep/er/up"), OsStr::new("../../../../../.."), &attributes(0o777, 1)).unwrap();
        editor.symlink(&path("host"), outside.as_os_str(), &attributes(0o777, 1)).unwrap();
        editor.symlink(&path("loop"), OsStr::new("loop"), &attributes(0o777, 1)).unwrap();
    });
    let draft = store.draft(&base).unwrap();
    let mut editor = draft.editor();
    editor.write_file(&path("deep/er/up/top"), &b"1"[..], &attributes(0o644, 1)).unwrap();
    let made = editor.make_directory_all(&path("host"), &attributes(0o755, 1)).unwrap();
    editor.write_file(&path("host/file"), &b"2"[..], &attributes(0o644, 1)).unwrap();
    assert!(matches!(
        editor.make_directory_all(&path("loop/x"), &attributes(0o755, 1)),
        Err(StoreError::TooManySymlinks(_))
    ));
    editor.finish().unwrap();
    assert_eq!(made, TreePath::clean(outside.as_os_str().as_bytes()).unwrap());
    let tree = draft.tree();
    assert_eq!(tree.read(&ImagePath::new("/top")).unwrap().unwrap(), b"1");
    assert_eq!(tree.read(&ImagePath::new("/host/file")).unwrap().unwrap(), b"2");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn mount_points_never_reach_the_layer() {
    let (_root, store) = store();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("run"), &attributes(0o711, 5)).unwrap();
        editor.symlink(&path("secrets"), OsStr::new("run/real"), &attributes(0o777, 1)).unwrap();
    });
    let draft = store.draft(&base).unwrap();
    let points = [("/secrets/token", MountPointKind::File), ("/run", MountPointKind::Directory)]
        .map(|(path, kind)| MountPoint { path: ImagePath::new(path), kind });
    let stack = draft.stack(&points).unwrap();
    assert_eq!(stack.resolved, ["/run/real/token", "/run"].map(std::path::PathBuf::from));
    assert_eq!(stack.lowers.len(), 2);
    let run = std::fs::metadata(stack.lowers[0].join("run")).unwrap();
    assert_eq!((run.mode() & 0o7777, run.mtime()), (0o711, 5));
    assert!(stack.lowers[0].join("run/real/token").is_file());
    assert_eq!(std::fs::read_dir(&stack.upper).unwrap().count(), 0);

    let scratch = store.draft(&store.scratch()).unwrap();
    assert_eq!(scratch.stack(&[]).unwrap().lowers.len(), 1, "an overlay needs a lower directory");
    assert_eq!(draft.stack(&[]).unwrap().lowers, base.lowers());
}

#[test]
fn empty_layers_are_not_mounted() {
    let (_root, store) = store();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.write_file(&path("file"), &b"1"[..], &attributes(0o644, 1)).unwrap();
    });
    let mut top = base.clone();
    for _ in 0..3 {
        top = crate::disk::snapshot(&store, &top, |_| {});
    }
    assert_eq!(top.depth(), 4);
    let top_layer = store.snapshot(top.id()).unwrap().unwrap().lowers()[0].clone();
    assert_eq!(top.lowers(), [top_layer, base.lowers()[0].clone()]);
    let above = crate::disk::snapshot(&store, &top, |editor| editor.remove(&path("file")).unwrap());
    assert_eq!(above.lowers().len(), 2, "a layer that only hides is no empty one");
}

#[test]
fn a_layer_can_lie_on_another_parent() {
    let (_root, store) = store();
    let one = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.write_file(&path("one"), &b"1"[..], &attributes(0o644, 1)).unwrap();
    });
    let two = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.write_file(&path("two"), &b"2"[..], &attributes(0o644, 1)).unwrap();
    });
    let both = store.rebase(&two, &one).unwrap();
    assert_eq!(dump(&both.tree()), "d 755 0 .\nf 644 1 one 1\nf 644 1 two 2\n");
    assert_eq!(both.lowers()[0], two.lowers()[0]);
    assert_eq!(store.diff_id(&both).unwrap(), store.diff_id(&two).unwrap());
}

#[test]
fn abandoned_drafts_and_unrecorded_layers_are_removed() {
    let (root, store) = store();
    let base = crate::disk::snapshot(&store, &store.scratch(), |_| {});
    let alive = store.draft(&base).unwrap();
    let drafts = store.root().join("drafts");
    let abandoned = drafts.join("00000000000000000000000000000002");
    std::fs::create_dir_all(abandoned.join("fs/x")).unwrap();
    std::fs::write(abandoned.join("lock"), "").unwrap();
    let orphan = store.root().join("layers/00000000000000000000000000000003");
    std::fs::create_dir_all(orphan.join("fs")).unwrap();

    let second = Store::open(&root.path().join("store")).unwrap();
    assert!(!abandoned.exists());
    assert!(orphan.exists(), "another process may be about to record it");
    assert_eq!(std::fs::read_dir(&drafts).unwrap().count(), 1, "a locked draft is alive");
    drop((second, alive, store));
    let alone = Store::open(&root.path().join("store")).unwrap();
    assert!(!orphan.exists());
    assert_eq!(std::fs::read_dir(&drafts).unwrap().count(), 0);
    assert!(alone.snapshot(base.id()).unwrap().is_some());
    assert!(base.lowers()[0].exists());
}

#[test]
fn stores_of_other_formats_are_refused() {
    let root = tempfile::tempdir().unwrap();
    drop(Store::open(root.path()).unwrap());
    std::fs::write(root.path().join("format"), "7\n").unwrap();
    let error = Store::open(root.path()).unwrap_err();
    assert!(error.to_string().ends_with("has format 7, this program reads format 1"), "{error}");
}

#[test]
fn many_writers_share_one_store() {
    let root = tempfile::tempdir().unwrap();
    let stores: Vec<Store> = (0..4).map(|_| Store::open(root.path()).unwrap()).collect();
    let ids: Vec<SnapshotId> = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .map(|store| {
                scope.spawn(move || {
                    let mut top = store.scratch();
                    for number in 0..25 {
                        top = crate::disk::snapshot(store, &top, |editor| {
                            let name = format!("file-{number}");
                            editor.write_file(&path(&name), &b"x"[..], &attributes(0o644, 1)).unwrap();
                        });
                    }
                    top.id()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for id in ids {
        let snapshot = stores[0].snapshot(id).unwrap().unwrap();
        assert_eq!(snapshot.depth(), 25);
        assert_eq!(dump(&snapshot.tree()).lines().count(), 26);
    }
}

#[test]
fn hard_links_and_names_that_are_not_text_survive_copying() {
    let (root, store) = store();
    let source = root.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let odd = OsStr::from_bytes(b"odd \xff\xfe name");
    std::fs::write(source.join(odd), "same").unwrap();
    std::fs::hard_link(source.join(odd), source.join("second")).unwrap();
    let tree = store::Tree::host(&source, |_, _| store::Keep::Yes).unwrap();
    let copied = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        for entry in tree.walk(&tree.root().unwrap()) {
            let entry = entry.unwrap();
            if !entry.path().is_root() {
                editor.copy(&entry, entry.path(), &entry.attributes()).unwrap();
            }
        }
    });
    let tree = copied.tree();
    let inodes: Vec<_> = tree
        .children(&tree.root().unwrap())
        .unwrap()
        .iter()
        .map(|entry| entry.hard_link().unwrap())
        .collect();
    assert_eq!(inodes.len(), 2);
    assert_eq!(inodes[0], inodes[1]);
    assert!(
        tree.get(&TreePath::clean(odd.as_bytes()).unwrap()).unwrap().is_some_and(|e| *e.kind() == Kind::File)
    );
}

#[test]
fn file_capabilities_survive_copies_and_changes_of_mode() {
    if !crate::disk::is_root("file_capabilities_survive_copies_and_changes_of_mode") {
        return;
    }
    let (_root, store) = store();
    // Version 2, effective, permitted: CAP_NET_BIND_SERVICE.
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    let xattrs: store::Xattrs = [("security.capability".into(), capability)].into();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.write_file(&path("server"), &b"elf"[..], &attributes(0o755, 1)).unwrap();
        editor.set_xattrs(&path("server"), &xattrs).unwrap();
    });
    let entry = base.tree().get(&path("server")).unwrap().unwrap();
    let top = crate::disk::snapshot(&store, &base, |editor| {
        editor.set_attributes(&path("server"), &attributes(0o700, 2)).unwrap();
        let other_owner = store::Attributes { uid: 1000, ..attributes(0o755, 1) };
        editor.copy(&entry, &path("copy"), &other_owner).unwrap();
    });
    for name in ["server", "copy"] {
        assert_eq!(top.tree().get(&path(name)).unwrap().unwrap().xattrs().unwrap(), xattrs, "{name}");
    }
}
