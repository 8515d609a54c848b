//! A store in a temporary directory, and trees as text.

use std::fmt::Write;

use store::{Attributes, Editor, Kind, Snapshot, Store, Timestamp, Tree, TreePath};
use tempfile::TempDir;

/// An empty store, below a directory that tests may use, too.
pub(crate) fn store() -> (TempDir, Store) {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    (root, store)
}

pub(crate) fn path(text: &str) -> TreePath {
    TreePath::clean(text.as_bytes()).unwrap()
}

/// Attributes that belong to whoever runs the tests.
pub(crate) fn attributes(mode: u32, seconds: i64) -> Attributes {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Attributes { mode, uid, gid, mtime: Timestamp::from_seconds(seconds) }
}

/// Whether the tests run as the real root, who can mount and make devices; says so when they do not.
pub(crate) fn is_root(test: &str) -> bool {
    let uid_map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    let is_initial = uid_map.split_whitespace().eq(["0", "0", "4294967295"]);
    let is_root = is_initial && rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("SKIPPED: {test} needs root (owners, devices, trusted attributes, mounts)");
    }
    is_root
}

/// A snapshot on a parent with what `edit` does.
pub(crate) fn snapshot(store: &Store, parent: &Snapshot, edit: impl FnOnce(&mut Editor<'_>)) -> Snapshot {
    let draft = store.draft(parent).unwrap();
    let mut editor = draft.editor();
    edit(&mut editor);
    editor.finish().unwrap();
    draft.commit().unwrap()
}

/// One line an entry: kind, mode, seconds, path, content or target.
pub(crate) fn dump(tree: &Tree) -> String {
    let mut text = String::new();
    for entry in tree.walk(&tree.root().unwrap()) {
        let entry = entry.unwrap();
        let name = if entry.path().is_root() { ".".to_owned() } else { entry.path().to_string() };
        let (mode, seconds) = (entry.mode(), entry.mtime().seconds);
        match entry.kind() {
            Kind::File => {
                let mut content = String::new();
                std::io::Read::read_to_string(&mut entry.open().unwrap(), &mut content).unwrap();
                writeln!(text, "f {mode:o} {seconds} {name} {content}").unwrap();
            }
            Kind::Directory => writeln!(text, "d {mode:o} {seconds} {name}").unwrap(),
            Kind::Symlink(target) => {
                writeln!(text, "l {seconds} {name} {}", target.to_string_lossy()).unwrap();
            }
            other => writeln!(text, "{other:?} {mode:o} {seconds} {name}").unwrap(),
        }
    }
    text
}
