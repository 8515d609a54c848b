//! Why a source of `COPY` is not there: a rule of the ignore file, or a slip of the pen.

use std::path::Path;

use graph::source::ContextName;
use store::{Tree, TreePath};

use crate::contexts::Contexts;
use crate::error::{IgnoreRule, MissingSource};

/// How many entries are looked at for a similar name.
const MOST_ENTRIES: usize = 20_000;
/// How many letters a similar name may differ in.
const MOST_DIFFERENCES: usize = 3;

/// Finds out what can be said about a source that a step did not find.
///
/// `context` is none for sources in other stages and images.
pub(crate) fn explain(contexts: &Contexts, pattern: &str, context: Option<&ContextName>) -> MissingSource {
    let is_main = context == Some(&ContextName::main());
    let directory = contexts.directory.clone().filter(|_| is_main);
    let relative = pattern.trim_start_matches('/');
    MissingSource {
        pattern: pattern.to_owned(),
        excluded_by: directory.as_deref().and_then(|directory| excluding_rule(contexts, directory, relative)),
        similar: context.and_then(|context| similar(contexts.trees.get(context)?, relative)),
        directory,
    }
}

/// The rule that hides a path which is there.
fn excluding_rule(contexts: &Contexts, directory: &Path, path: &str) -> Option<IgnoreRule> {
    let file = contexts.ignore.as_ref()?;
    if std::fs::symlink_metadata(directory.join(path)).is_err() {
        return None;
    }
    let verdict = file.rules.judge_path(path);
    let rule = file.rules.decided_by(&verdict).filter(|_| verdict.is_ignored())?;
    Some(IgnoreRule { file: file.path.clone(), line: rule.line, pattern: rule.written.clone() })
}

/// The path of the tree that is nearest: the same name elsewhere, or nearly the same path.
fn similar(tree: &Tree, wanted: &str) -> Option<String> {
    let name = wanted.rsplit('/').next()?;
    let mut best: Option<(usize, String)> = None;
    for entry in tree.walk(&tree.root().ok()?).take(MOST_ENTRIES) {
        let Ok(entry) = entry else { break };
        let Some(path) = text(entry.path()) else { continue };
        let same_name = path.rsplit('/').next() == Some(name);
        let distance = if same_name { 1 } else { distance(&path, wanted) };
        if distance > 0
            && distance <= MOST_DIFFERENCES
            && best.as_ref().is_none_or(|(least, _)| distance < *least)
        {
            best = Some((distance, path));
        }
    }
    best.map(|(_, path)| path)
}

fn text(path: &TreePath) -> Option<String> {
    std::str::from_utf8(path.as_bytes()).ok().filter(|path| !path.is_empty()).map(str::to_owned)
}

/// Levenshtein's distance, case aside; anything longer than [`MOST_DIFFERENCES`] is just more.
fn distance(one: &str, other: &str) -> usize {
    if one.len().abs_diff(other.len()) > MOST_DIFFERENCES * 4 {
        return MOST_DIFFERENCES + 1;
    }
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, expected) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *expected);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("src/main.c", "src/main.c"), 0);
        assert_eq!(distance("src/mian.c", "src/main.c"), 2);
        assert_eq!(distance("Makefile", "makefile"), 0);
        assert_eq!(distance("a", "abc"), 2);
        assert!(distance("short", "something completely different") > 3);
    }
}
