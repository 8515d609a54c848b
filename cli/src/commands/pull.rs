//! `builder pull`.

use std::process::ExitCode;

use super::Session;
use crate::progress::{self, Mode};
use crate::report::Failure;

/// Fetch an image from its registry
#[derive(Debug, clap::Args)]
pub(crate) struct PullArgs {
    /// Platform of the image [default: the machine's; environment: DOCKER_DEFAULT_PLATFORM]
    #[arg(long)]
    platform: Option<String>,
    /// Print nothing but the name of the image
    #[arg(short, long)]
    quiet: bool,
    /// Name of the image
    image: String,
}

/// Pulls.
pub(crate) fn run(arguments: &PullArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let reference = super::reference(&arguments.image)?;
    let platform = session.platform(arguments.platform.as_deref())?;
    let engine = session.engine()?;
    let mode = if arguments.quiet { Mode::Quiet } else { Mode::Auto };
    let pulling = progress::show(mode, session.environment, async |events| {
        engine.pull(&reference, &platform, events).await.map_err(Failure::from_error)
    });
    let pulled = super::runtime()?.block_on(pulling)?;
    if arguments.quiet {
        return super::print(&format!("{reference}\n"));
    }
    let status = if pulled.is_newer { "Downloaded newer image for" } else { "Image is up to date for" };
    let familiar = reference.familiar();
    super::print(&format!("Digest: {}\nStatus: {status} {familiar}\n{reference}\n", pulled.digest))
}
