//! Every `testdata/ignore/*.dockerignore` judges the paths of its `# paths:` comments as the `.verdicts`
//! file beside it says.
//!
//! To rewrite verdicts after a wanted change, delete them and run the test once: it writes those that are
//! missing, and fails, so that they are looked at.

use std::fs;
use std::path::{Path, PathBuf};

use parser::LineIndex;
use parser::ignore::IgnoreFile;

#[test]
fn verdicts_are_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/ignore");
    let entries = fs::read_dir(&folder).expect("the corpus is a folder of this repository");
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("its entries can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "dockerignore"));
    assert!(!files.is_empty(), "no corpus in {}", folder.display());
    let mut wrong = Vec::new();
    for path in files {
        let verdicts = verdicts(&fs::read_to_string(&path).unwrap());
        let expected = path.with_extension("verdicts");
        match fs::read_to_string(&expected) {
            Ok(expected) if expected == verdicts => {}
            Ok(_) => wrong.push(format!("{} says\n{verdicts}", path.display())),
            Err(_) => {
                fs::write(&expected, verdicts).unwrap();
                wrong.push(format!("{} was missing and is written", expected.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the file, then a line for each path: what becomes of it, and the pattern that
/// decided.
fn verdicts(text: &str) -> String {
    let (file, diagnostics) = IgnoreFile::parse(text);
    let lines = LineIndex::new(text);
    let errors = diagnostics
        .iter()
        .map(|found| format!("error {}: {}\n", lines.line(found.span.start), found.message));
    let paths = text.lines().filter_map(|line| line.strip_prefix("# paths: "));
    let verdicts = paths.flat_map(|paths| paths.split(' ')).map(|path| {
        let verdict = file.judge_path(path);
        let becomes = if verdict.is_ignored() { "ignored" } else { "kept" };
        let rule = file.decided_by(&verdict);
        let rule = rule.map(|rule| format!(" by {} in line {}", rule.written, rule.line));
        format!("{path} is {becomes}{}\n", rule.unwrap_or_default())
    });
    errors.chain(verdicts).collect()
}
