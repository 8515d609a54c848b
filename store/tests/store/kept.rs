//! Drafts that outlive their process, and what layers change.

use crate::disk::{attributes, dump, path, snapshot, store};
use store::{Forgotten, Kept, Snapshot, Store};

/// A snapshot with two files and two directories.
fn base(store: &Store) -> Snapshot {
    snapshot(store, &store.scratch(), |editor| {
        for name in ["etc/passwd", "etc/deep/file", "data/old"] {
            editor.make_directory_all(&path(name).parent().unwrap(), &attributes(0o755, 1)).unwrap();
            editor.write_file(&path(name), &b"x"[..], &attributes(0o644, 1)).unwrap();
        }
    })
}

fn keep(store: &Store, parent: &Snapshot, record: &str) -> Kept {
    let draft = store.draft(parent).unwrap();
    draft.editor().write_file(&path("left"), record.as_bytes(), &attributes(0o644, 2)).unwrap();
    draft.keep(record.as_bytes(), &[parent.id()]).unwrap()
}

#[test]
fn a_kept_draft_outlives_its_process_and_can_be_built_on() {
    let (root, store) = store();
    let base = base(&store);
    let id = keep(&store, &base, "first").snapshot().id();
    drop(store);
    let store = Store::open(&root.path().join("store")).unwrap();
    assert_eq!(store.kept().unwrap(), [id]);
    let kept = store.open_kept(id).unwrap().unwrap();
    assert_eq!(kept.record(), b"first");
    assert_eq!(kept.snapshot().parent().unwrap().id(), base.id());
    assert!(dump(&kept.snapshot().tree()).contains("f 644 2 left first\n"));

    let draft = store.draft(kept.snapshot()).unwrap();
    draft.editor().write_file(&path("left"), &b"changed"[..], &attributes(0o644, 3)).unwrap();
    assert!(dump(&draft.tree()).contains("left changed\n"));
    drop(draft);
    assert!(dump(&kept.snapshot().tree()).contains("left first\n"));
}

#[test]
fn the_oldest_are_forgotten_unless_they_are_in_use() {
    let (_root, store) = store();
    let base = base(&store);
    let in_use = keep(&store, &base, "in use");
    let ids: Vec<_> =
        (0..4).map(|number| keep(&store, &base, &format!("{number}")).snapshot().id()).collect();
    store.forget_oldest_kept(3).unwrap();
    assert_eq!(store.kept().unwrap(), [ids[3], ids[2], in_use.snapshot().id()]);
    assert!(store.open_kept(ids[0]).unwrap().is_none());
    let layers = std::fs::read_dir(store.root().join("layers")).unwrap().count();
    assert_eq!(layers, 4, "the base and what is kept");

    let other = Store::open(store.root()).unwrap();
    assert_eq!(other.forget_kept(in_use.snapshot().id()).unwrap(), Forgotten::InUse);
    assert_eq!(other.forget_kept(base.id()).unwrap(), Forgotten::Gone);
    let id = in_use.snapshot().id();
    drop(in_use);
    assert_eq!(other.forget_kept(id).unwrap(), Forgotten::Gone);
    assert!(store.open_kept(id).unwrap().is_none());
    assert!(store.snapshot(base.id()).unwrap().is_some(), "a snapshot that was never kept stays");
}

#[test]
fn what_a_layer_changes_is_told_as_docker_does() {
    let (_root, store) = store();
    let base = base(&store);
    let top = snapshot(&store, &base, |editor| {
        editor.write_file(&path("etc/passwd"), &b"y"[..], &attributes(0o644, 1)).unwrap();
        editor.make_directory_all(&path("new/below"), &attributes(0o755, 2)).unwrap();
        editor.remove(&path("etc/deep")).unwrap();
        editor.remove(&path("data")).unwrap();
        editor.make_directory(&path("data"), &attributes(0o700, 2)).unwrap();
        editor.write_file(&path("data/fresh"), &b""[..], &attributes(0o644, 1)).unwrap();
    });
    let changes = store.changes(&top).unwrap();
    let lines: Vec<String> =
        changes.iter().map(|change| format!("{:?} {}", change.kind, change.path)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    Changed data
    Added data/fresh
    Deleted data/old
    Changed etc
    Deleted etc/deep
    Changed etc/passwd
    Added new
    Added new/below
    ");
    assert_eq!(store.changes(&store.scratch()).unwrap(), []);
    let same = snapshot(&store, &base, |_| {});
    assert_eq!(store.changes(&same).unwrap(), []);
}
