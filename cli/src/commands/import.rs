//! `builder import`.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use super::Session;
use crate::report::Failure;

/// Make an image from an archive with a root file system
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Instruction for the image's config, such as 'CMD ["bash"]' (repeatable)
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// Platform of the programs in the archive [default: the machine's; environment: DOCKER_DEFAULT_PLATFORM]
    #[arg(long)]
    platform: Option<String>,
    /// Archive, compressed or not; "-" for standard input
    #[arg(value_name = "FILE")]
    archive: String,
    /// Name of the image, "name:tag"
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Imports, and prints the id of the image.
pub(crate) fn run(arguments: &ImportArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let name = arguments.name.as_deref().map(super::reference).transpose()?;
    let platform = session.platform(arguments.platform.as_deref())?;
    let archive = open(&arguments.archive, session)?;
    let engine = session.engine()?;
    let id =
        engine.import(archive, name.as_ref(), &arguments.changes, &platform).map_err(Failure::from_error)?;
    super::print(&format!("{id}\n"))
}

/// Opens an archive that a user named; `-` is standard input, if it is no terminal.
pub(super) fn open(name: &str, session: &Session<'_>) -> Result<Box<dyn Read>, Failure> {
    if name != "-" {
        let file = File::open(session.environment.absolute(Path::new(name)));
        let file = file.map_err(|error| Failure::because(&format!("cannot open {name}"), error))?;
        return Ok(Box::new(file));
    }
    if io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "an archive is expected on standard input, which is a terminal".to_owned(),
        ));
    }
    Ok(Box::new(io::stdin()))
}
