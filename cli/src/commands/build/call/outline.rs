//! `--call=outline`: what a target can be given.

use engine::outcome::{Outline, OutlineArgument, OutlineMount, Outlined};
use parser::LineIndex;
use serde::Serialize;

use super::json::{self, Location};
use crate::table;

/// The outline as JSON.
#[derive(Debug, Serialize)]
struct Listing<'o> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'o str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'o str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Argument<'o>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SessionMount<'o>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ssh: Vec<SessionMount<'o>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cache: Vec<CacheMount<'o>>,
    sources: [String; 1],
}

#[derive(Debug, Serialize)]
struct Argument<'o> {
    name: &'o str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'o str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'o str>,
    location: Location,
}

#[derive(Debug, Serialize)]
struct SessionMount<'o> {
    name: &'o str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    required: bool,
    location: Location,
}

#[derive(Debug, Serialize)]
struct CacheMount<'o> {
    #[serde(rename = "ID")]
    id: &'o str,
    location: Location,
}

impl<'o> Argument<'o> {
    fn of(argument: &'o OutlineArgument, lines: &LineIndex<'_>) -> Self {
        Self {
            name: &argument.name,
            description: argument.description.as_deref(),
            value: argument.value.as_deref().filter(|value| !value.is_empty()),
            location: Location::of(argument.span, lines),
        }
    }
}

impl<'o> SessionMount<'o> {
    fn of(mount: &'o OutlineMount, lines: &LineIndex<'_>) -> Self {
        Self { name: &mount.id, required: mount.required, location: Location::of(mount.span, lines) }
    }
}

impl<'o> CacheMount<'o> {
    fn of(mount: &'o OutlineMount, lines: &LineIndex<'_>) -> Self {
        Self { id: &mount.id, location: Location::of(mount.span, lines) }
    }
}

pub(super) fn json(outlined: &Outlined) -> String {
    let lines = LineIndex::new(&outlined.dockerfile.text);
    let outline = &outlined.outline;
    json::pretty(&Listing {
        name: outline.name.as_deref(),
        description: outline.description.as_deref(),
        args: outline.arguments.iter().map(|argument| Argument::of(argument, &lines)).collect(),
        secrets: outline.secrets.iter().map(|mount| SessionMount::of(mount, &lines)).collect(),
        ssh: outline.agents.iter().map(|mount| SessionMount::of(mount, &lines)).collect(),
        cache: outline.caches.iter().map(|mount| CacheMount::of(mount, &lines)).collect(),
        sources: [json::source(&outlined.dockerfile)],
    })
}

/// A table for each kind of thing that there is one of. BuildKit has none for caches.
pub(super) fn text(outline: &Outline) -> String {
    let mut tables = vec![heading(outline)];
    let argument = |argument: &OutlineArgument| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [argument.name.clone(), text(&argument.value), text(&argument.description)]
    };
    let arguments: Vec<_> = outline.arguments.iter().map(argument).collect();
    if !arguments.is_empty() {
        tables.push(table::columns(["BUILD ARG", "VALUE", "DESCRIPTION"], &arguments, 3));
    }
    for (name, mounts) in [("SECRET", &outline.secrets), ("SSH", &outline.agents)] {
        let required = |mount: &OutlineMount| if mount.required { "true".to_owned() } else { String::new() };
        let rows: Vec<_> = mounts.iter().map(|mount| [mount.id.clone(), required(mount)]).collect();
        if !rows.is_empty() {
            tables.push(table::columns([name, "REQUIRED"], &rows, 3));
        }
    }
    let caches: Vec<_> = outline.caches.iter().map(|mount| [mount.id.clone()]).collect();
    if !caches.is_empty() {
        tables.push(table::columns(["CACHE MOUNT"], &caches, 3));
    }
    let tables = tables.into_iter().filter(|table| !table.is_empty());
    tables.map(|table| table + "\n").collect()
}

fn heading(outline: &Outline) -> String {
    if outline.name.is_none() && outline.description.is_none() {
        return String::new();
    }
    let name = outline.name.clone().unwrap_or_else(|| "(default)".to_owned());
    let description =
        outline.description.iter().map(|description| ["DESCRIPTION:".to_owned(), description.clone()]);
    table::columns(["TARGET:", &name], &description.collect::<Vec<_>>(), 1)
}
