//! COPY or ADD of a file of the context that `.dockerignore` excludes.

use parser::Span;

use super::{Linter, Rule};
use crate::context::IgnoreRules;
use crate::paths;

/// Whether there was something to warn of. Nothing is said where the file has exceptions: something below an excluded directory may be
/// there after all.
pub(crate) fn check(linter: &mut Linter, verb: &str, source: &str, ignore: &IgnoreRules, span: Span) -> bool {
    if ignore.has_exceptions() {
        return false;
    }
    // As BuildKit does, a slash at the start is judged as part of the path.
    let path = paths::clean(source);
    let is_everything = |written: &str| matches!(paths::clean(written).as_str(), "*" | "**" | "**/*");
    let is_root = path == "." || path == "/";
    if is_root && !ignore.file.rules().iter().any(|rule| is_everything(&rule.written)) {
        // The root itself is never excluded, but all that is in it can be.
        return false;
    }
    let verdict = ignore.file.judge_path(&path);
    let Some(rule) = ignore.file.decided_by(&verdict).filter(|_| verdict.is_ignored()) else { return false };
    let message = format!("Attempting to {verb} file {path:?} that is excluded by .dockerignore");
    linter.report_with_help(Rule::CopyIgnoredFile, span, message, Some(ignore.place(rule)));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::options::CheckOptions;
    use crate::lint::testing::ignore_rules;

    fn found(ignore: &str, sources: &[&str]) -> Vec<String> {
        let ignore = ignore_rules(ignore);
        let mut linter = Linter::new(CheckOptions::default());
        for source in sources {
            check(&mut linter, "Copy", source, &ignore, Span::new(0, 1));
        }
        linter
            .warnings()
            .into_iter()
            .map(|warning| warning.message + "; " + &warning.help.unwrap_or_default())
            .collect()
    }

    #[test]
    fn the_line_that_excludes_is_named() {
        assert_eq!(
            found("# notes\n*.txt\nbuild\n", &["./a.txt", "b.md", "build/out/x", "."]),
            [
                r#"Attempting to Copy file "a.txt" that is excluded by .dockerignore; .dockerignore:2: *.txt"#,
                r#"Attempting to Copy file "build/out/x" that is excluded by .dockerignore; .dockerignore:3: build"#,
            ]
        );
    }

    #[test]
    fn the_root_is_excluded_with_all_that_is_in_it() {
        assert_eq!(found("*\n", &[".", "/"]).len(), 2);
        assert!(found("*\n!keep\n", &[".", "other"]).is_empty());
    }

    #[test]
    fn a_slash_at_the_start_is_part_of_the_path() {
        assert!(found("build\n", &["/build", "/build/x"]).is_empty());
        assert_eq!(found("**/build\n", &["/build", "/build/x"]).len(), 2);
        assert_eq!(found("*\n", &["/build"]).len(), 1);
    }
}
