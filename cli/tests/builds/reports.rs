//! Every `testdata/diagnostics/*.dockerfile` fails to build with the text in the `.report` file beside it,
//! just as users see it.
//!
//! Comments `# options: …` are flags of the build. To rewrite reports after a wanted change, delete them
//! and run the test once: it writes those that are missing, and fails, so that they are looked at.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failures::complaint;
use crate::project::Project;

#[test]
fn reports_are_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/diagnostics");
    let entries = fs::read_dir(&folder).expect("the corpus is a folder of this repository");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "dockerfile"));
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", folder.display());
    let Some(project) = Project::new("") else { return };
    let mut wrong = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("it can be read");
        project.dockerfile(&text);
        let options = text.lines().filter_map(|line| line.strip_prefix("# options: "));
        let options: Vec<&str> = options.flat_map(str::split_whitespace).collect();
        let report = complaint(&project.build(&options)) + "\n";
        let expected = path.with_extension("report");
        match fs::read_to_string(&expected) {
            Ok(expected) if expected == report => {}
            Ok(_) => wrong.push(format!("{} is reported as\n{report}", path.display())),
            Err(_) => {
                fs::write(&expected, report).expect("the folder can be written");
                wrong.push(format!("{} was missing and is written", expected.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
