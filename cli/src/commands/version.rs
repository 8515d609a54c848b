//! `builder version`.

use std::process::ExitCode;

use image::Platform;

use crate::report::Failure;

/// Show the version
#[derive(Debug, clap::Args)]
pub(crate) struct VersionArgs {}

/// Prints it.
pub(crate) fn run(_: &VersionArgs) -> Result<ExitCode, Failure> {
    super::print(&format!("builder {} {}\n", env!("CARGO_PKG_VERSION"), Platform::host()))
}
