//! The index on a real file: what is found by which key, what survives, and how misses are
//! explained.

#![expect(clippy::unwrap_used, reason = "a test that meets an error ends there")]

use std::path::PathBuf;
use std::time::Duration;

use cache::content::{FileEntry, FileKind};
use cache::miss::Change;
use cache::{Cache, CacheKey, ContentKey, InputKey, KeyImage, Lookup, Miss, NewRecord, Position, Record};
use graph::exec::{Mount, MountKind, NetworkMode, SecurityMode};
use graph::file::MakeDirectory;
use graph::source::ImageSource;
use graph::{Exec, FileOp, Op, Source};
use image::{ChainId, Digest, ImagePath, Platform};
use store::SnapshotId;

struct Bench {
    directory: tempfile::TempDir,
    cache: Cache,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(&directory.path().join("cache.db")).unwrap();
        Self { directory, cache }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("cache.db")
    }

    fn record(&self, new: &NewRecord<'_>) -> Record {
        self.cache.insert(new).unwrap()
    }

    /// Builds a step at a place.
    fn build(&self, position: &Position, image: &KeyImage) -> Record {
        self.record(&NewRecord { position: Some(position), ..new(image, 1) })
    }

    /// One line: why a step misses.
    fn why(&self, position: &Position, image: &KeyImage) -> String {
        self.cache.explain(Some(position), image).unwrap().to_string()
    }
}

fn snapshot(number: u32) -> SnapshotId {
    format!("{number:032x}").parse().unwrap()
}

fn key(text: &str) -> CacheKey {
    CacheKey(Digest::of(text.as_bytes()))
}

fn exec(command: &str) -> Exec {
    Exec {
        args: vec!["/bin/sh".to_owned(), "-c".to_owned(), command.to_owned()],
        env: vec![("PATH".to_owned(), "/bin".to_owned())],
        cwd: ImagePath::root(),
        user: None,
        platform: Platform::new("linux", "amd64", None),
        hostname: "box".to_owned(),
        network: NetworkMode::Default,
        security: SecurityMode::Sandbox,
        mounts: vec![],
        secret_env: vec![],
        extra_hosts: vec![],
        ulimits: vec![],
        cgroup_parent: None,
        devices: Vec::new(),
    }
}

fn step(exec: Exec, base: &str) -> KeyImage {
    KeyImage { op: Op::Exec(Box::new(exec)), inputs: vec![InputKey::Key(key(base))] }
}

fn make(path: &str, base: &str) -> KeyImage {
    let directory = MakeDirectory { path: ImagePath::root().join(path), mode: 0o755, owner: None };
    KeyImage { op: Op::File(FileOp::MakeDirectory(directory)), inputs: vec![InputKey::Key(key(base))] }
}

fn file(path: &str, text: &str) -> FileEntry {
    FileEntry {
        path: path.to_owned(),
        kind: FileKind::File,
        mode: Some(0o644),
        owner: Some((0, 0)),
        digest: Digest::of(text.as_bytes()),
    }
}

/// A step that reads files: the digest is made of what the list says.
fn reading(files: Vec<FileEntry>, base: &str) -> KeyImage {
    let digest = Digest::of(format!("{files:?}").as_bytes());
    let content = InputKey::Content(ContentKey::new(digest, files));
    KeyImage { op: Op::Merge, inputs: vec![InputKey::Key(key(base)), content] }
}

fn new(image: &KeyImage, result: u32) -> NewRecord<'_> {
    NewRecord {
        key: image.key(),
        image,
        aliases: &[],
        result: snapshot(result),
        base: None,
        duration: Duration::from_millis(1500),
        position: None,
    }
}

fn at(ordinal: u32) -> Position {
    Position { dockerfile: "Dockerfile".to_owned(), stage: "build".to_owned(), ordinal }
}

fn hit(cache: &Cache, key: CacheKey) -> Option<(CacheKey, SnapshotId)> {
    match cache.lookup(key).unwrap() {
        Lookup::Hit(record) => Some((record.key, record.result)),
        Lookup::Evicted { .. } | Lookup::Unknown => None,
    }
}

#[test]
fn a_record_is_found_by_its_key_and_its_aliases_also_after_reopening() {
    let bench = Bench::new();
    let image = step(exec("make"), "base");
    assert_eq!(bench.cache.lookup(image.key()).unwrap(), Lookup::Unknown);
    let aliases = [key("definition")];
    let written = bench.record(&NewRecord { aliases: &aliases, base: Some(key("base")), ..new(&image, 7) });
    let path = bench.path();
    drop(bench.cache);
    let cache = Cache::open(&path).unwrap();
    for by in [image.key(), key("definition")] {
        let Lookup::Hit(record) = cache.lookup(by).unwrap() else { panic!("{by} is not found") };
        assert_eq!((record.key, record.result, record.base), (image.key(), snapshot(7), Some(key("base"))));
        assert_eq!(record.duration, written.duration);
        let stored_in_milliseconds = written.created.duration_since(record.created).unwrap();
        assert!(stored_in_milliseconds < Duration::from_millis(1));
    }
    assert_eq!(cache.lookup(key("other")).unwrap(), Lookup::Unknown);
}

#[test]
fn the_newest_result_of_a_key_wins() {
    let bench = Bench::new();
    let image = step(exec("date"), "base");
    bench.record(&new(&image, 1));
    let refreshed = image.key().refreshed(snapshot(2));
    bench.record(&NewRecord { key: refreshed, aliases: &[image.key()], ..new(&image, 2) });
    assert_eq!(hit(&bench.cache, image.key()), Some((refreshed, snapshot(2))));
    // And back: the alias of a key to itself removes what replaced it.
    bench.cache.alias(image.key(), image.key()).unwrap();
    assert_eq!(hit(&bench.cache, image.key()), Some((image.key(), snapshot(1))));
}

#[test]
fn an_evicted_result_leaves_its_keys_known_until_it_is_made_again() {
    let bench = Bench::new();
    let (one, two) = (step(exec("one"), "base"), step(exec("two"), "base"));
    bench.record(&NewRecord { aliases: &[key("alias")], ..new(&one, 1) });
    bench.record(&new(&two, 2));
    bench.cache.remember_layer_digest(snapshot(1), Digest::of(b"layer")).unwrap();
    bench.cache.evict(snapshot(1)).unwrap();
    for by in [one.key(), key("alias")] {
        assert!(matches!(bench.cache.lookup(by).unwrap(), Lookup::Evicted { key, .. } if key == one.key()));
    }
    assert_eq!(bench.cache.results().unwrap(), [snapshot(2)]);
    assert_eq!(bench.cache.layer_digest(snapshot(1)).unwrap(), None);
    bench.cache.renew(one.key(), snapshot(3), Duration::ZERO).unwrap();
    assert_eq!(hit(&bench.cache, key("alias")), Some((one.key(), snapshot(3))));
    assert_eq!(bench.cache.results().unwrap(), [snapshot(2), snapshot(3)]);
}

#[test]
fn siblings_have_the_same_base_and_a_result_of_their_own() {
    let bench = Bench::new();
    let images: Vec<KeyImage> = (0..4).map(|number| step(exec(&number.to_string()), "base")).collect();
    let records: Vec<Record> = (0..4)
        .zip(&images)
        .map(|(result, image)| bench.record(&NewRecord { base: Some(key("base")), ..new(image, result) }))
        .collect();
    let other = step(exec("other"), "elsewhere");
    bench.record(&NewRecord { base: Some(key("elsewhere")), ..new(&other, 9) });
    bench.cache.evict(snapshot(0)).unwrap();
    bench.cache.equate(records[2].key, &[key("definition")], &records[1]).unwrap();
    let siblings = bench.cache.siblings(key("base"), records[3].key).unwrap();
    let keys: Vec<CacheKey> = siblings.iter().map(|record| record.key).collect();
    assert_eq!(keys, [records[1].key], "not the evicted one, the equated one, the one itself");
    for by in [records[2].key, key("definition")] {
        assert_eq!(hit(&bench.cache, by), Some((records[1].key, snapshot(1))));
    }
}

#[test]
fn several_writers_and_readers_share_a_file() {
    let bench = Bench::new();
    let path = bench.path();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                // As another process does: with connections of its own.
                let cache = Cache::open(path).unwrap();
                for number in 0..25 {
                    let image = step(exec(&format!("{writer} {number}")), "base");
                    cache.insert(&new(&image, writer * 100 + number)).unwrap();
                    assert!(hit(&cache, image.key()).is_some());
                }
            });
        }
    });
    assert_eq!(bench.cache.results().unwrap().len(), 100);
}

#[test]
fn a_use_is_written_down_when_the_cache_is_closed() {
    let bench = Bench::new();
    let image = step(exec("make"), "base");
    let record = bench.build(&at(1), &image);
    // Elsewhere than it was built: from now on a miss there is explained by it too.
    let elsewhere = Position { dockerfile: "Other".to_owned(), ..at(5) };
    let changed = step(exec("make all"), "base");
    assert_eq!(bench.cache.explain(Some(&elsewhere), &changed).unwrap(), Miss::NeverBuilt);
    bench.cache.used(record.key, Some(&elsewhere)).unwrap();
    let path = bench.path();
    drop(bench.cache);
    let cache = Cache::open(&path).unwrap();
    assert_eq!(cache.explain(Some(&elsewhere), &changed).unwrap().to_string(), "the command changed");
}

#[test]
fn a_changed_variable_is_named() {
    let bench = Bench::new();
    let with = |sha: &str, command: &str| {
        let mut exec = exec(command);
        exec.env.push(("GIT_SHA".to_owned(), sha.to_owned()));
        step(exec, "base")
    };
    bench.build(&at(1), &with("1a", "make"));
    let why = bench.why(&at(1), &with("2b", "make"));
    assert_eq!(why, "GIT_SHA 1a -> 2b (the command does not mention it)");
    bench.build(&at(2), &with("1a", "echo ${GIT_SHA}"));
    assert_eq!(bench.why(&at(2), &with("2b", "echo ${GIT_SHA}")), "GIT_SHA 1a -> 2b");
    bench.build(&at(3), &with("1a", "echo $GIT_SHA_LONG"));
    let why = bench.why(&at(3), &with("2b", "echo $GIT_SHA_LONG"));
    assert_eq!(why, "GIT_SHA 1a -> 2b (the command does not mention it)");
    // The body of a heredoc is part of the command.
    let script = |sha: &str| {
        let Op::Exec(mut exec) = with(sha, "/script").op else { unreachable!("it is a process") };
        let kind = MountKind::Script { content: "#!/bin/sh\necho $GIT_SHA\n".to_owned() };
        exec.mounts.push(Mount { target: ImagePath::root().join("script"), kind });
        step(*exec, "base")
    };
    bench.build(&at(4), &script("1a"));
    assert_eq!(bench.why(&at(4), &script("2b")), "GIT_SHA 1a -> 2b");
}

#[test]
fn other_fields_are_named_by_their_place() {
    let bench = Bench::new();
    bench.build(&at(1), &step(exec("make"), "base"));
    let changed = |change: &dyn Fn(&mut Exec)| {
        let mut exec = exec("make");
        change(&mut exec);
        bench.why(&at(1), &step(exec, "base"))
    };
    assert_eq!(changed(&|exec| exec.cwd = ImagePath::root().join("src")), r#"exec.cwd "/" -> "/src""#);
    assert_eq!(changed(&|exec| exec.user = Some("app".to_owned())), r#"exec.user "app" is new"#);
    assert_eq!(changed(&|exec| exec.network = NetworkMode::None), r#"exec.network "default" -> "none""#);
    let several = changed(&|exec| {
        exec.args = vec!["other".to_owned()];
        exec.hostname = "host".to_owned();
    });
    assert_eq!(several, "the command changed (and 1 more)");
    bench.build(&at(2), &make("/src", "base"));
    assert_eq!(bench.why(&at(2), &make("/lib", "base")), r#"file.make-directory.path "/src" -> "/lib""#);
    assert_eq!(bench.why(&at(2), &step(exec("make"), "base")), "another instruction was here before");
}

#[test]
fn changed_files_are_named() {
    let bench = Bench::new();
    let before = vec![file("bin/run.sh", "run"), file("src/a.c", "a"), file("src/b.c", "b")];
    bench.build(&at(1), &reading(before.clone(), "base"));
    let why = |change: &dyn Fn(&mut Vec<FileEntry>)| {
        let mut after = before.clone();
        change(&mut after);
        bench.why(&at(1), &reading(after, "base"))
    };
    assert_eq!(why(&|files| files[1].digest = Digest::of(b"new")), "src/a.c changed");
    assert_eq!(why(&|files| files[0].mode = Some(0o755)), "bin/run.sh mode 0644 -> 0755");
    assert_eq!(why(&|files| files[2].owner = Some((1, 2))), "src/b.c owner 0:0 -> 1:2");
    assert_eq!(why(&|files| files[2].kind = FileKind::Symlink), "src/b.c is of another type");
    assert_eq!(why(&|files| files.push(file("zoo", "z"))), "zoo is new");
    assert_eq!(why(&|files| drop(files.remove(0))), "bin/run.sh is gone");
    let many = why(&|files| files.extend((0..20).map(|number| file(&format!("new{number:02}"), ""))));
    assert_eq!(many, "new00 is new (and 19 more)");
    let Miss::Changed(changes) = bench.cache.explain(Some(&at(1)), &reading(vec![], "base")).unwrap() else {
        panic!("it is a change");
    };
    assert!(matches!(&changes[..], [Change::Content { files, total: 3, .. }] if files.len() == 3));
}

#[test]
fn what_changed_in_the_step_comes_before_what_changed_below_it() {
    let bench = Bench::new();
    bench.build(&at(1), &reading(vec![file("a", "1")], "base"));
    assert_eq!(bench.why(&at(1), &reading(vec![file("a", "1")], "new")), "the step before it changed");
    assert_eq!(bench.why(&at(1), &reading(vec![file("a", "2")], "new")), "a changed (and 1 more)");
}

#[test]
fn the_nearest_earlier_build_explains() {
    let bench = Bench::new();
    bench.build(&at(1), &step(exec("make"), "old"));
    bench.build(&at(1), &step(exec("make all"), "new"));
    // One difference to the first, two to the second, which was the last one.
    assert_eq!(bench.why(&at(1), &step(exec("make"), "newest")), "the step before it changed");
    // Nothing was ever here, but the same operation elsewhere in the stage: it moved.
    assert_eq!(bench.why(&at(2), &step(exec("make"), "newest")), "the step before it changed");
    assert_eq!(bench.why(&at(2), &step(exec("never"), "new")), "not built before");
    let other_stage = Position { stage: "final".to_owned(), ..at(1) };
    assert_eq!(bench.why(&other_stage, &step(exec("make"), "newest")), "not built before");
    assert_eq!(bench.cache.explain(None, &step(exec("make"), "newest")).unwrap(), Miss::NeverBuilt);
}

#[test]
fn another_base_image_is_named() {
    let bench = Bench::new();
    let from = |text: &str| {
        let chain = ChainId(Digest::of(text.as_bytes()));
        KeyImage { op: Op::Source(Source::Image(ImageSource { chain })), inputs: vec![] }
    };
    bench.build(&at(0), &from("a"));
    let why = bench.why(&at(0), &from("b"));
    assert_eq!(why, "the base image changed: sha256:ca978112ca1b -> sha256:3e23e8160039");
}
