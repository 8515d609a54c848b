//! How tests read a corpus: each input is compared with the dump in the file beside it.
//!
//! Tests include this file by its path: the parser and the planner have no crate for tests to share.
//! To rewrite dumps after a wanted change, delete them and run the test once: it writes those that are
//! missing, and fails, so that they are looked at.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder of `testdata` with an extension, sorted; at least one.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the corpus is a folder of this repository")
        .map(|entry| entry.expect("its entries can be read").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", folder.display());
    files
}

/// Dumps the text of each file, and compares that with the file of the same name and the extension `dumped`.
pub(crate) fn compare(files: &[PathBuf], dumped: &str, mut dump: impl FnMut(&str) -> String) {
    let mut wrong = Vec::new();
    for path in files {
        let found = dump(&fs::read_to_string(path).expect("a file of the corpus can be read"));
        let expected = path.with_extension(dumped);
        match fs::read_to_string(&expected) {
            Ok(expected) if expected == found => {}
            Ok(_) => wrong.push(format!("{} becomes\n{found}", path.display())),
            Err(_) => {
                fs::write(&expected, found).expect("the folder can be written");
                wrong.push(format!("{} was missing and is written", expected.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
