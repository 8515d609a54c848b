//! `builder build --check`.

use std::process::ExitCode;

use engine::outcome::{Checked, Finding, Location};
use engine::{BuildRequest, Engine};

use crate::commands;
use crate::environment::Environment;
use crate::excerpt;
use crate::progress::{self, Mode};
use crate::report::Failure;

/// Checks the Dockerfile. Warnings, too, make the exit code 1, so that scripts can tell.
pub(super) fn run(
    engine: &Engine,
    request: BuildRequest,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    // What is loaded for a check is not worth a line.
    let checking =
        progress::show(Mode::None, environment, async |events| Ok(engine.check(request, events).await?));
    let checked = commands::runtime()?.block_on(checking)?;
    commands::print(&text(&checked))?;
    Ok(ExitCode::from(u8::from(!checked.findings.is_empty())))
}

/// What is printed, in the form of buildx.
fn text(checked: &Checked) -> String {
    let mut text = match checked.findings.len() {
        0 => "Check complete, no warnings found.\n".to_owned(),
        1 => "Check complete, 1 warning has been found!\n".to_owned(),
        count => format!("Check complete, {count} warnings have been found!\n"),
    };
    for finding in &checked.findings {
        text.push('\n');
        text.push_str(&warning(checked, finding));
    }
    text
}

fn warning(checked: &Checked, finding: &Finding) -> String {
    let rule = finding.rule.unwrap_or("Dockerfile");
    let url = finding.url.as_ref().map(|url| format!(" - {url}")).unwrap_or_default();
    let hint = finding.help.as_ref().map(|help| format!("hint: {help}\n")).unwrap_or_default();
    let mut text = format!("WARNING: {rule}{url}\n{}\n{hint}", finding.message);
    if let Some(span) = finding.span {
        let location = Location { dockerfile: checked.dockerfile.clone(), span };
        text.push_str(&excerpt::excerpt(&location, finding.focus));
    }
    text
}
