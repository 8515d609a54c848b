//! `builder tag`.

use std::process::ExitCode;

use super::Session;
use crate::report::Failure;

/// Give an image a further name
#[derive(Debug, clap::Args)]
pub(crate) struct TagArgs {
    /// Name or id of the image
    source: String,
    /// New name, "name:tag"
    target: String,
}

/// Tags. A name that another image had moves to this one.
pub(crate) fn run(arguments: &TagArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let target = super::reference(&arguments.target)?;
    session.engine()?.tag(&arguments.source, &target).map_err(Failure::from_error)?;
    Ok(ExitCode::SUCCESS)
}
