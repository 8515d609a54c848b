//! `builder load`.

use std::process::ExitCode;

use engine::archive::Loaded;

use super::Session;
use crate::report::Failure;

/// Take the images of an archive, in the form of OCI or docker, into the local store
#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// Archive, compressed or not [default: standard input]
    #[arg(short, long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    input: String,
    /// Print nothing
    #[arg(short, long)]
    quiet: bool,
}

/// Loads, and prints the names.
pub(crate) fn run(arguments: &LoadArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = super::import::open(&arguments.input, session)?;
    let loaded = session.engine()?.load(archive).map_err(Failure::from_error)?;
    if arguments.quiet {
        return Ok(ExitCode::SUCCESS);
    }
    super::print(&loaded.iter().map(lines).collect::<String>())
}

fn lines(loaded: &Loaded) -> String {
    if loaded.tags.is_empty() {
        return format!("Loaded image ID: {}\n", loaded.id);
    }
    let names = loaded.tags.iter().map(|name| format!("Loaded image: {}\n", name.familiar()));
    names.collect::<Vec<_>>().concat()
}
