//! `builder failures`.

use std::process::ExitCode;

use engine::kept::{KeptError, KeptSummary};
use image::Timestamp;
use serde::Serialize;

use super::Session;
use crate::report::Failure;
use crate::table::{shortened, table};
use crate::units;

/// How much of a step's name is shown.
const STEP: usize = 60;

/// List the failed steps that are kept, the latest first, or remove them
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct FailuresArgs {
    /// How they are listed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// A table.
    Table,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Rm(RemoveArgs),
}

/// Remove failed steps
#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// Remove all of them
    #[arg(long, conflicts_with = "steps")]
    all: bool,
    /// The beginnings of their ids
    #[arg(required_unless_present = "all", value_name = "STEP")]
    steps: Vec<String>,
}

/// Prints the list, or removes steps.
pub(crate) fn run(arguments: &FailuresArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let engine = session.engine()?;
    match &arguments.action {
        None => {
            let steps = engine.kept_steps().map_err(Failure::kept)?;
            super::print(&text(&steps, arguments.format, super::now())?)
        }
        Some(Action::Rm(RemoveArgs { all: false, steps })) => {
            let removed: Result<Vec<String>, KeptError> =
                steps.iter().map(|step| engine.remove_kept_step(step)).collect();
            super::print(&lines(&removed.map_err(Failure::kept)?))
        }
        Some(Action::Rm(RemoveArgs { all: true, .. })) => {
            let steps = engine.kept_steps().map_err(Failure::kept)?;
            let removed: Result<Vec<String>, KeptError> =
                steps.iter().map(|step| engine.remove_kept_step(&step.id)).collect();
            super::print(&lines(&removed.map_err(Failure::kept)?))
        }
    }
}

fn lines(ids: &[String]) -> String {
    ids.iter().flat_map(|id| [id, "\n"]).collect()
}

fn text(steps: &[KeptSummary], format: Format, now: Timestamp) -> Result<String, Failure> {
    match format {
        Format::Table => Ok(as_table(steps, now)),
        Format::Json => steps.iter().map(as_json).collect(),
    }
}

fn as_table(steps: &[KeptSummary], now: Timestamp) -> String {
    let row = |step: &KeptSummary| {
        let (exit, place, label) = match &step.record {
            Ok(record) => {
                (record.exit.map_or_else(|| "-".to_owned(), |code| code.to_string()), record.place(), {
                    shortened(&record.label.replace(['\n', '\t'], " "), STEP)
                })
            }
            Err(error) => ("-".to_owned(), "-".to_owned(), format!("({error})")),
        };
        let failed = super::images::age(Some(Timestamp::from_system(step.time)), now);
        [step.id.clone(), failed, exit, units::size(step.size), place, label]
    };
    let rows: Vec<_> = steps.iter().map(row).collect();
    table(["ID", "FAILED", "EXIT", "SIZE", "PLACE", "STEP"], &rows)
}

/// A step for programs.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    failed: String,
    size: u64,
    #[serde(flatten)]
    step: Option<StepOfLine<'a>>,
    /// Why nothing is known of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize)]
struct StepOfLine<'a> {
    step: &'a str,
    dockerfile: &'a str,
    line: Option<usize>,
    stage: &'a str,
    images: &'a [String],
    exit: Option<i32>,
    error: &'a str,
    output: &'a [String],
}

fn as_json(summary: &KeptSummary) -> Result<String, Failure> {
    let step = summary.record.as_ref().ok().map(|record| StepOfLine {
        step: &record.label,
        dockerfile: &record.dockerfile,
        line: record.line,
        stage: &record.stage,
        images: &record.images,
        exit: record.exit,
        error: &record.error,
        output: &record.output,
    });
    let line = Line {
        id: &summary.id,
        failed: Timestamp::from_system(summary.time).to_string(),
        size: summary.size,
        step,
        problem: summary.record.as_ref().err().map(ToString::to_string),
    };
    let json = serde_json::to_string(&line);
    json.map(|json| json + "\n").map_err(|error| Failure::because("cannot write JSON", error))
}
