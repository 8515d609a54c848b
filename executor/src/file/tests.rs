//! Copies over a real store: the files of a context and an operation in, the resulting tree out.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use graph::FileOp;
use graph::file::{Copy, CopySource, Destination, MakeDirectory, ModeChange, Owner, Unpack};
use graph::source::ContextName;
use graph::vertex::InputIndex;
use image::{ImagePath, PathPattern};
use store::{Keep, Kind, Snapshot, Store, Tree};
use tempfile::TempDir;

use super::error::FileError;
use crate::output::Output;

/// A store, and a context of these files.
struct Fixture {
    store: Store,
    directory: TempDir,
}

impl Fixture {
    /// Each file is `path` (a directory if it ends with `/`), `path=content` or `path->target`.
    fn new(files: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let context = directory.path().join("context");
        fs::create_dir(&context).expect("a context");
        for file in files {
            make(&context, file);
        }
        let store = Store::open(&directory.path().join("store")).expect("a store");
        Self { store, directory }
    }

    fn context(&self) -> Output {
        let tree = Tree::host(&self.directory.path().join("context"), |_, _| Keep::Yes).expect("a context");
        Output::Context(ContextName::main(), tree)
    }

    fn run(&self, base: &Snapshot, copy: &Copy) -> Result<Snapshot, FileError> {
        let inputs = [Output::Snapshot(base.clone()), self.context()];
        super::run(&self.store, &FileOp::Copy(copy.clone()), base, &inputs)
    }

    /// Copies onto a tree, which must work.
    fn copied(&self, base: &Snapshot, copy: &Copy) -> Snapshot {
        self.run(base, copy).expect("a copy")
    }

    /// The text of the error of a copy onto nothing.
    fn refused(&self, copy: &Copy) -> String {
        self.run(&self.store.scratch(), copy).expect_err("no copy").to_string()
    }

    /// The tree that a copy onto nothing makes.
    fn listed(&self, copy: &Copy) -> Vec<String> {
        list(&self.copied(&self.store.scratch(), copy))
    }
}

fn make(context: &Path, file: &str) {
    let (path, _) = file.split_once(['=', '>']).unwrap_or((file, ""));
    let host = context.join(path.trim_end_matches('-'));
    fs::create_dir_all(host.parent().expect("a parent")).expect("a directory");
    if let Some((_, target)) = file.split_once("->") {
        symlink(target, host).expect("a link");
    } else if path.ends_with('/') {
        fs::create_dir_all(host).expect("a directory");
    } else {
        fs::write(&host, file.split_once('=').map_or("", |(_, content)| content)).expect("a file");
        fs::set_permissions(&host, Permissions::from_mode(0o644)).expect("a mode");
    }
}

/// `path mode uid:gid`, then the content or the target.
fn list(snapshot: &Snapshot) -> Vec<String> {
    let tree = snapshot.tree();
    let root = tree.root().expect("a root");
    let describe = |entry: store::Entry| {
        let attributes = entry.attributes();
        let owner = format!("{}:{}", attributes.uid, attributes.gid);
        let path = entry.path();
        match entry.kind() {
            Kind::Directory => format!("{path}/ {:o} {owner}", entry.mode()),
            Kind::Symlink(target) => format!("{path} -> {}", target.to_string_lossy()),
            _ => {
                let content = std::io::read_to_string(entry.open().expect("a file")).expect("text");
                format!("{path} {:o} {owner} {content}", entry.mode())
            }
        }
    };
    tree.walk(&root).skip(1).map(|entry| describe(entry.expect("an entry"))).collect()
}

/// `COPY sources… destination`
fn copy(sources: &[&str], destination: &str) -> Copy {
    let tree = |pattern: &&str| CopySource::Tree {
        input: InputIndex(1),
        pattern: PathPattern::new(*pattern),
        unpack: Unpack::Never,
    };
    Copy {
        sources: sources.iter().map(tree).collect(),
        destination: Destination {
            path: ImagePath::new(destination),
            is_directory: destination.ends_with('/'),
            follows_links: true,
        },
        owner: None,
        mode: None,
        excludes: Vec::new(),
        parents: false,
    }
}

#[test]
fn a_file_lands_under_its_own_name_or_another() {
    let fixture = Fixture::new(&["d/a=1"]);
    assert_eq!(fixture.listed(&copy(&["d/a"], "/b")), ["b 644 0:0 1"]);
    assert_eq!(fixture.listed(&copy(&["d/a"], "/x/y/")), ["x/ 755 0:0", "x/y/ 755 0:0", "x/y/a 644 0:0 1"]);
    assert_eq!(fixture.listed(&copy(&["d/a"], "/")), ["a 644 0:0 1"]);
    let with_directory = fixture.copied(&fixture.store.scratch(), &copy(&["d"], "/t"));
    let again = fixture.copied(&with_directory, &copy(&["d/a"], "/t"));
    assert_eq!(list(&again), ["t/ 755 0:0", "t/a 644 0:0 1"]);
}

#[test]
fn the_content_of_a_directory_is_merged() {
    let fixture = Fixture::new(&["d/a=1", "d/sub/b=2", "e/sub/c=3", "e/a=new"]);
    let once = fixture.copied(&fixture.store.scratch(), &copy(&["d"], "/t"));
    let twice = fixture.copied(&once, &copy(&["e"], "/t/"));
    assert_eq!(
        list(&twice),
        ["t/ 755 0:0", "t/a 644 0:0 new", "t/sub/ 755 0:0", "t/sub/b 644 0:0 2", "t/sub/c 644 0:0 3"]
    );
}

#[test]
fn a_repeated_copy_changes_nothing() {
    let fixture = Fixture::new(&["d/a=1", "d/sub/b=2"]);
    let once = fixture.copied(&fixture.store.scratch(), &copy(&["d"], "/t"));
    let diff_id = |snapshot| fixture.store.diff_id(snapshot).expect("a diff id");
    let again = fixture.copied(&once, &copy(&["d"], "/t"));
    let third = fixture.copied(&again, &copy(&["d"], "/t"));
    assert_eq!(diff_id(&again), diff_id(&third));
}

#[test]
fn patterns_select_and_may_select_nothing() {
    let fixture = Fixture::new(&["a.txt=1", "b.txt=2", "c.md=3", "d/e.txt=4"]);
    assert_eq!(fixture.listed(&copy(&["*.txt"], "/")), ["a.txt 644 0:0 1", "b.txt 644 0:0 2"]);
    assert_eq!(fixture.listed(&copy(&["*/*.txt"], "/")), ["e.txt 644 0:0 4"]);
    assert_eq!(fixture.listed(&copy(&["*.none"], "/")), Vec::<String>::new());
}

#[test]
fn links_that_lead_nowhere_are_not_matched_in_silence() {
    let fixture = Fixture::new(&["a=1", "broken->nowhere", "d/broken->nowhere"]);
    assert!(fixture.refused(&copy(&["*"], "/to/")).contains(r#""/broken": not found"#));
    let parents = |pattern: &str| Copy { parents: true, ..copy(&[pattern], "/to/") };
    assert!(fixture.refused(&parents("*")).contains(r#""/broken": not found"#));
    // What lies deeper is copied as it is.
    assert_eq!(fixture.listed(&copy(&["d"], "/to")), ["to/ 755 0:0", "to/broken -> nowhere"]);
}

#[test]
fn a_pattern_matches_nothing_in_a_hidden_directory() {
    let fixture = Fixture::new(&["hidden/a=1"]);
    let hide = |path: &store::TreePath, _: bool| {
        if path.to_string().starts_with("hidden") { Keep::No } else { Keep::Yes }
    };
    let tree = Tree::host(&fixture.directory.path().join("context"), hide).expect("a context");
    let inputs = [Output::Snapshot(fixture.store.scratch()), Output::Context(ContextName::main(), tree)];
    let run = |pattern: &str| {
        let copy = FileOp::Copy(copy(&[pattern], "/"));
        super::run(&fixture.store, &copy, &fixture.store.scratch(), &inputs)
    };
    assert_eq!(list(&run("hidden/*").expect("nothing is copied")), Vec::<String>::new());
    assert!(run("hidden/a").expect_err("it is named").to_string().contains("not found"));
    assert!(run("missing/*").expect_err("it is not there").to_string().contains("not found"));
}

#[test]
fn hard_links_are_kept_inside_of_a_source() {
    let fixture = Fixture::new(&["d/a=1"]);
    let context = fixture.directory.path().join("context");
    fs::hard_link(context.join("d/a"), context.join("d/b")).expect("a link");
    let inode = |snapshot: &Snapshot, path: &str| {
        let entry = snapshot.tree().resolve(&ImagePath::new(path), false).expect("a tree").expect("a file");
        entry.hard_link()
    };
    let copied = fixture.copied(&fixture.store.scratch(), &copy(&["d"], "/"));
    assert!(inode(&copied, "/a").is_some() && inode(&copied, "/a") == inode(&copied, "/b"));
    let copied = fixture.copied(&fixture.store.scratch(), &copy(&["d/*"], "/"));
    assert_eq!((inode(&copied, "/a"), inode(&copied, "/b")), (None, None));
}

#[test]
fn what_is_named_must_be_there() {
    let fixture = Fixture::new(&["a=1"]);
    assert!(fixture.refused(&copy(&["x/y"], "/")).contains(r#""/x/y": not found"#));
    let error = fixture.run(&fixture.store.scratch(), &copy(&["x"], "/")).expect_err("no copy");
    let FileError::SourceNotFound(missing) = error else { panic!("{error}") };
    assert_eq!(missing.context, Some(ContextName::main()));
}

#[test]
fn links_are_followed_when_named_and_kept_when_found() {
    let fixture = Fixture::new(&["real/a=1", "link->real", "real/inner->a", "out->/etc/passwd"]);
    assert_eq!(fixture.listed(&copy(&["link"], "/t")), ["t/ 755 0:0", "t/a 644 0:0 1", "t/inner -> a"]);
    // The link leads nowhere inside of the context, and never out of it.
    assert!(fixture.refused(&copy(&["out"], "/")).contains("not found"));
}

#[test]
fn a_link_of_the_destination_is_followed_inside_of_the_tree() {
    let fixture = Fixture::new(&["base/link->/real", "base/out->../../outside", "a=1"]);
    let base = fixture.copied(&fixture.store.scratch(), &copy(&["base"], "/"));
    let copied = fixture.copied(&base, &copy(&["a"], "/link/"));
    assert_eq!(list(&copied), ["link -> /real", "out -> ../../outside", "real/ 755 0:0", "real/a 644 0:0 1"]);
    let copied = fixture.copied(&base, &copy(&["a"], "/out/"));
    assert!(list(&copied).contains(&"outside/a 644 0:0 1".to_owned()));
}

#[test]
fn a_directory_and_something_else_never_replace_each_other() {
    let fixture = Fixture::new(&["file=1", "d/file/x=2"]);
    let base = fixture.copied(&fixture.store.scratch(), &copy(&["file"], "/"));
    let error = fixture.run(&base, &copy(&["d"], "/")).expect_err("no copy");
    assert_eq!(error.to_string(), "cannot copy to non-directory: /file");
    let base = fixture.copied(&fixture.store.scratch(), &copy(&["d"], "/"));
    assert!(matches!(fixture.run(&base, &copy(&["*le"], "/")), Err(FileError::OtherOntoDirectory(_))));
}

#[test]
fn owner_and_mode_are_set_on_everything_copied() {
    let fixture = Fixture::new(&["etc/passwd=app:x:7:8::/:\n", "etc/group=web:x:9:\n", "d/a=1"]);
    let base = fixture.copied(&fixture.store.scratch(), &copy(&["etc"], "/etc"));
    for (owner, expected) in
        [("3:4", "3:4"), ("3", "3:3"), ("app", "7:8"), ("app:web", "7:9"), ("5:web", "5:9")]
    {
        let copy = Copy { owner: Some(Owner(owner.to_owned())), ..copy(&["d"], "/t/") };
        let listed = list(&fixture.copied(&base, &copy));
        assert!(listed.contains(&format!("t/ 755 {expected}")), "{owner}: {listed:?}");
        assert!(listed.contains(&format!("t/a 644 {expected} 1")), "{owner}: {listed:?}");
    }
    let unknown = Copy { owner: Some(Owner("nobody".to_owned())), ..copy(&["d"], "/t/") };
    assert!(matches!(fixture.run(&base, &unknown), Err(FileError::Owner { .. })));
    let mode: ModeChange = "u=rwX,go=".parse().expect("a mode");
    let copy = Copy { mode: Some(mode), ..copy(&["d/a"], "/") };
    assert_eq!(fixture.listed(&copy), ["a 600 0:0 1"]);
}

#[test]
fn exclusions_speak_of_what_is_below_the_source() {
    let fixture = Fixture::new(&["d/a.txt=1", "d/b.md=2", "d/sub/c.txt=3", "d/sub/keep.txt=4"]);
    let excludes = |patterns: &[&str]| Copy {
        excludes: patterns.iter().map(|pattern| PathPattern::new(*pattern)).collect(),
        ..copy(&["d"], "/")
    };
    assert_eq!(fixture.listed(&excludes(&["**/*.txt"])), ["b.md 644 0:0 2", "sub/ 755 0:0"]);
    assert_eq!(
        fixture.listed(&excludes(&["sub", "!sub/keep.txt"])),
        ["a.txt 644 0:0 1", "b.md 644 0:0 2", "sub/ 755 0:0", "sub/keep.txt 644 0:0 4"]
    );
}

#[test]
fn parents_are_kept_from_the_pivot_on() {
    let fixture = Fixture::new(&["x/a.txt=1", "x/s/c.txt=2", "x/t/d.md=3", "y/e.txt=4"]);
    let parents = |pattern: &str| Copy { parents: true, ..copy(&[pattern], "/to/") };
    assert_eq!(
        fixture.listed(&parents("x/s/c.txt")),
        ["to/ 755 0:0", "to/x/ 755 0:0", "to/x/s/ 755 0:0", "to/x/s/c.txt 644 0:0 2"]
    );
    assert_eq!(
        fixture.listed(&parents("x/./s/c.txt")),
        ["to/ 755 0:0", "to/s/ 755 0:0", "to/s/c.txt 644 0:0 2"]
    );
    assert_eq!(
        fixture.listed(&parents("x/./**/*.txt")),
        ["to/ 755 0:0", "to/a.txt 644 0:0 1", "to/s/ 755 0:0", "to/s/c.txt 644 0:0 2"]
    );
    assert!(fixture.refused(&parents("x/none")).contains(r#""/x/none": not found"#));
    // The directory before the pivot may be a pattern; files that it matches have nothing below them.
    assert_eq!(fixture.listed(&parents("*/./s/*.txt")), fixture.listed(&parents("x/./s/c.txt")));
}

#[test]
fn texts_of_the_dockerfile_are_files() {
    let fixture = Fixture::new(&[]);
    let inline = |destination: &str| Copy {
        sources: vec![CopySource::Inline { name: "EOF".to_owned(), content: "hello\n".to_owned() }],
        ..copy(&[], destination)
    };
    assert_eq!(fixture.listed(&inline("/f")), ["f 644 0:0 hello\n"]);
    assert_eq!(fixture.listed(&inline("/d/")), ["d/ 755 0:0", "d/EOF 644 0:0 hello\n"]);
}

#[test]
fn working_directories_are_made_once() {
    let fixture = Fixture::new(&[]);
    let operation = MakeDirectory { path: ImagePath::new("/a/b"), mode: 0o755, owner: None };
    let operation = FileOp::MakeDirectory(operation);
    let made = super::run(&fixture.store, &operation, &fixture.store.scratch(), &[]).expect("a directory");
    assert_eq!(list(&made), ["a/ 755 0:0", "a/b/ 755 0:0"]);
    let again = super::run(&fixture.store, &operation, &made, &[]).expect("a directory");
    assert_eq!(list(&again), list(&made));
}
