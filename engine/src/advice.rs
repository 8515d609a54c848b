//! The lint rules that look at files of the main context: wildcards and scripts.
//!
//! They give notes only. A file that cannot be looked at is none of their business: if it matters, the
//! build says so.

use std::io::Read;
use std::path::Path;

use graph::source::ContextName;
use image::PathPattern;
use image::pattern::has_wildcard;
use planner::{LocalSource, Plan, Remark, Rule};
use store::{Entry, Keep, Kind, Tree, Wildcards};

use crate::contexts::Contexts;
use crate::outcome::Finding;

/// How much of a file is read to find its first line.
const LONGEST_FIRST_LINE: u64 = 256;
/// The bits of a mode that let somebody execute a file.
const EXECUTABLE: u32 = 0o111;

/// All notes on a build that was planned, in the order of the text.
pub(crate) fn notes(plan: &Plan, contexts: &Contexts) -> Vec<Finding> {
    let mut notes = plan.notes.clone();
    if let Some(tree) = contexts.trees.get(&ContextName::main()) {
        let advice = Advice { contexts, tree };
        notes.extend(plan.local_sources.iter().filter_map(|source| advice.on(source)));
        notes.sort_by_key(|note| note.span.start);
    }
    notes.iter().map(Finding::from).collect()
}

struct Advice<'a> {
    contexts: &'a Contexts,
    tree: &'a Tree,
}

impl Advice<'_> {
    fn on(&self, source: &LocalSource) -> Option<Remark> {
        if has_wildcard(&source.pattern) { self.wildcard(source) } else { self.script(source) }
    }

    /// A wildcard may match nothing: the build goes on, and the files are missing in the end. Any number of
    /// directories is too many to look at before there is anything to do.
    fn wildcard(&self, source: &LocalSource) -> Option<Remark> {
        let is_recursive = source.parents && source.pattern.contains("**");
        if is_recursive || !paths(self.tree, source)?.is_empty() {
            return None;
        }
        let message = format!("{:?} matches no file of the context", source.written);
        let help = match self.excluded(source) {
            Some(place) => Some(format!("what it matches is excluded: {place}")),
            None => {
                executor::similar(self.tree, &source.pattern).map(|path| format!("did you mean {path:?}?"))
            }
        };
        source.remark(Rule::WildcardMatchesNothing, message, help)
    }

    /// The rule of the ignore file that hides the first of the files that match.
    fn excluded(&self, source: &LocalSource) -> Option<String> {
        let (ignore, directory) = (self.contexts.ignore.as_ref()?.named(), self.contexts.directory.as_ref()?);
        let unfiltered = Tree::host(directory, |_, _| Keep::Yes).ok()?;
        let hidden = paths(&unfiltered, source)?.into_iter().next()?;
        let verdict = ignore.file.judge_path(&hidden);
        let rule = ignore.file.decided_by(&verdict).filter(|_| verdict.is_ignored())?;
        Some(ignore.place(rule))
    }

    /// A script with Windows line ends: the kernel looks for `/bin/sh\r`, and says that the script is
    /// not there.
    fn script(&self, source: &LocalSource) -> Option<Remark> {
        let selected = self.tree.select(&PathPattern::new(&source.pattern), Wildcards::OneLevel).ok()?;
        let entry = &selected.first()?.entry;
        let is_shell_script =
            Path::new(&source.pattern).extension().is_some_and(|extension| extension == "sh");
        let is_script = *entry.kind() == Kind::File && (is_shell_script || entry.mode() & EXECUTABLE != 0);
        if !is_script || !has_crlf_interpreter(entry) {
            return None;
        }
        let message = format!(
            "The lines of {:?} end in CR LF, and the CR becomes part of its interpreter's name",
            source.written
        );
        let help = "store it with Unix line ends; in .gitattributes: *.sh text eol=lf".to_owned();
        source.remark(Rule::CrlfScript, message, Some(help))
    }
}

/// What a source selects; none if it cannot be told.
fn paths(tree: &Tree, source: &LocalSource) -> Option<Vec<String>> {
    let pattern = PathPattern::new(source.pattern.replace("/./", "/"));
    let selected = tree.select(&pattern, Wildcards::OneLevel).ok()?;
    Some(selected.iter().map(|one| String::from_utf8_lossy(one.name.as_bytes()).into_owned()).collect())
}

fn has_crlf_interpreter(entry: &Entry) -> bool {
    let mut start = Vec::new();
    let read = entry.open().map(|file| file.take(LONGEST_FIRST_LINE).read_to_end(&mut start));
    let first_line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    matches!(read, Ok(Ok(_))) && first_line.starts_with(b"#!") && first_line.ends_with(b"\r")
}
