//! Which entries of a tree a pattern means: the sources of `COPY` and `ADD`.
//!
//! A pattern is cleaned as a path first: a leading slash and `..` at the start stay at the root. Components without
//! wildcards are followed through symbolic links, inside the root, up to the first one with; from there on only
//! real directories are entered. What was selected is itself followed when it is a link.

use std::os::unix::ffi::OsStrExt;

use image::pattern::{NamePattern, has_wildcard};
use image::{ImagePath, PathPattern};

use super::{Entry, Tree, resolve};
use crate::error::StoreError;
use crate::metadata::Kind;
use crate::path::TreePath;

/// What a component `**` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wildcards {
    /// The same as `*`: Go's `filepath.Match`, which `COPY` uses.
    OneLevel,
    /// Any number of directories: `COPY --parents`.
    Recursive,
}

/// One entry that a pattern selects.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The path by which it was selected: its last component names the copy.
    pub name: TreePath,
    /// What is there, links followed. Only a link that leads nowhere, matched by a wildcard, is itself.
    pub entry: Entry,
}

enum Component {
    Literal(String),
    Pattern(NamePattern),
    AnyDepth,
}

impl Tree {
    /// What the pattern selects, sorted by name; nothing when nothing matches.
    pub fn select(&self, pattern: &PathPattern, wildcards: Wildcards) -> Result<Vec<Selected>, StoreError> {
        let root = self.root()?;
        let components = components(pattern, wildcards)?;
        let literal =
            components.iter().take_while(|component| matches!(component, Component::Literal(_))).count();
        let (prefix, rest) = components.split_at_checked(literal).unwrap_or((&components, &[]));
        let name = prefix.iter().fold(TreePath::root(), |path, component| match component {
            Component::Literal(name) => path.join(name.as_ref()),
            _ => path,
        });
        let start = resolve::resolve(&root, &name, true)?.into_entry();
        let mut matched: Vec<Selected> =
            start.into_iter().map(|entry| Selected { name: name.clone(), entry }).collect();
        for (position, component) in rest.iter().enumerate() {
            let is_last = position + 1 == rest.len();
            let mut next = Vec::new();
            for selected in &matched {
                self.expand(selected, component, is_last, &mut next)?;
            }
            matched = next;
        }
        matched.sort_by(|a, b| a.name.cmp(&b.name));
        matched.dedup_by(|a, b| a.name == b.name);
        for selected in &mut matched {
            if matches!(selected.entry.kind(), Kind::Symlink(_))
                && let Some(target) = resolve::resolve(&root, selected.entry.path(), true)?.into_entry()
            {
                selected.entry = target;
            }
        }
        Ok(matched)
    }

    /// Goes on from one entry by one component of the pattern.
    fn expand(
        &self,
        from: &Selected,
        component: &Component,
        is_last: bool,
        found: &mut Vec<Selected>,
    ) -> Result<(), StoreError> {
        let below = |entry: Entry| -> Option<Selected> {
            let inside = entry.path().strip_prefix(from.entry.path())?;
            Some(Selected { name: from.name.join_path(&inside), entry })
        };
        match component {
            Component::Literal(name) => {
                found.extend(self.child(&from.entry, name.as_ref())?.and_then(below));
            }
            Component::Pattern(pattern) => {
                let children = self.children(&from.entry)?.into_iter();
                let matching = children.filter(|child| {
                    child.path().file_name().is_some_and(|name| pattern.matches(name.as_bytes()))
                });
                found.extend(matching.filter_map(below));
            }
            Component::AnyDepth => {
                for entry in self.walk(&from.entry) {
                    let entry = entry?;
                    let is_start = entry.path() == from.entry.path();
                    if if is_last { !is_start } else { entry.is_directory() } {
                        found.extend(below(entry));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a pattern can select anything but the one path that it spells.
pub(super) fn is_wildcard(pattern: &PathPattern) -> bool {
    has_wildcard(pattern.as_str())
}

fn components(pattern: &PathPattern, wildcards: Wildcards) -> Result<Vec<Component>, StoreError> {
    ImagePath::new(pattern.as_str())
        .components()
        .map(|text| match text {
            "**" if wildcards == Wildcards::Recursive => Ok(Component::AnyDepth),
            text if has_wildcard(text) => NamePattern::new(text)
                .map(Component::Pattern)
                .map_err(|_| StoreError::Pattern(pattern.as_str().to_owned())),
            text => Ok(Component::Literal(text.to_owned())),
        })
        .collect()
}
