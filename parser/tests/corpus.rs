//! Every `testdata/parser/*.dockerfile` parses to the tree in the `.tree` file beside it.
//!
//! To rewrite trees after a wanted change, delete them and run the test once: it writes those that are
//! missing, and fails, so that they are looked at.

use std::fs;
use std::path::{Path, PathBuf};

use parser::{dump, parse};

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/parser");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the corpus is a folder of this repository")
        .map(|entry| entry.expect("its entries can be read").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "dockerfile"));
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", folder.display());
    files
}

#[test]
fn trees_are_as_expected() {
    let mut wrong = Vec::new();
    for path in corpus() {
        let text = fs::read_to_string(&path).unwrap();
        let tree = dump(&text, &parse(&text));
        let expected = path.with_extension("tree");
        match fs::read_to_string(&expected) {
            Ok(expected) if expected == tree => {}
            Ok(_) => wrong.push(format!("{} parses to\n{tree}", path.display())),
            Err(_) => {
                fs::write(&expected, tree).unwrap();
                wrong.push(format!("{} was missing and is written", expected.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
