//! COPY or ADD of a file of the context that `.dockerignore` excludes.

use parser::Span;
use parser::ignore::IgnoreFile;

use super::{Linter, Rule};
use crate::paths;

/// Nothing is said where the file has exceptions: something below an excluded directory may be
/// there after all.
pub(crate) fn check(linter: &mut Linter, verb: &str, source: &str, ignore: &IgnoreFile, span: Span) {
    if ignore.rules().iter().any(|rule| rule.is_exception) {
        return;
    }
    let path = paths::clean(source);
    let rule = if path == "." || path == "/" {
        // The root itself is never excluded, but all that is in it can be.
        let is_everything = |written: &str| matches!(paths::clean(written).as_str(), "*" | "**" | "**/*");
        ignore.rules().iter().find(|rule| is_everything(&rule.written))
    } else {
        let verdict = ignore.judge_path(&path);
        ignore.decided_by(&verdict).filter(|_| verdict.is_ignored())
    };
    if let Some(rule) = rule {
        let message = format!("Attempting to {verb} file {path:?} that is excluded by .dockerignore");
        let help = format!("line {} of the ignore file excludes it: {}", rule.line, rule.written);
        linter.report_with_help(Rule::CopyIgnoredFile, span, message, Some(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::options::CheckOptions;

    fn found(ignore: &str, sources: &[&str]) -> Vec<String> {
        let (ignore, diagnostics) = IgnoreFile::parse(ignore);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let mut linter = Linter::new(CheckOptions::default());
        for source in sources {
            check(&mut linter, "Copy", source, &ignore, Span::new(0, 1));
        }
        linter
            .into_warnings()
            .into_iter()
            .map(|warning| warning.message + "; " + &warning.help.unwrap_or_default())
            .collect()
    }

    #[test]
    fn the_line_that_excludes_is_named() {
        assert_eq!(
            found("# notes\n*.txt\nbuild\n", &["./a.txt", "b.md", "build/out/x", "."]),
            [
                r#"Attempting to Copy file "a.txt" that is excluded by .dockerignore; line 2 of the ignore file excludes it: *.txt"#,
                r#"Attempting to Copy file "build/out/x" that is excluded by .dockerignore; line 3 of the ignore file excludes it: build"#,
            ]
        );
    }

    #[test]
    fn the_root_is_excluded_with_all_that_is_in_it() {
        assert_eq!(found("*\n", &[".", "/"]).len(), 2);
        assert!(found("*\n!keep\n", &[".", "other"]).is_empty());
    }
}
