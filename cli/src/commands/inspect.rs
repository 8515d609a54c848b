//! `builder inspect`.

use std::process::ExitCode;

use super::Session;
use crate::report::{self, Failure};

/// Show everything about images as JSON
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// Names or ids of images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

/// Prints one array; an image that is missing does not keep the others from it.
pub(crate) fn run(arguments: &InspectArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let engine = session.engine()?;
    let mut details = Vec::new();
    let mut failures = Vec::new();
    for name in &arguments.images {
        match engine.inspect(name) {
            Ok(image) => details.push(image),
            Err(error) => failures.push(Failure::from_error(error)),
        }
    }
    let mut json = Vec::new();
    // Docker indents by four spaces.
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, formatter);
    serde::Serialize::serialize(&details, &mut serializer)
        .map_err(|error| Failure::because("cannot describe the image", error))?;
    json.push(b'\n');
    let exit = super::print(&String::from_utf8_lossy(&json))?;
    Ok(failures.iter().fold(exit, |_, failure| report::print(failure)))
}
