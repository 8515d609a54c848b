//! `--call=targets`: what can be built.

use engine::outcome::{StageListing, Targets};
use parser::LineIndex;
use serde::Serialize;

use super::json::{self, Location};
use crate::table;

/// The list as JSON.
#[derive(Debug, Serialize)]
struct List<'t> {
    targets: Vec<Target<'t>>,
    sources: [String; 1],
}

#[derive(Debug, Serialize)]
struct Target<'t> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'t str>,
    #[serde(rename = "default", skip_serializing_if = "std::ops::Not::not")]
    is_default: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'t str>,
    base: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'t str>,
    location: Location,
}

impl<'t> Target<'t> {
    fn of(stage: &'t StageListing, lines: &LineIndex<'_>) -> Self {
        Self {
            name: stage.name.as_deref(),
            is_default: stage.is_default,
            description: stage.description.as_deref(),
            base: &stage.base,
            platform: stage.platform.as_deref(),
            location: Location::of(stage.span, lines),
        }
    }
}

pub(super) fn json(targets: &Targets) -> String {
    let lines = LineIndex::new(&targets.dockerfile.text);
    json::pretty(&List {
        targets: targets.stages.iter().map(|stage| Target::of(stage, &lines)).collect(),
        sources: [json::source(&targets.dockerfile)],
    })
}

pub(super) fn text(targets: &Targets) -> String {
    let row = |stage: &StageListing| {
        let name = match (&stage.name, stage.is_default) {
            (Some(name), true) => format!("{name} (default)"),
            (None, true) => "(default)".to_owned(),
            (name, false) => name.clone().unwrap_or_default(),
        };
        [name, stage.description.clone().unwrap_or_default()]
    };
    let rows: Vec<_> = targets.stages.iter().map(row).collect();
    table::columns(["TARGET", "DESCRIPTION"], &rows, 1)
}
