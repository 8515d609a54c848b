//! Selecting and hashing what a build context, or a stage, provides.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::disk::{attributes, path, store};
use image::{Digest, ImagePath, PathPattern};
use store::{ContentOptions, Keep, ManifestKind, StoreError, Tree, Wildcards};

fn everything(directory: &Path) -> Tree {
    Tree::host(directory, |_, _| Keep::Yes).unwrap()
}

fn selected(tree: &Tree, pattern: &str, wildcards: Wildcards) -> Vec<String> {
    let selection = tree.select(&PathPattern::new(pattern), wildcards).unwrap();
    selection.iter().map(|selected| format!("{}={}", selected.name, selected.entry.path())).collect()
}

fn digest(tree: &Tree, patterns: &[&str], options: ContentOptions) -> Digest {
    let patterns: Vec<_> = patterns.iter().map(|pattern| PathPattern::new(*pattern)).collect();
    tree.content_digest(&patterns, options).unwrap().digest
}

fn context() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["src/deep", "docs"] {
        std::fs::create_dir_all(root.path().join(directory)).unwrap();
    }
    for file in ["src/a.c", "src/b.c", "src/a.h", "src/deep/c.c", "docs/read.me"] {
        std::fs::write(root.path().join(file), file).unwrap();
    }
    std::os::unix::fs::symlink("src", root.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/src/a.c", root.path().join("docs/absolute")).unwrap();
    std::os::unix::fs::symlink("../../../../etc/passwd", root.path().join("docs/escape")).unwrap();
    root
}

#[test]
fn patterns_select_as_copy_does() {
    let root = context();
    let tree = everything(root.path());
    let one = |pattern| selected(&tree, pattern, Wildcards::OneLevel);
    assert_eq!(one("src/*.c"), ["src/a.c=src/a.c", "src/b.c=src/b.c"]);
    assert_eq!(one("/../src/a.[ch]"), ["src/a.c=src/a.c", "src/a.h=src/a.h"]);
    assert_eq!(one("link/a.c"), ["link/a.c=src/a.c"]);
    assert_eq!(one("link/*.h"), ["link/a.h=src/a.h"]);
    assert_eq!(one("docs/absolute"), ["docs/absolute=src/a.c"]);
    assert_eq!(one("docs/escape"), [""; 0], "the link stays inside, where nothing is");
    assert_eq!(one("docs/esc*"), ["docs/escape=docs/escape"]);
    assert_eq!(one("s*"), ["src=src"]);
    assert_eq!(one("**/c.c"), [""; 0], "two stars are one");
    assert_eq!(one("."), ["="]);
    assert_eq!(one("missing"), [""; 0]);
    let any = |pattern| selected(&tree, pattern, Wildcards::Recursive);
    assert_eq!(any("**/c.c"), ["src/deep/c.c=src/deep/c.c"]);
    assert_eq!(
        any("src/**"),
        ["src/a.c", "src/a.h", "src/b.c", "src/deep", "src/deep/c.c"].map(|p| format!("{p}={p}"))
    );
    let error = tree.select(&PathPattern::new("src/[a"), Wildcards::OneLevel).unwrap_err();
    assert!(matches!(error, StoreError::Pattern(_)), "{error}");
}

#[test]
fn a_filter_hides_files_from_every_way_of_looking() {
    let root = context();
    let tree = Tree::host(root.path(), |path, is_directory| match path.to_string().as_str() {
        "src" | "src/deep" if is_directory => Keep::Descend,
        "src/deep/c.c" | "docs" | "docs/absolute" => Keep::Yes,
        _ => Keep::No,
    })
    .unwrap();
    let paths: Vec<_> =
        tree.walk(&tree.root().unwrap()).map(|entry| entry.unwrap().path().to_string()).collect();
    assert_eq!(paths, ["", "docs", "docs/absolute", "src", "src/deep", "src/deep/c.c"]);
    assert!(tree.get(&path("src/a.c")).unwrap().is_none());
    assert!(tree.read(&ImagePath::new("/docs/absolute")).unwrap().is_none(), "its target is hidden");
    let nothing =
        Tree::host(root.path(), |_, is_directory| if is_directory { Keep::Descend } else { Keep::No });
    let nothing = nothing.unwrap();
    assert_eq!(nothing.walk(&nothing.root().unwrap()).count(), 1, "no directory without a file in it");
}

#[test]
fn content_is_what_counts() {
    let root = context();
    let tree = everything(root.path());
    let options = ContentOptions::default();
    let before = digest(&tree, &["src"], options);
    let file = root.path().join("src/a.c");

    let times = std::fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    std::fs::File::options().write(true).open(&file).unwrap().set_times(times).unwrap();
    std::fs::hard_link(&file, root.path().join("docs/other name")).unwrap();
    assert_eq!(digest(&tree, &["src"], options), before, "neither times nor links");
    assert_eq!(digest(&tree, &["link"], options), before, "nor by which name the directory was found");

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o751)).unwrap();
    let changed = digest(&tree, &["src"], options);
    assert_ne!(changed, before, "the mode");
    let any_mode = ContentOptions { ignores_mode: true, ..options };
    let without_mode = digest(&tree, &["src"], any_mode);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(digest(&tree, &["src"], any_mode), without_mode, "the mode does not count with --chmod");

    std::fs::write(&file, "other").unwrap();
    assert_ne!(digest(&tree, &["src"], any_mode), without_mode, "the bytes");
    std::fs::write(&file, "src/a.c").unwrap();
    assert_eq!(digest(&tree, &["src"], any_mode), without_mode);
    std::fs::rename(&file, root.path().join("src/z.c")).unwrap();
    assert_ne!(digest(&tree, &["src"], any_mode), without_mode, "the names below");
}

#[test]
fn the_manifest_says_what_was_hashed() {
    let (_root, store) = store();
    let snapshot = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("out/bin"), &attributes(0o755, 1)).unwrap();
        editor.write_file(&path("out/bin/tool"), &b"elf"[..], &attributes(0o4755, 1)).unwrap();
        editor.symlink(&path("out/alias"), OsStr::new("bin/tool"), &attributes(0o777, 1)).unwrap();
    });
    let patterns = [PathPattern::new("/out"), PathPattern::new("nothing*")];
    let options = ContentOptions { ignores_owner: true, ..ContentOptions::default() };
    let content = snapshot.tree().content_digest(&patterns, options).unwrap();
    assert_eq!(content.unmatched, [1]);
    let lines: Vec<_> =
        content.manifest.iter().map(|entry| (entry.path.to_string(), entry.kind, entry.mode)).collect();
    assert_eq!(
        lines,
        [
            ("out".to_owned(), ManifestKind::Directory, 0o755),
            ("out/alias".to_owned(), ManifestKind::Symlink, 0o777),
            ("out/bin".to_owned(), ManifestKind::Directory, 0o755),
            ("out/bin/tool".to_owned(), ManifestKind::File, 0o4755),
        ]
    );
    insta::assert_snapshot!(content.digest, @"sha256:e12c849cb146508b30a610719a96191959b225df9af872974d44a0b93f4831d4");
    let json = serde_json::to_string(&content.manifest).unwrap();
    assert_eq!(serde_json::from_str::<Vec<store::ManifestEntry>>(&json).unwrap(), content.manifest);
}
