//! A process killed at any instant leaves a consistent store.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::disk::{attributes, path};
use store::{LayerEncoding, SnapshotId, Store};

/// The store of the writer, in its working directory. It exists only where the test below has put it.
const STORE: &str = "store-of-a-writer-to-be-killed";

/// What the writer remembers of every draft that it keeps, and how many it leaves.
const RECORD: &[u8] = &[b'r'; 10_000];
const MOST_KEPT: usize = 2;

/// Not a test of its own: the other one runs it in a process, and kills that.
#[test]
fn writer() {
    if !Path::new(STORE).exists() {
        return;
    }
    let store = Store::open(Path::new(STORE)).unwrap();
    let mut top = store.scratch();
    for number in 0.. {
        top = crate::disk::snapshot(&store, &top, |editor| {
            for file in 0..5 {
                let name = path(&format!("{number}/{file}"));
                editor.make_directory_all(&name.parent().unwrap(), &attributes(0o755, 1)).unwrap();
                editor.write_file(&name, &[7; 5000][..], &attributes(0o644, 1)).unwrap();
            }
        });
        store.pack(&top, LayerEncoding::GZIP).unwrap();
        let failed = store.draft(&top).unwrap();
        failed.editor().write_file(&path("failed"), &b"x"[..], &attributes(0o644, 1)).unwrap();
        failed.keep(RECORD, &[top.id()]).unwrap();
        store.forget_oldest_kept(MOST_KEPT).unwrap();
        println!("made {}", top.id());
        if top.depth() == 20 {
            top = store.scratch();
        }
    }
}

#[test]
fn a_killed_process_leaves_a_consistent_store() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join(STORE);
    std::fs::create_dir(&directory).unwrap();
    let mut made: HashSet<SnapshotId> = HashSet::new();
    for lines in (0..30).map(|round| 1 + round * 7 % 13) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::writer", "--nocapture"])
            .current_dir(root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let ids =
            output.lines().filter_map(|line| line.unwrap().split_once("made ")?.1.parse::<SnapshotId>().ok());
        made.extend(ids.take(lines));
        child.kill().unwrap();
        child.wait().unwrap();
        check(&directory, &made);
    }
    assert!(made.len() >= 30);
}

fn check(directory: &Path, made: &HashSet<SnapshotId>) {
    let store = Store::open(directory).unwrap();
    for name in ["drafts", "tmp"] {
        assert_eq!(std::fs::read_dir(directory.join(name)).unwrap().count(), 0, "{name} is clean");
    }
    for layer in std::fs::read_dir(directory.join("layers")).unwrap() {
        let name = layer.unwrap().file_name();
        let id = name.to_str().unwrap().parse().unwrap();
        assert!(store.snapshot(id).unwrap().is_some(), "no layer without a record");
    }
    let kept = store.kept().unwrap();
    assert!(kept.len() <= MOST_KEPT + 1, "{} are kept", kept.len());
    for id in kept {
        let kept = store.open_kept(id).unwrap().expect("what is listed is there");
        assert!(kept.record() == RECORD, "what is kept is whole");
        assert!(kept.snapshot().tree().get(&path("failed")).unwrap().is_some());
    }
    for id in made {
        let snapshot = store.snapshot(*id).unwrap().expect("what was made is there");
        let tree = snapshot.tree();
        let directories = tree.children(&tree.root().unwrap()).unwrap();
        assert_eq!(directories.len(), snapshot.depth());
        let packed = store.pack(&snapshot, LayerEncoding::GZIP).unwrap();
        assert_eq!(store.blobs().size(&packed.descriptor.digest).unwrap(), Some(packed.descriptor.size));
    }
}
