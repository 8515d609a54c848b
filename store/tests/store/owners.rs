//! Owners in a user namespace with a single id: the same layers as root makes, byte by byte.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use store::{
    Attributes, Device, Kind, LayerEncoding, OWNER_ATTRIBUTE, Owner, Snapshot, Store, StoreError, Timestamp,
};

use crate::disk::{is_root, path, snapshot};

/// The store of the user with a single id. It exists only where a test below has put it.
const STORE: &str = "store-of-a-single-id";

fn owned(mode: u32, uid: u32, gid: u32) -> Attributes {
    Attributes { mode, uid, gid, mtime: Timestamp::from_seconds(1000) }
}

/// Two layers in which all kinds of entries have owners of all kinds.
fn two_layers(store: &Store) -> Vec<Snapshot> {
    let base = snapshot(store, &store.scratch(), |editor| {
        editor.set_attributes(&path("/"), &owned(0o755, 0, 3)).unwrap();
        editor.make_directory(&path("home"), &owned(0o2750, 1000, 1001)).unwrap();
        editor.write_file(&path("home/file"), &b"text"[..], &owned(0o644, 1000, 1001)).unwrap();
        editor.write_file(&path("home/su"), &b"#!"[..], &owned(0o6755, 5, 0)).unwrap();
        editor.hard_link(&path("home/file"), &path("home/second")).unwrap();
        editor.symlink(&path("home/link"), "file".as_ref(), &owned(0o777, 1000, 1001)).unwrap();
        editor.hard_link(&path("home/link"), &path("home/link-too")).unwrap();
        editor.symlink(&path("of-root"), "home".as_ref(), &owned(0o777, 0, 0)).unwrap();
        editor.node(&path("pipe"), &Kind::Fifo, &owned(0o600, 7, 8)).unwrap();
        let null = Kind::CharDevice(Device { major: 1, minor: 3 });
        editor.node(&path("null"), &null, &owned(0o666, 0, 9)).unwrap();
        let disk = Kind::BlockDevice(Device { major: 8, minor: 0 });
        editor.node(&path("disk"), &disk, &owned(0o660, 0, 6)).unwrap();
        let xattrs = [("user.mine".into(), b"1".to_vec())].into();
        editor.set_xattrs(&path("home/file"), &xattrs).unwrap();
    });
    let top = snapshot(store, &base, |editor| {
        editor.write_file(&path("home/new"), &b"new"[..], &owned(0o600, 4_000_000_000, 2)).unwrap();
        editor.set_attributes(&path("home/link"), &owned(0o777, 11, 12)).unwrap();
        editor.symlink(&path("home/link-too"), "elsewhere".as_ref(), &owned(0o777, 0, 0)).unwrap();
        editor.set_attributes(&path("null"), &owned(0o600, 13, 14)).unwrap();
        editor.remove(&path("disk")).unwrap();
    });
    vec![base, top]
}

fn archives(store: &Store, layers: &[Snapshot]) -> Vec<Vec<u8>> {
    let write = |layer| {
        let mut archive = Vec::new();
        store.write_layer(layer, &mut archive).unwrap();
        archive
    };
    layers.iter().map(write).collect()
}

/// Runs one of the functions below as a user of a single id, with a directory in which `STORE` exists.
fn as_single_id(part: &str, directory: &Path) {
    fs::create_dir(directory.join(STORE)).unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("owners::{part}"), "--nocapture"])
        .current_dir(directory)
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Not a test of its own, but the part of the single id in `layers_are_the_same_as_those_of_root`.
#[test]
fn make_layers() {
    if !Path::new(STORE).exists() {
        return;
    }
    let store = Store::open(Path::new(STORE)).unwrap();
    let layers = two_layers(&store);
    for (number, archive) in archives(&store, &layers).into_iter().enumerate() {
        fs::write(format!("made-{number}.tar"), archive).unwrap();
    }
    // The archives of root, unpacked, come back as they were; packing them again shows it, since there are no blobs.
    let mut parent = store.scratch();
    for number in 0..layers.len() {
        let archive = fs::read(format!("root-{number}.tar")).unwrap();
        let diff_id = image::DiffId(image::Digest::of(&archive));
        parent = store.unpack(&parent, &archive[..], diff_id).unwrap();
        assert_eq!(store.pack(&parent, LayerEncoding::GZIP).unwrap().diff_id, diff_id);
    }
}

#[test]
fn layers_are_the_same_as_those_of_root() {
    if !is_root("layers_are_the_same_as_those_of_root") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    let expected = archives(&store, &two_layers(&store));
    for (number, archive) in expected.iter().enumerate() {
        fs::write(root.path().join(format!("root-{number}.tar")), archive).unwrap();
        let name = OWNER_ATTRIBUTE.as_bytes();
        assert!(!archive.windows(name.len()).any(|window| window == name), "records are no part of images");
    }
    as_single_id("make_layers", root.path());
    for (number, archive) in expected.iter().enumerate() {
        assert!(*archive == fs::read(root.path().join(format!("made-{number}.tar"))).unwrap(), "{number}");
    }
    // Neither can work with what the other has made.
    let other = Store::open(&root.path().join(STORE)).unwrap_err();
    assert!(matches!(other, StoreError::OtherOwners { .. }), "{other}");
}

/// Not a test of its own, but the part of the single id in `what_a_process_makes_belongs_to_its_user`.
#[test]
fn make_as_a_process() {
    if !Path::new(STORE).exists() {
        return;
    }
    let store = Store::open(Path::new(STORE)).unwrap();
    let base = snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory(&path("shared"), &owned(0o2775, 0, 50)).unwrap();
        editor.symlink(&path("kept"), "x".as_ref(), &owned(0o777, 21, 22)).unwrap();
    });
    let mut draft = store.draft(&base).unwrap();
    draft.made_by(Owner { uid: 1000, gid: 1001 });
    let upper = draft.stack(&[]).unwrap().upper;
    let mut editor = draft.editor();
    // What overlayfs does when a process writes into the directory or touches the link.
    editor.set_attributes(&path("shared"), &owned(0o2775, 0, 50)).unwrap();
    editor.finish().unwrap();
    fs::write(upper.join("plain"), "x").unwrap();
    fs::set_permissions(upper.join("plain"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::create_dir_all(upper.join("shared/inner")).unwrap();
    symlink("x", upper.join("shared/inner/link")).unwrap();
    symlink("x", upper.join("given")).unwrap();
    let given = fs::symlink_metadata(upper.join("given")).unwrap();
    let born = given.created().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut file = fs::File::create(upper.with_file_name("given")).unwrap();
    writeln!(file, "{} {} {} 31 32", given.ino(), born.as_secs(), born.subsec_nanos()).unwrap();
    fs::rename(upper.join("given"), upper.join("renamed")).unwrap();

    let tree = draft.commit().unwrap().tree();
    let owner = |name: &str| {
        let attributes = tree.get(&path(name)).unwrap().unwrap().attributes();
        (attributes.uid, attributes.gid)
    };
    assert_eq!(owner("/"), (0, 0));
    assert_eq!(owner("plain"), (1000, 1001));
    assert_eq!(owner("shared"), (0, 50));
    assert_eq!(owner("shared/inner"), (1000, 50), "set-group-id directories pass their group on");
    assert_eq!(owner("shared/inner/link"), (1000, 50), "and their bit");
    assert_eq!(owner("renamed"), (31, 32));
    assert_eq!(owner("kept"), (21, 22));
}

#[test]
fn what_a_process_makes_belongs_to_its_user() {
    if !is_root("what_a_process_makes_belongs_to_its_user") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    as_single_id("make_as_a_process", root.path());
}
