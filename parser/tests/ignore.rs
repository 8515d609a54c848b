//! Every `testdata/ignore/*.dockerignore` judges the paths of its `# paths:` comments as the `.verdicts`
//! file beside it says.

use parser::LineIndex;
use parser::ignore::IgnoreFile;

#[path = "../../testdata/corpus.rs"]
mod corpus;

#[test]
fn verdicts_are_as_expected() {
    corpus::compare(&corpus::files("ignore", "dockerignore"), "verdicts", verdicts);
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
