//! `.dockerignore`: which paths of a context are left out.
//!
//! Each line is a pattern relative to the root of the context; the last one that matches decides, and `!`
//! takes back. A pattern that matches a directory holds for all below it. Unlike in `.gitignore`, a
//! pattern without a slash matches at the root only. The rules are those of moby's `patternmatcher`, its
//! oddities included: a character class can match a slash, `**x` matches every path that ends in `x`.

mod pattern;

use pattern::Pattern;
pub use pattern::PatternError;

use crate::Span;
use crate::diagnostic::{Code, Diagnostic};
use crate::go;

/// The patterns of a `.dockerignore` file.
#[derive(Clone, Debug, Default)]
pub struct IgnoreFile {
    rules: Vec<Rule>,
}

/// One pattern.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The line in the file, from 1.
    pub line: usize,
    /// The pattern as written, blanks at both ends removed.
    pub written: String,
    /// Whether it takes back what earlier patterns left out.
    pub is_exception: bool,
    pattern: Pattern,
}

/// What the patterns say about one path; needed for the paths below it.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// For each pattern, whether it matched the path or a directory above it.
    matched: Vec<bool>,
    decided_by: Option<usize>,
    ignored: bool,
}

impl Verdict {
    /// Whether the path is left out.
    pub fn is_ignored(&self) -> bool {
        self.ignored
    }
}

impl IgnoreFile {
    /// Reads the text of a file. Patterns that mean nothing are reported and left out.
    pub fn parse(text: &str) -> (IgnoreFile, Vec<Diagnostic>) {
        let (mut rules, mut diagnostics) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let place = Span::new(start, start + line.trim_end().len());
            start += line.len();
            let line = if index == 0 { line.trim_start_matches('\u{feff}') } else { line };
            let written = line.trim();
            if line.starts_with('#') || written.is_empty() {
                continue;
            }
            match Rule::new(index + 1, written) {
                Ok(rule) => rules.push(rule),
                Err(error) => {
                    diagnostics.push(Diagnostic::error(Code::InvalidArgument, place, error.to_string()));
                }
            }
        }
        (IgnoreFile { rules }, diagnostics)
    }

    /// A file of these patterns, one a line: the `--exclude` flags of COPY and ADD.
    pub fn of_patterns<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<IgnoreFile, PatternError> {
        let patterns = patterns.into_iter().map(str::trim).filter(|pattern| !pattern.is_empty());
        let rules = patterns.enumerate().map(|(index, pattern)| Rule::new(index + 1, pattern));
        Ok(IgnoreFile { rules: rules.collect::<Result<_, _>>()? })
    }

    /// The patterns in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Judges a path (relative, with `/`, cleaned), given what was said about the directory that it is
    /// in; `None` for paths right below the root.
    fn judge(&self, path: &str, parent: Option<&Verdict>) -> Verdict {
        let mut verdict =
            Verdict { matched: vec![false; self.rules.len()], decided_by: None, ignored: false };
        for (index, rule) in self.rules.iter().enumerate() {
            let inherited = parent.is_some_and(|parent| parent.matched.get(index) == Some(&true));
            // A pattern that would change nothing is not tried, and does not count for paths below.
            let matches = inherited || (rule.is_exception == verdict.ignored && rule.pattern.matches(path));
            if matches {
                verdict.matched[index] = true;
                verdict.ignored = !rule.is_exception;
                verdict.decided_by = Some(index);
            }
        }
        verdict
    }

    /// Judges a path on its own, cleaned, going through the directories above it. A slash at its start is
    /// part of it, so that it is below the directory without a name.
    pub fn judge_path(&self, path: &str) -> Verdict {
        let directories = path.match_indices('/').map(|(at, _)| &path[..at]);
        let above = directories.fold(None, |parent, directory| Some(self.judge(directory, parent.as_ref())));
        self.judge(path, above.as_ref())
    }

    /// The pattern that decided; `None` where none matched.
    pub fn decided_by(&self, verdict: &Verdict) -> Option<&Rule> {
        verdict.decided_by.and_then(|index| self.rules.get(index))
    }

    /// Whether a directory that is left out need not be entered: no exception can match below it.
    pub fn can_prune(&self, directory: &str) -> bool {
        self.rules
            .iter()
            .filter(|rule| rule.is_exception)
            .all(|rule| !rule.pattern.can_reach_below(directory))
    }
}

impl Rule {
    fn new(line: usize, written: &str) -> Result<Rule, PatternError> {
        let exception = written.strip_prefix('!');
        let text = exception.unwrap_or(written).trim();
        let pattern = go::clean(text);
        if exception.is_some() && (text.is_empty() || pattern == "/") {
            return Err(PatternError::LoneExclamation);
        }
        let pattern = match pattern.strip_prefix('/') {
            Some(relative) if !relative.is_empty() => relative,
            _ => &pattern,
        };
        let is_exception = exception.is_some();
        Ok(Rule { line, written: written.to_owned(), is_exception, pattern: Pattern::new(pattern)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths that are left out.
    fn ignored<'p>(patterns: &str, paths: &[&'p str]) -> Vec<&'p str> {
        let (file, diagnostics) = IgnoreFile::parse(patterns);
        assert_eq!(diagnostics, []);
        paths.iter().copied().filter(|path| file.judge_path(path).is_ignored()).collect()
    }

    #[test]
    fn patterns_are_anchored_at_the_root() {
        let paths = ["a", "a/b", "b", "b/a", "ab", ".git/x"];
        assert_eq!(ignored("a", &paths), ["a", "a/b"]);
        assert_eq!(ignored("/a/\n", &paths), ["a", "a/b"]);
        assert_eq!(ignored("**/a", &paths), ["a", "a/b", "b/a"]);
        assert_eq!(ignored("*/a", &paths), ["b/a"]);
        assert_eq!(ignored("a?", &paths), ["ab"]);
        assert_eq!(ignored("./x/../.git", &paths), [".git/x"]);
        assert_eq!(ignored(" # no comment \n#a\n\n", &paths), Vec::<&str>::new());
    }

    #[test]
    fn stars() {
        let paths = ["a.go", "x/a.go", "x/y/a.go", "x/y/b.txt", "xa.go"];
        assert_eq!(ignored("*.go", &paths), ["a.go", "xa.go"]);
        assert_eq!(ignored("**/*.go", &paths), ["a.go", "x/a.go", "x/y/a.go", "xa.go"]);
        assert_eq!(ignored("x/**", &paths), ["x/a.go", "x/y/a.go", "x/y/b.txt"]);
        assert_eq!(ignored("x/**/a.go", &paths), ["x/a.go", "x/y/a.go"]);
        assert_eq!(ignored("**a.go", &paths), ["a.go", "x/a.go", "x/y/a.go", "xa.go"]);
        assert_eq!(ignored("**", &paths), paths);
        assert_eq!(ignored("**/y/**", &paths), ["x/y/a.go", "x/y/b.txt"]);
        assert_eq!(ignored("*", &paths), paths);
    }

    #[test]
    fn classes_and_escapes() {
        let paths = ["a1", "ab", "a*", "a-", "a]"];
        assert_eq!(ignored("a[0-9b]", &paths), ["a1", "ab"]);
        assert_eq!(ignored("a[^0-9]", &paths), ["ab", "a*", "a-", "a]"]);
        assert_eq!(ignored(r"a\*", &paths), ["a*"]);
        assert_eq!(ignored(r"a[\-\]]", &paths), ["a-", "a]"]);
    }

    #[test]
    fn the_last_match_decides_and_is_told() {
        let (file, _) = IgnoreFile::parse("*\n!keep\n# comment\n!dir/in\nkeep/not\n");
        let why = |path: &str| {
            let verdict = file.judge_path(path);
            (verdict.is_ignored(), file.decided_by(&verdict).map(|rule| rule.line))
        };
        assert_eq!(why("x"), (true, Some(1)));
        assert_eq!(why("keep"), (false, Some(2)));
        assert_eq!(why("keep/a/b"), (false, Some(2)));
        assert_eq!(why("keep/not/b"), (true, Some(5)));
        assert_eq!(why("dir"), (true, Some(1)));
        assert_eq!(why("dir/in/x"), (false, Some(4)));
        assert_eq!(IgnoreFile::default().judge_path("x").decided_by, None);
    }

    #[test]
    fn directories_without_exceptions_below_need_no_look() {
        let (file, _) = IgnoreFile::parse("*\n!a/b/c\n!d*/e\n");
        assert!(!file.can_prune("a"));
        assert!(!file.can_prune("a/b"));
        assert!(file.can_prune("a/b/x"));
        assert!(file.can_prune("x"));
        assert!(!file.can_prune("dir"));
        let (deep, _) = IgnoreFile::parse("*\n!**/x\n");
        assert!(!deep.can_prune("anything/at/all"));
    }

    #[test]
    fn patterns_that_mean_nothing() {
        let messages = |text| IgnoreFile::parse(text).1.into_iter().map(|d| d.message).collect::<Vec<_>>();
        assert_eq!(messages("a\n!\n"), ["illegal exclusion pattern: \"!\""]);
        for bad in ["[", "a[b", "[]", "[^]", "[-x]", "[a-]", "x\\"] {
            assert_eq!(messages(bad), [format!("syntax error in pattern {bad:?}")]);
        }
    }
}
