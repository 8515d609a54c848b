//! What the JSON of all methods has in common: BuildKit's places and source texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::outcome::DockerfileText;
use parser::{LineIndex, Span};
use serde::Serialize;

/// A place in the Dockerfile: its lines, each as a range of its own.
#[derive(Debug, Serialize)]
pub(super) struct Location {
    ranges: Vec<Range>,
}

#[derive(Debug, Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Position {
    line: usize,
}

impl Location {
    /// Where a span is.
    pub(super) fn of(span: Span, lines: &LineIndex<'_>) -> Self {
        let (first, last) = lines.lines(span);
        let position = |line| Position { line };
        let range = |line| Range { start: position(line), end: position(line) };
        Self { ranges: (first..=last).map(range).collect() }
    }

    /// A place that is not known.
    pub(super) fn unknown() -> Self {
        Self { ranges: Vec::new() }
    }
}

/// The text of the Dockerfile, in the form that JSON has for bytes.
pub(super) fn source(dockerfile: &DockerfileText) -> String {
    STANDARD.encode(&dockerfile.text)
}

/// A value in lines that people can read.
pub(super) fn pretty(value: &impl Serialize) -> String {
    // Plain structs with texts for keys have no way to fail.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
