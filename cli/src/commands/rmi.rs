//! `builder rmi`.

use std::process::ExitCode;

use engine::images::{ImageError, Removed};

use super::Session;
use crate::report::{self, Failure};

/// Remove names of images, and images that have none left
#[derive(Debug, clap::Args)]
pub(crate) struct RmiArgs {
    /// Remove an image by its id with all its names; ignore images that do not exist
    #[arg(short, long)]
    force: bool,
    /// Names or ids of images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

/// Removes one after the other; one that fails does not keep the others.
pub(crate) fn run(arguments: &RmiArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let engine = session.engine()?;
    let mut exit = ExitCode::SUCCESS;
    for name in &arguments.images {
        match engine.remove_image(name, arguments.force) {
            Ok(removed) => {
                super::print(&removed.iter().map(line).collect::<String>())?;
            }
            Err(error) => {
                let harmless = arguments.force && matches!(error, ImageError::NotFound(_));
                let failed = report::print(&Failure::from_error(error));
                if !harmless {
                    exit = failed;
                }
            }
        }
    }
    Ok(exit)
}

fn line(removed: &Removed) -> String {
    match removed {
        Removed::Untagged(name) => format!("Untagged: {}\n", name.familiar()),
        Removed::Deleted(id) => format!("Deleted: {id}\n"),
    }
}
