//! Every `testdata/diagnostics/*.dockerfile` fails to build with the text in the `.report` file beside it,
//! just as users see it. Comments `# options: …` are flags of the build.

use crate::failures::complaint;
use crate::project::Project;

#[path = "../../../testdata/corpus.rs"]
mod corpus;

#[test]
fn reports_are_as_expected() {
    let files = corpus::files("diagnostics", "dockerfile");
    let Some(project) = Project::new("") else { return };
    corpus::compare(&files, "report", |text| {
        project.dockerfile(text);
        let options = text.lines().filter_map(|line| line.strip_prefix("# options: "));
        let options: Vec<&str> = options.flat_map(str::split_whitespace).collect();
        complaint(&project.build(&options)) + "\n"
    });
}
