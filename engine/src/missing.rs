//! Why a source of `COPY` is not there: a rule of the ignore file, or a slip of the pen.

use std::path::Path;

use executor::MissingPath;
use graph::source::ContextName;

use crate::contexts::Contexts;
use crate::error::{IgnoreRule, MissingSource};

/// Finds out what can be said about a source that a step did not find.
pub(crate) fn explain(contexts: &Contexts, missing: &MissingPath) -> MissingSource {
    let is_main = missing.context == Some(ContextName::main());
    let directory = contexts.directory.clone().filter(|_| is_main);
    let relative = missing.path.trim_start_matches('/');
    MissingSource {
        pattern: missing.path.clone(),
        excluded_by: directory.as_deref().and_then(|directory| excluding_rule(contexts, directory, relative)),
        similar: missing.similar.clone(),
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
