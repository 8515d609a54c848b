//! The rules of the workspace that a compiler does not check.
//!
//! The table of levels in ARCHITECTURE.md is law: [`LEVELS`] repeats it, and an edge that it does
//! not have fails here. A new edge is a commit of its own that changes both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use walkdir::WalkDir;

/// Every crate, the level it is on, and the crates of the workspace that it may use.
const LEVELS: &[(&str, u8, &[&str])] = &[
    ("parser", 0, &[]),
    ("image", 0, &[]),
    ("sandbox", 0, &[]),
    ("graph", 1, &["image"]),
    ("store", 1, &["image"]),
    ("registry", 1, &["image"]),
    ("planner", 2, &["parser", "graph", "image"]),
    ("cache", 2, &["graph", "store", "image"]),
    ("solver", 3, &["graph", "store", "cache", "image"]),
    ("runtime", 3, &["store", "sandbox", "image"]),
    ("executor", 4, &["solver", "runtime", "graph", "cache", "store", "registry", "sandbox", "image"]),
    (
        "engine",
        5,
        &[
            "parser", "image", "sandbox", "graph", "store", "registry", "planner", "cache", "solver",
            "runtime", "executor",
        ],
    ),
    ("cli", 6, &["engine", "parser", "solver", "image"]),
];

/// What only tests and chores may use, and the crates that are none of the product.
const DEVELOPMENT: &[&str] = &["testkit", "xtask"];

/// Files are read by people; past this many lines, tests not counted, one is split.
const MAX_LINES: usize = 500;

/// Names that say nothing of what is inside.
const NAMELESS: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "types", "core", "manager"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("testkit lies in the workspace").to_owned()
}

fn sources() -> Vec<PathBuf> {
    let crates = LEVELS.iter().map(|(name, ..)| *name).chain(DEVELOPMENT.iter().copied());
    let mut files: Vec<PathBuf> = crates
        .flat_map(|name| WalkDir::new(workspace().join(name)))
        .map(|entry| entry.expect("a folder of the workspace").into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    assert!(files.len() > 30, "the walk found only {} files", files.len());
    files.sort();
    files
}

/// The normal and build dependencies of each crate on crates of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut edges = BTreeMap::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name").to_owned();
        let uses = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .filter(|dependency| dependency["kind"] != "dev" && !dependency["path"].is_null())
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|dependency| ours.contains(dependency))
            .map(str::to_owned)
            .collect();
        edges.insert(name, uses);
    }
    edges
}

#[test]
fn dependencies_go_down_the_table_only() {
    let levels: BTreeMap<&str, (u8, &[&str])> =
        LEVELS.iter().map(|&(name, level, allowed)| (name, (level, allowed))).collect();
    let edges = dependencies();
    for (name, uses) in &edges {
        if DEVELOPMENT.contains(&name.as_str()) {
            continue;
        }
        let Some((level, allowed)) = levels.get(name.as_str()) else {
            panic!("{name} is a crate of the workspace without a line in LEVELS");
        };
        for used in uses {
            assert!(
                allowed.contains(&used.as_str()),
                "{name} uses {used}, an edge that the table does not have"
            );
            assert!(levels[used.as_str()].0 < *level, "{name} uses {used}, which is not below it");
        }
    }
    for (name, ..) in LEVELS {
        assert!(edges.contains_key(*name), "{name} is in LEVELS but is no crate");
    }
}

#[test]
fn the_table_in_the_architecture_is_this_one() {
    let text = fs::read_to_string(workspace().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (name, level, allowed) in LEVELS {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| {level} | `{name}` |")))
            .unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {name} on level {level}"));
        let listed: BTreeSet<&str> = row
            .trim_end_matches([' ', '|'])
            .rsplit('|')
            .next()
            .unwrap_or_default()
            .split([',', ' '])
            .map(|word| word.trim_matches(['`', ' ']))
            .filter(|word| !word.is_empty() && *word != "–")
            .collect();
        assert_eq!(listed, allowed.iter().copied().collect(), "the row of {name}");
    }
}

#[test]
fn only_the_sandbox_has_unsafe_code() {
    for (name, ..) in LEVELS {
        let root = ["src/lib.rs", "src/main.rs"]
            .iter()
            .map(|file| workspace().join(name).join(file))
            .find(|path| path.exists())
            .unwrap_or_else(|| panic!("{name} has a root"));
        let text = fs::read_to_string(&root).expect("a source file");
        let forbids = text.contains("#![forbid(unsafe_code)]");
        assert_eq!(forbids, *name != "sandbox", "forbid(unsafe_code) in {}", root.display());
    }
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source file");
        let has_unsafe = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
        });
        let inside = path.starts_with(workspace().join("sandbox/src/sys"));
        assert!(
            !has_unsafe || inside || path.ends_with("tests/tidy.rs"),
            "unsafe code in {}",
            path.display()
        );
    }
}

#[test]
fn files_are_short_and_have_names() {
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source file");
        let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        let is_test = path.components().any(|component| component.as_os_str() == "tests");
        assert!(
            lines <= MAX_LINES || is_test,
            "{} has {lines} lines: does one name say what is in it?",
            path.display()
        );
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        assert!(!NAMELESS.contains(&stem), "{} has a name that says nothing", path.display());
    }
}

#[test]
fn every_source_file_says_what_it_is() {
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source file");
        assert!(text.starts_with("//!"), "{} has no module documentation", path.display());
    }
}

#[test]
fn nothing_is_unfinished_or_silenced() {
    // Put together at run time, so that this file does not find itself.
    let marks = [["todo", "!("], ["unimplemented", "!("], ["#[ig", "nore"], ["FIX", "ME"], ["dead_", "code"]];
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source file");
        for mark in marks {
            let mark = mark.concat();
            assert!(!text.contains(&mark), "{} contains {mark}", path.display());
        }
    }
}
