//! COPY or ADD of a path that the ignore file excludes although
//! [`copy_ignored_file`](super::copy_ignored_file) has no warning for it.
//!
//! As in `BuildKit`, there is none where the file has exceptions, and often none for paths with a slash
//! at the start. Here only those paths are named that no exception can bring back.

use image::pattern::has_wildcard;
use parser::Span;

use super::{Linter, Rule};
use crate::context::IgnoreRules;
use crate::paths;

pub(crate) fn check(linter: &mut Linter, source: &str, ignore: &IgnoreRules, span: Span) {
    let path = paths::clean(&format!("/{source}"));
    let path = path.trim_start_matches('/');
    if path.is_empty() || has_wildcard(path) || !ignore.file.can_prune(path) {
        return;
    }
    let verdict = ignore.file.judge_path(path);
    if let Some(rule) = ignore.file.decided_by(&verdict).filter(|_| verdict.is_ignored()) {
        let message = format!("The context does not have {path:?}, since the ignore file excludes it");
        linter.report_with_help(Rule::ExcludedSource, span, message, Some(ignore.place(rule)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::options::CheckOptions;
    use crate::lint::testing::ignore_rules;

    fn found(ignore: &str, source: &str) -> Option<String> {
        let mut linter = Linter::new(CheckOptions::default());
        check(&mut linter, source, &ignore_rules(ignore), Span::new(0, 1));
        linter.notes().pop().map(|note| format!("{}; {}", note.message, note.help.unwrap_or_default()))
    }

    #[test]
    fn exceptions_elsewhere_bring_nothing_back() {
        assert_eq!(
            found("build\n!build/keep\nsrc\n", "/src/./main.c").as_deref(),
            Some(
                r#"The context does not have "src/main.c", since the ignore file excludes it; .dockerignore:3: src"#
            )
        );
    }

    #[test]
    fn a_slash_at_the_start_means_nothing() {
        assert!(found("src\n", "/src/main.c").is_some());
    }

    #[test]
    fn what_may_be_there_is_not_named() {
        assert_eq!(found("build\n!build/keep\n", "build"), None);
        assert_eq!(found("build\n!build/keep\n", "build/keep"), None);
        assert_eq!(found("*\n!src\n", "."), None);
        assert_eq!(found("*\n!src\n", "*.c"), None);
    }
}
