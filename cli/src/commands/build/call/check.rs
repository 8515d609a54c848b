//! `--call=check`: what the rules for Dockerfiles have to say.

use std::process::ExitCode;

use engine::outcome::{Checked, Finding, Level, Rule};
use engine::request::DockerfileSource;
use engine::{BuildError, BuildRequest, Engine};
use parser::LineIndex;
use serde::Serialize;

use super::json::{self, Location};
use super::{Call, Format, sarif};
use crate::commands;
use crate::environment::Environment;
use crate::excerpt::{Excerpts, Shown};
use crate::report::{self, Failure};

/// Checks the Dockerfile. Warnings make the exit code 1, so that scripts can tell; notes do not.
pub(super) fn run(
    call: Call,
    engine: &Engine,
    request: BuildRequest,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let path = match &request.dockerfile {
        DockerfileSource::File { path, .. } => Some(path.clone()),
        _ => None,
    };
    let checked = super::ask(environment, async |events| engine.check(request, events).await)?;
    commands::print(&match call.format {
        Format::Text => text(&checked),
        Format::Json => json(&checked),
        Format::Sarif => {
            let uri = sarif::uri(path.as_deref(), &checked.dockerfile.display, environment);
            sarif::text(&checked, &uri)
        }
    })?;
    let has_warnings = !checked.warnings.is_empty();
    match checked.error {
        Some(error) => Err(without_warnings(error).into()),
        None => Ok(ExitCode::from(u8::from(has_warnings && !call.ignore_status))),
    }
}

/// The warnings were printed: the report of the error need not have them again.
fn without_warnings(mut error: BuildError) -> BuildError {
    if let BuildError::Dockerfile { warnings, .. } | BuildError::Pin { warnings, .. } = &mut error {
        warnings.clear();
    }
    error
}

/// What is printed, in the form of buildx; notes come last.
fn text(checked: &Checked) -> String {
    let mut text = match (checked.warnings.len(), &checked.error) {
        (0, Some(_)) => String::new(),
        (0, None) => "Check complete, no warnings found.\n".to_owned(),
        (1, _) => "Check complete, 1 warning has been found!\n".to_owned(),
        (count, _) => format!("Check complete, {count} warnings have been found!\n"),
    };
    let excerpts = Excerpts::new(&checked.dockerfile);
    for finding in checked.warnings.iter().chain(&checked.notes) {
        text.push('\n');
        text.push_str(&finding_text(finding, &excerpts));
    }
    text
}

fn finding_text(finding: &Finding, excerpts: &Excerpts<'_>) -> String {
    let level = match finding.rule.map(Rule::level) {
        Some(Level::Note) => "NOTE",
        Some(Level::Warning) | None => "WARNING",
    };
    let rule = finding.rule.map_or("Dockerfile", Rule::name);
    let url = finding.rule.and_then(Rule::url).map(|url| format!(" - {url}")).unwrap_or_default();
    let hint = finding.help.as_ref().map(|help| format!("hint: {help}\n")).unwrap_or_default();
    let excerpt = Shown::of(finding).map(|shown| excerpts.excerpt(shown)).unwrap_or_default();
    format!("{level}: {rule}{url}\n{}\n{hint}{excerpt}", finding.message)
}

/// The findings as JSON: BuildKit's form, and beside it the notes.
#[derive(Debug, Serialize)]
struct Results<'c> {
    warnings: Vec<RuleFinding<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<RuleFinding<'c>>,
    sources: [Source<'c>; 1],
    #[serde(rename = "buildError", skip_serializing_if = "Option::is_none")]
    error: Option<Error>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleFinding<'c> {
    rule_name: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    detail: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'c str>,
    location: Location,
}

#[derive(Debug, Serialize)]
struct Source<'c> {
    filename: &'c str,
    language: &'c str,
    data: String,
}

#[derive(Debug, Serialize)]
struct Error {
    message: String,
    location: Location,
}

impl<'c> RuleFinding<'c> {
    fn of(finding: &'c Finding, lines: &LineIndex<'_>) -> Self {
        Self {
            rule_name: finding.rule.map_or("Dockerfile", Rule::name),
            description: finding.rule.map(Rule::description),
            url: finding.rule.and_then(Rule::url),
            detail: &finding.message,
            hint: finding.help.as_deref(),
            location: location(finding, lines),
        }
    }
}

fn location(finding: &Finding, lines: &LineIndex<'_>) -> Location {
    finding.span.map_or_else(Location::unknown, |span| Location::of(span, lines))
}

fn json(checked: &Checked) -> String {
    let lines = LineIndex::new(&checked.dockerfile.text);
    let first_error = checked.error.as_ref().and_then(|error| report::findings(error).into_iter().next());
    json::pretty(&Results {
        warnings: checked.warnings.iter().map(|warning| RuleFinding::of(warning, &lines)).collect(),
        notes: checked.notes.iter().map(|note| RuleFinding::of(note, &lines)).collect(),
        sources: [Source {
            filename: &checked.dockerfile.display,
            language: "Dockerfile",
            data: json::source(&checked.dockerfile),
        }],
        error: first_error.map(|error| Error { location: location(&error, &lines), message: error.message }),
    })
}
