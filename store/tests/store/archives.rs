//! Layers as archives: unpacking, packing, hostile input.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;

use crate::disk::{attributes, dump, path, store};
use image::{Descriptor, DiffId, Digest, MediaType};
use store::{ArchiveProblem, LayerEncoding, Snapshot, Store, StoreError};
use tar::{Builder, EntryType, Header};

/// An archive built entry by entry, with names and link targets exactly as given.
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn entry(mut self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
        header.set_uid(rustix::process::geteuid().as_raw().into());
        header.set_gid(rustix::process::getegid().as_raw().into());
        header.set_mtime(1000);
        header.set_size(content.len() as u64);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, "", content.as_bytes())
    }

    fn directory(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, b"")
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, b"")
    }

    /// The next entry gets these records.
    fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn diff_id(archive: &[u8]) -> DiffId {
    DiffId(Digest::of(archive))
}

fn unpack(store: &Store, parent: &Snapshot, archive: &[u8]) -> Snapshot {
    store.unpack(parent, archive, diff_id(archive)).unwrap()
}

fn problem(archive: &[u8]) -> (ArchiveProblem, usize) {
    let (root, store) = store();
    let error = store.unpack(&store.scratch(), archive, diff_id(archive)).unwrap_err();
    assert_eq!(std::fs::read_dir(store.root().join("layers")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(store.root().join("drafts")).unwrap().count(), 0);
    match error {
        StoreError::ArchiveEntry { problem, .. } => {
            (problem, std::fs::read_dir(root.path()).unwrap().count())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn layers_apply_onto_each_other() {
    let (_root, store) = store();
    let base = Tar::new()
        .directory("./")
        .directory("usr/")
        .directory("usr/lib/")
        .symlink("lib", "usr/lib")
        .file("usr/lib/libc", "1")
        .directory("gone/")
        .file("gone/a", "a")
        .directory("emptied/")
        .file("emptied/old", "old")
        .file("becomes-directory", "x")
        .directory("becomes-file/")
        .file("becomes-file/x", "x")
        .finish();
    let top = Tar::new()
        .file("lib/below-a-link", "2")
        .file(".wh.gone", "")
        .directory("emptied/")
        .file("emptied/new", "new")
        .file("emptied/.wh..wh..opq", "")
        .directory("becomes-directory/")
        .file("becomes-directory/y", "y")
        .file("becomes-file", "file")
        .hard_link("linked", "usr/lib/libc")
        .file("implied/parent/file", "p")
        .file("twice", "first")
        .file("twice", "second")
        .finish();
    let base = unpack(&store, &store.scratch(), &base);
    let snapshot = unpack(&store, &base, &top);
    insta::assert_snapshot!(dump(&snapshot.tree()), @r"
    d 755 1000 .
    d 755 1000 becomes-directory
    f 644 1000 becomes-directory/y y
    f 644 1000 becomes-file file
    d 755 1000 emptied
    f 644 1000 emptied/new new
    d 755 1000 implied
    d 755 1000 implied/parent
    f 644 1000 implied/parent/file p
    l 1000 lib usr/lib
    f 644 1000 linked 1
    f 644 1000 twice second
    d 755 1000 usr
    d 755 1000 usr/lib
    f 644 1000 usr/lib/below-a-link 2
    f 644 1000 usr/lib/libc 1
    ");
    assert_eq!(unpack(&store, &base, &top).id(), snapshot.id(), "the same chain is not unpacked twice");
    assert_eq!(store.diff_id(&snapshot).unwrap(), diff_id(&top));
}

#[test]
fn an_opaque_root_hides_everything_below() {
    let (_root, store) = store();
    let base = unpack(&store, &store.scratch(), &Tar::new().directory("dir/").file("dir/old", "1").finish());
    let top = Tar::new().file("dir/before", "2").file(".wh..wh..opq", "").file("dir/after", "3").finish();
    let top = unpack(&store, &base, &top);
    assert_eq!(
        dump(&top.tree()),
        "d 755 0 .\nd 755 1000 dir\nf 644 1000 dir/after 3\nf 644 1000 dir/before 2\n"
    );
}

#[test]
fn hostile_entries_are_refused_and_write_nothing_outside() {
    for (archive, expected) in [
        (Tar::new().file("../escape", "x"), ArchiveProblem::Outside),
        (Tar::new().file("a/../../escape", "x"), ArchiveProblem::Outside),
        (Tar::new().hard_link("link", "../../escape"), ArchiveProblem::LinkOutside),
        (Tar::new().hard_link("link", "/etc/passwd"), ArchiveProblem::LinkTargetMissing),
        (Tar::new().directory("d").hard_link("link", "d"), ArchiveProblem::LinkToDirectory),
        (Tar::new().symlink("link", ""), ArchiveProblem::NoLinkTarget),
        (Tar::new().file(".", "x"), ArchiveProblem::ReplacesRoot),
        (Tar::new().symlink("/", "x"), ArchiveProblem::ReplacesRoot),
        (Tar::new().file("a/.wh.", ""), ArchiveProblem::BadWhiteout),
        (Tar::new().file("a/.wh...", ""), ArchiveProblem::BadWhiteout),
        (Tar::new().entry(EntryType::new(b'Q'), "odd", "", b""), ArchiveProblem::UnknownType),
    ] {
        let (found, files) = problem(&archive.finish());
        assert_eq!((found, files), (expected, 1), "{expected:?}");
    }
}

#[test]
fn links_in_an_archive_do_not_lead_out_of_the_root() {
    let (root, store) = store();
    let outside = root.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "untouched").unwrap();
    let outside = outside.to_str().unwrap();
    let archive = Tar::new()
        .symlink("absolute", outside)
        .file("absolute/file", "inside")
        .symlink("relative", "../../../../../../../tmp")
        .file("relative/file", "inside")
        .file("/rooted", "inside")
        .hard_link("copy", "/rooted")
        .finish();
    let snapshot = unpack(&store, &store.scratch(), &archive);
    assert_eq!(std::fs::read_to_string(format!("{outside}/file")).unwrap(), "untouched");
    let tree = snapshot.tree();
    for inside in [&format!("{outside}/file"), "tmp/file", "rooted", "copy"] {
        let entry = tree.get(&path(inside)).unwrap().unwrap();
        assert_eq!(entry.size(), 6, "{inside}");
    }
}

#[test]
fn content_that_is_not_the_promised_one_leaves_nothing() {
    let (_root, store) = store();
    let archive = Tar::new().file("file", "content").finish();
    let other = diff_id(b"other");
    let error = store.unpack(&store.scratch(), &archive[..], other).unwrap_err();
    assert!(matches!(error, StoreError::DigestMismatch { .. }), "{error}");
    let error = store.unpack(&store.scratch(), &archive[..700], diff_id(&archive)).unwrap_err();
    assert!(matches!(error, StoreError::ArchiveRead(_) | StoreError::Io { .. }), "{error}");
    for directory in ["layers", "drafts", "tmp"] {
        assert_eq!(std::fs::read_dir(store.root().join(directory)).unwrap().count(), 0, "{directory}");
    }
}

#[test]
fn pax_records_are_honoured() {
    let (_root, store) = store();
    let long = "x".repeat(150);
    let archive = Tar::new()
        .pax(&[
            ("path", format!("{long}/{long}").as_bytes()),
            ("mtime", b"1700000000.123456789"),
            ("SCHILY.xattr.user.mark", b"\x00\xff"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.user.overlay.redirect", b"/etc"),
        ])
        .file("short", "content")
        .pax(&[("path", b"names/\xff\xfe")])
        .file("short", "bytes")
        .finish();
    let snapshot = unpack(&store, &store.scratch(), &archive);
    let entry = snapshot.tree().get(&path(&format!("{long}/{long}"))).unwrap().unwrap();
    assert_eq!((entry.mtime().seconds, entry.mtime().nanoseconds), (1_700_000_000, 123_456_789));
    let xattrs = entry.xattrs().unwrap();
    assert!(xattrs.len() <= 1, "{xattrs:?}");
    assert_eq!(xattrs.get(std::ffi::OsStr::new("user.mark")).map(Vec::as_slice), Some(&b"\x00\xff"[..]));
    let odd = store::TreePath::clean(b"names/\xff\xfe").unwrap();
    assert_eq!(snapshot.tree().get(&odd).unwrap().unwrap().size(), 5);
}

#[test]
fn numbers_that_are_left_out_are_zero() {
    if !rustix::process::geteuid().is_root() {
        return; // Nobody else gives a file to root.
    }
    let (_root, store) = store();
    let mut archive = Tar::new();
    let mut header = Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o640);
    archive.0.append_data(&mut header, "file", &b"x"[..]).unwrap();
    let snapshot = unpack(&store, &store.scratch(), &archive.finish());
    assert_eq!(dump(&snapshot.tree()).lines().last(), Some("f 640 0 file x"));
}

#[test]
fn sparse_files_keep_their_holes() {
    let (_root, store) = store();
    let mut content = b"1\n4194304\n4\n".to_vec();
    content.resize(512, 0);
    content.extend_from_slice(b"data");
    let size = 8 << 20;
    let archive = Tar::new()
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"sparse"),
            ("GNU.sparse.realsize", size.to_string().as_bytes()),
        ])
        .entry(EntryType::Regular, "GNUSparseFile.0/sparse", "", &content)
        .finish();
    let snapshot = unpack(&store, &store.scratch(), &archive);
    let entry = snapshot.tree().get(&path("sparse")).unwrap().unwrap();
    assert_eq!(entry.size(), size);
    let mut bytes = Vec::new();
    entry.open().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(&bytes[4_194_304..4_194_308], b"data");
    assert_eq!(bytes.iter().filter(|&&byte| byte != 0).count(), 4);
    assert!(entry.open().unwrap().metadata().unwrap().blocks() < 100, "in blocks of 512 bytes");
}

/// What a layer with everything in it looks like, as text.
pub(crate) fn listing(archive: &[u8]) -> String {
    let mut text = String::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let extensions = entry.pax_extensions().unwrap().map_or(0, Iterator::count);
        let name = String::from_utf8_lossy(&entry.path_bytes()).chars().take(40).collect::<String>();
        let link = entry.link_name_bytes().filter(|link| !link.is_empty());
        let link = link.map_or("-".to_owned(), |link| String::from_utf8_lossy(&link).into_owned());
        let header = entry.header();
        let kind = char::from(header.entry_type().as_byte());
        let (mode, mtime, size) = (header.mode().unwrap(), header.mtime().unwrap(), entry.size());
        writeln!(text, "{kind} {mode:o} {mtime} {size} {extensions} {name} {link}").unwrap();
    }
    text
}

#[test]
fn packing_is_canonical_and_unpacking_it_gives_the_same_bytes() {
    let test = "packing_is_canonical_and_unpacking_it_gives_the_same_bytes";
    if !crate::disk::is_root(test) {
        return;
    }
    let (_root, store) = store();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("keep"), &attributes(0o755, 1)).unwrap();
        editor.make_directory_all(&path("opaque/old"), &attributes(0o755, 1)).unwrap();
        editor.write_file(&path("deleted"), &b"x"[..], &attributes(0o644, 1)).unwrap();
    });
    let top = crate::disk::snapshot(&store, &base, |editor| {
        let large = store::Attributes { uid: 3_000_000, gid: 7, ..attributes(0o4755, 1_700_000_000) };
        editor.write_file(&path("keep/z"), &b"zzz"[..], &large).unwrap();
        editor.write_file(&path("keep/a"), &b"aaa"[..], &attributes(0o600, -5)).unwrap();
        editor.hard_link(&path("keep/z"), &path("keep/b")).unwrap();
        editor.symlink(&path("keep/link"), "target".as_ref(), &attributes(0o777, 9)).unwrap();
        let device = store::Kind::CharDevice(store::Device { major: 1, minor: 3 });
        editor.node(&path("keep/null"), &device, &attributes(0o666, 9)).unwrap();
        editor.node(&path("keep/pipe"), &store::Kind::Fifo, &attributes(0o600, 9)).unwrap();
        editor
            .write_file(&path(&format!("keep/{}", "n".repeat(120))), &b""[..], &attributes(0o644, 9))
            .unwrap();
        let xattrs = [("user.mark".into(), b"v".to_vec())].into();
        editor.set_xattrs(&path("keep/a"), &xattrs).unwrap();
        editor.remove(&path("deleted")).unwrap();
        editor.remove(&path("opaque")).unwrap();
        editor.make_directory(&path("opaque"), &attributes(0o755, 2)).unwrap();
    });
    let mut archive = Vec::new();
    let packed = store.write_layer(&top, &mut archive).unwrap();
    insta::assert_snapshot!(listing(&archive), @r"
    0 0 0 0 0 .wh.deleted -
    5 755 1 0 0 keep/ -
    0 600 0 3 2 keep/a -
    0 4755 1700000000 3 1 keep/b -
    2 777 9 0 0 keep/link target
    0 644 9 0 1 keep/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn -
    3 666 9 0 0 keep/null -
    6 600 9 0 0 keep/pipe -
    1 4755 1700000000 0 1 keep/z keep/b
    5 755 2 0 0 opaque/ -
    0 0 0 0 0 opaque/.wh.old -
    ");
    assert_eq!(packed, diff_id(&archive));
    assert_eq!(store.diff_id(&top).unwrap(), packed);
    insta::assert_snapshot!(packed, @"sha256:7f92c37cc60ba451b36b0a855d374be1bf23d894ee20eb052ae3c34284fd04b8");

    let (_other_root, other) = crate::disk::store();
    let mut base_archive = Vec::new();
    store.write_layer(&base, &mut base_archive).unwrap();
    let base = other.import(&other.scratch(), &base_archive[..]).unwrap();
    assert_eq!(other.diff_id(&base).unwrap(), diff_id(&base_archive));
    let unpacked = unpack(&other, &base, &archive);
    assert_eq!(dump_layer(&unpacked), dump_layer(&top));
    let mut again = Vec::new();
    assert_eq!(other.write_layer(&unpacked, &mut again).unwrap(), packed);
    assert!(again == archive, "the same bytes");
}

/// Names, kinds and modes in a layer directory itself.
fn dump_layer(snapshot: &Snapshot) -> Vec<(String, u32, u64)> {
    let root = snapshot.lowers()[0].clone();
    let mut found = Vec::new();
    let mut pending = vec![root.clone()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            found.push((name, metadata.mode(), metadata.rdev()));
            if metadata.is_dir() {
                pending.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn blobs_of_layers_are_made_once_and_originals_are_kept() {
    let (_root, store) = store();
    let snapshot = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.write_file(&path("file"), &b"content"[..], &attributes(0o644, 1)).unwrap();
    });
    for encoding in [LayerEncoding::GZIP, LayerEncoding::ZSTD, LayerEncoding::UNCOMPRESSED] {
        let packed = store.pack(&snapshot, encoding).unwrap();
        assert_eq!(packed.descriptor.media_type, MediaType::OciLayer(encoding.compression()));
        let blob = store.blobs().open(&packed.descriptor.digest).unwrap();
        assert_eq!(blob.metadata().unwrap().len(), packed.descriptor.size);
        let (_other_root, other) = crate::disk::store();
        let unpacked = other.unpack(&other.scratch(), blob, packed.diff_id).unwrap();
        assert_eq!(dump(&unpacked.tree()), dump(&snapshot.tree()));
        assert_eq!(store.pack(&snapshot, encoding).unwrap().descriptor, packed.descriptor);
    }

    // An archive that is not canonical: its blob is what is given out again.
    let archive = Tar::new().file("z", "1").file("a", "2").finish();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive).unwrap();
    let gzip = gzip.finish().unwrap();
    let foreign = store.unpack(&store.scratch(), &gzip[..], diff_id(&archive)).unwrap();
    let blob = Descriptor::of(MediaType::OciLayer(image::Compression::Gzip), &gzip);
    assert!(matches!(store.add_layer_blob(diff_id(&archive), &blob), Err(StoreError::BlobMissing(_))));
    assert!(matches!(store.pack(&foreign, LayerEncoding::GZIP), Err(StoreError::OriginalBlobMissing(_))));
    store.blobs().put(&gzip).unwrap();
    store.add_layer_blob(diff_id(&archive), &blob).unwrap();
    assert_eq!(store.pack(&foreign, LayerEncoding::GZIP).unwrap().descriptor, blob);
    let zstd = store.pack(&foreign, LayerEncoding::ZSTD).unwrap();
    assert_eq!(zstd.diff_id, diff_id(&archive));
}

#[test]
fn add_extracts_below_a_directory_without_whiteouts() {
    let (_root, store) = store();
    let archive = Tar::new().directory("./").file("dir/.wh.name", "kept").file("link/inside", "1").finish();
    let base = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("opt/dir"), &attributes(0o700, 1)).unwrap();
        editor.write_file(&path("opt/dir/name"), &b"n"[..], &attributes(0o644, 1)).unwrap();
        editor.make_directory_all(&path("opt/real"), &attributes(0o755, 1)).unwrap();
        editor.symlink(&path("opt/link"), "real".as_ref(), &attributes(0o777, 1)).unwrap();
    });
    let top = crate::disk::snapshot(&store, &base, |editor| {
        editor.extract(&archive[..], &path("opt"), None).unwrap();
    });
    insta::assert_snapshot!(dump(&top.tree()), @r"
    d 755 0 .
    d 700 1 opt
    d 700 1 opt/dir
    f 644 1000 opt/dir/.wh.name kept
    f 644 1 opt/dir/name n
    l 1 opt/link real
    d 755 1 opt/real
    f 644 1000 opt/real/inside 1
    ");
}

#[test]
fn a_tree_is_one_archive() {
    let (_root, store) = store();
    let base = unpack(&store, &store.scratch(), &Tar::new().file("a", "1").file("b", "2").finish());
    let top = unpack(&store, &base, &Tar::new().file(".wh.a", "").hard_link("c", "b").finish());
    let mut archive = Vec::new();
    store::write_trees(&[(store::TreePath::root(), top.tree())], &mut archive).unwrap();
    insta::assert_snapshot!(listing(&archive), @r"
    0 644 1000 1 0 b -
    1 644 1000 0 0 c b
    ");
}
