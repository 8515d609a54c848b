//! The findings as SARIF 2.1.0, the form in which code hosts and editors take the findings of checkers
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/>).

use std::fmt::Write as _;
use std::path::Path;

use engine::outcome::{Checked, Finding, Level, Rule};
use parser::{LineIndex, Span};
use serde_json::{Map, Value, json};

use super::json;
use crate::environment::Environment;
use crate::report;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// What stands for a rule where the Dockerfile cannot be built or read in full.
const NO_RULE: &str = "Dockerfile";

/// The Dockerfile as the document names it: relative to the working directory, as code hosts want it. One
/// that is not on this machine has no path, and is called as in messages.
pub(super) fn uri(path: Option<&Path>, display: &str, environment: &Environment) -> String {
    match path.map(|path| (path, environment.below_working_directory(path))) {
        Some((_, Some(relative))) => encoded(&relative.display().to_string()),
        Some((path, None)) => format!("file://{}", encoded(&path.display().to_string())),
        None if display.contains("://") => display.to_owned(),
        None => encoded(display),
    }
}

/// The whole document.
pub(super) fn text(checked: &Checked, uri: &str) -> String {
    let lines = LineIndex::new(&checked.dockerfile.text);
    let errors = checked.error.as_ref().map(report::findings).unwrap_or_default();
    let findings = errors.iter().map(|error| ("error", error));
    let warnings = checked.warnings.iter().map(|warning| ("warning", warning));
    let notes = checked.notes.iter().map(|note| ("note", note));
    let results: Vec<Value> = findings
        .chain(warnings)
        .chain(notes)
        .map(|(level, finding)| result(level, finding, uri, &lines))
        .collect();
    json::pretty(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "builder",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

/// All rules, whether there are findings of them or not. The first one is none of them.
fn rules() -> Vec<Value> {
    let mut rules = vec![json!({
        "id": NO_RULE,
        "shortDescription": { "text": "The Dockerfile should be one that can be built" },
        "defaultConfiguration": { "level": "error" },
    })];
    for rule in Rule::ALL {
        let level = match rule.level() {
            Level::Warning => "warning",
            Level::Note => "note",
        };
        let mut entry = Map::new();
        entry.insert("id".to_owned(), json!(rule.name()));
        entry.insert("shortDescription".to_owned(), json!({ "text": rule.description() }));
        entry.extend(rule.url().map(|url| ("helpUri".to_owned(), json!(url))));
        entry.insert("defaultConfiguration".to_owned(), json!({ "level": level }));
        rules.push(Value::Object(entry));
    }
    rules
}

fn result(level: &str, finding: &Finding, uri: &str, lines: &LineIndex<'_>) -> Value {
    let position = finding.rule.and_then(|rule| Rule::ALL.iter().position(|known| *known == rule));
    let text = match &finding.help {
        Some(help) => format!("{}\n{help}", finding.message),
        None => finding.message.clone(),
    };
    let mut physical = json!({ "artifactLocation": { "uri": uri } });
    if let Some(span) = finding.focus.or(finding.span) {
        physical["region"] = region(span, lines);
    }
    json!({
        "ruleId": finding.rule.map_or(NO_RULE, Rule::name),
        "ruleIndex": position.map_or(0, |position| position + 1),
        "level": level,
        "message": { "text": text },
        "locations": [{ "physicalLocation": physical }],
    })
}

/// Lines and columns from one; the end is the character behind the last one.
fn region(span: Span, lines: &LineIndex<'_>) -> Value {
    let trimmed = span.of(lines.text()).trim_end().len();
    let end = if trimmed == 0 { span.end } else { span.start + trimmed };
    let (start, end) = (lines.position(span.start), lines.position(end));
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

/// A path as part of a URI.
fn encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
