//! `builder push`.

use std::process::ExitCode;

use super::Session;
use crate::progress::{self, Mode};
use crate::report::Failure;

/// Send an image to the registry that its name has
#[derive(Debug, clap::Args)]
pub(crate) struct PushArgs {
    /// Print nothing but the name of the image
    #[arg(short, long)]
    quiet: bool,
    /// Name of the image
    image: String,
}

/// Pushes.
pub(crate) fn run(arguments: &PushArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let reference = super::reference(&arguments.image)?;
    let engine = session.engine()?;
    let mode = if arguments.quiet { Mode::Quiet } else { Mode::Auto };
    if !arguments.quiet {
        super::print(&format!("The push refers to repository [{}]\n", reference.repository()))?;
    }
    let pushing = progress::show(mode, session.environment, async |events| {
        engine.push(&reference, events).await.map_err(Failure::from_error)
    });
    let pushed = super::runtime()?.block_on(pushing)?;
    if arguments.quiet {
        return super::print(&format!("{reference}\n"));
    }
    let tag = reference.tag().unwrap_or_default();
    super::print(&format!("{tag}: digest: {} size: {}\n", pushed.digest, pushed.size))
}
