//! `builder history`.

use std::process::ExitCode;

use engine::images::HistoryLine;
use image::Timestamp;

use super::Session;
use crate::report::Failure;
use crate::table::{shortened, table};
use crate::units;

/// How much of an instruction is shown.
const CREATED_BY: usize = 45;

/// Show what an image was made of, the last step first
#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArgs {
    /// Show instructions and ids in full
    #[arg(long)]
    no_trunc: bool,
    /// Show ids only
    #[arg(short, long)]
    quiet: bool,
    /// Name or id of the image
    image: String,
}

/// Prints a table.
pub(crate) fn run(arguments: &HistoryArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let lines = session.engine()?.history(&arguments.image).map_err(Failure::from_error)?;
    super::print(&text(&lines, arguments, super::now()))
}

fn text(lines: &[HistoryLine], arguments: &HistoryArgs, now: Timestamp) -> String {
    let id = |line: &HistoryLine| match &line.id {
        None => "<missing>".to_owned(),
        Some(id) if arguments.no_trunc => id.to_string(),
        Some(id) => id.0.short(),
    };
    if arguments.quiet {
        return lines.iter().map(|line| id(line) + "\n").collect();
    }
    let rows: Vec<[String; 5]> = lines
        .iter()
        .map(|line| {
            let created_by = line.entry.created_by.replace('\t', " ");
            let created_by = if arguments.no_trunc { created_by } else { shortened(&created_by, CREATED_BY) };
            [
                id(line),
                super::images::age(line.entry.created, now),
                created_by,
                units::size(line.size),
                line.entry.comment.clone(),
            ]
        })
        .collect();
    table(["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"], &rows)
}
