//! Which entries of a tree the source of a `COPY` means, and which of what lies below them.
//!
//! A source without `--parents` selects entries by Go's `filepath.Match`; each is copied under its own name.
//! With `--parents` the source is one directory (the root, or what is before `/./`), and the pattern, now in the
//! language of `.dockerignore`, says what below it is copied.

use std::ffi::OsString;

use graph::file::Copy;
use image::pattern::{BadPattern, Exclusions, has_wildcard};
use image::{ImagePath, PathPattern};
use store::{Entry, Kind, Tree, TreePath, Wildcards};

use crate::file::error::{FileError, MissingPath};
use crate::file::similar;
use crate::output::Output;

/// One entry that is copied, with what belongs to it.
pub(crate) struct Source {
    /// The entry; a link that was named was followed.
    pub(crate) entry: Entry,
    /// The name by which it was matched; none for the root.
    pub(crate) name: Option<OsString>,
}

/// What a source selects, in the order in which it is copied: nothing for a pattern that matches nothing, while a
/// path that is not there is an error.
pub(crate) fn select(
    input: &Output,
    pattern: &PathPattern,
    has_parents: bool,
) -> Result<Vec<Source>, FileError> {
    if has_parents {
        let (base, below) = split_pivot(pattern);
        if !has_wildcard(below) && !has_wildcard(base) {
            let wanted = ImagePath::new(base).join(below);
            input.tree().resolve(&wanted, true)?.ok_or_else(|| not_found(input, &wanted))?;
        }
        // Nothing lies below a file, so the pattern matches nothing there.
        let bases = matches(input, &PathPattern::new(base))?.into_iter();
        let directories = bases.filter(|base| base.entry.is_directory());
        return Ok(directories.map(|base| Source { entry: base.entry, name: None }).collect());
    }
    let source = |selected: store::Selected| Source {
        name: selected.name.file_name().map(ToOwned::to_owned),
        entry: selected.entry,
    };
    Ok(matches(input, pattern)?.into_iter().map(source).collect())
}

/// What a pattern matches. Links are followed; one that leads nowhere is an error, as in `BuildKit`.
fn matches(input: &Output, pattern: &PathPattern) -> Result<Vec<store::Selected>, FileError> {
    let tree = input.tree();
    let selected = tree.select(pattern, Wildcards::OneLevel)?;
    if selected.is_empty() {
        let needed = without_wildcards(pattern);
        let may_be_hidden = has_wildcard(pattern.as_str());
        if tree.resolve(&needed, true)?.is_none() && !(may_be_hidden && is_hidden(&tree, &needed)?) {
            return Err(not_found(input, &needed));
        }
    }
    let dangling = selected.iter().find(|selected| matches!(selected.entry.kind(), Kind::Symlink(_)));
    match dangling {
        Some(link) => Err(not_found(input, &ImagePath::new(&link.name.to_string()))),
        None => Ok(selected),
    }
}

/// Whether a local context has something at a path that its ignore file hides. For BuildKit a directory is there when a
/// pattern leads into it, and what is ignored in it is what the pattern does not match.
fn is_hidden(tree: &Tree, path: &ImagePath) -> Result<bool, FileError> {
    if !tree.is_host() {
        return Ok(false);
    }
    let relative = path.as_str().trim_start_matches('/');
    let places = tree.root()?.host_paths();
    Ok(places.iter().any(|place| place.join(relative).symlink_metadata().is_ok()))
}

/// The first link in a tree's root that is copied by `--parents` and leads nowhere: `BuildKit` follows those, and no
/// others.
pub(crate) fn check_links(input: &Output, base: &Entry, filter: &Filter) -> Result<(), FileError> {
    if !base.path().is_root() {
        return Ok(());
    }
    let tree = input.tree();
    for child in tree.children(base)? {
        let is_copied = || filter.verdict(child.path(), false) == Verdict::Copied;
        if matches!(child.kind(), Kind::Symlink(_)) && is_copied() {
            let path = ImagePath::new(&child.path().to_string());
            tree.resolve(&path, true)?.ok_or_else(|| not_found(input, &path))?;
        }
    }
    Ok(())
}

/// The part of a pattern that has to be there: all before the first component with a wildcard.
fn without_wildcards(pattern: &PathPattern) -> ImagePath {
    let path = ImagePath::new(pattern.as_str());
    let literal = path.components().take_while(|name| !has_wildcard(name));
    literal.fold(ImagePath::root(), |path, name| path.join(name))
}

fn not_found(input: &Output, path: &ImagePath) -> FileError {
    FileError::SourceNotFound(Box::new(MissingPath {
        path: path.to_string(),
        context: input.context().cloned(),
        similar: similar::similar(&input.tree(), path.as_str().trim_start_matches('/')),
    }))
}

/// The directory before `/./`, or the directories that this matches, and what is kept of the path.
fn split_pivot(pattern: &PathPattern) -> (&str, &str) {
    let text = pattern.as_str();
    match text.strip_prefix("./") {
        Some(kept) => ("", kept),
        None => text.split_once("/./").unwrap_or(("", text)),
    }
}

/// Whether something below a source is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is.
    Copied,
    /// A directory that is copied when something in it is.
    Entered,
    /// It is not, nor what is in it.
    Skipped,
}

/// What below a source is copied: `--exclude`, and the pattern of a source with `--parents`.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    excludes: Exclusions,
    includes: Option<Includes>,
}

/// The pattern of a source with `--parents`.
#[derive(Debug)]
struct Includes {
    pattern: Exclusions,
    /// The components before the first one with a wildcard: nothing else leads to a match.
    literal: Vec<String>,
}

impl Filter {
    /// The filter of one source of a copy.
    pub(crate) fn new(operation: &Copy, pattern: &PathPattern) -> Result<Self, FileError> {
        let failed = |BadPattern(pattern)| FileError::Pattern { pattern };
        let excludes = Exclusions::new(operation.excludes.iter().map(PathPattern::as_str)).map_err(failed)?;
        let mut includes = None;
        if operation.parents {
            let (_, below) = split_pivot(pattern);
            let path = ImagePath::new(below);
            let literal = path.components().take_while(|name| !has_wildcard(name)).map(str::to_owned);
            let pattern = Exclusions::new([below]).map_err(failed)?;
            includes = (!pattern.is_empty()).then(|| Includes { pattern, literal: literal.collect() });
        }
        Ok(Self { excludes, includes })
    }

    /// What happens with the entry at a path below the source.
    pub(crate) fn verdict(&self, path: &TreePath, is_directory: bool) -> Verdict {
        let entered =
            |may_hold: bool| if is_directory && may_hold { Verdict::Entered } else { Verdict::Skipped };
        if self.excludes.excludes(path.as_bytes()) {
            return entered(self.excludes.may_include_again());
        }
        match &self.includes {
            Some(includes) if !includes.pattern.excludes(path.as_bytes()) => entered(includes.leads_on(path)),
            _ => Verdict::Copied,
        }
    }
}

impl Includes {
    fn leads_on(&self, path: &TreePath) -> bool {
        path.components().zip(&self.literal).all(|(name, literal)| name == literal.as_str())
    }
}
