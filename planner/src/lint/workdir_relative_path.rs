//! A relative WORKDIR before any absolute one of this Dockerfile.

use parser::Span;

use super::{Linter, Rule};
use crate::go_text;

/// `already_set` tells whether a WORKDIR of this stage, or of a stage that it is built on, came
/// before; only the first one matters, since it is the one to fix.
pub(crate) fn check(linter: &mut Linter, path: &str, already_set: bool, span: Span) {
    if !already_set && !path.starts_with('/') {
        let path = go_text::quoted(path);
        let message =
            format!("Relative workdir {path} can have unexpected results if the base image changes");
        linter.report(Rule::WorkdirRelativePath, span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn only_the_first_one_is_reported() {
        let text = "FROM busybox AS one\nWORKDIR first\nWORKDIR second\nFROM one\nWORKDIR third\n";
        assert_eq!(
            findings(Rule::WorkdirRelativePath, text),
            [r#"2: Relative workdir "first" can have unexpected results if the base image changes"#]
        );
    }
}
