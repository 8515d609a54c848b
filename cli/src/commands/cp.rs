//! `builder cp`.

use std::path::PathBuf;
use std::process::ExitCode;

use engine::CopySource;

use super::Session;
use crate::report::Failure;

/// Copy files that a failed step left to the host
///
/// By the rules of "docker cp": a directory goes into a directory that is there, with its own name; with "/." at
/// the end its content does.
#[derive(Debug, clap::Args)]
pub(crate) struct CpArgs {
    /// Copy what a link leads to, if the source is one
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// What is copied: "STEP:PATH", or ":PATH" of the latest failed step
    #[arg(value_name = "STEP:PATH")]
    source: String,
    /// Where it goes: a path, or "-" for an archive on standard output
    #[arg(value_name = "PATH")]
    destination: String,
}

/// One side of a copy, as docker reads it.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    /// Inside of something that has a name; an empty one is the latest failed step.
    Inside { name: &'a str, path: &'a str },
    /// On the host.
    Host(&'a str),
    /// An archive on a standard stream.
    Archive,
}

impl<'a> Place<'a> {
    fn parse(text: &'a str) -> Self {
        match text.split_once(':') {
            _ if text == "-" => Self::Archive,
            // What looks like a path is one, whatever its name has.
            _ if text.starts_with(['/', '.']) => Self::Host(text),
            Some((name, path)) => Self::Inside { name, path },
            None => Self::Host(text),
        }
    }
}

/// Copies.
pub(crate) fn run(arguments: &CpArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let usage = |message: &str| Err(Failure::Usage(message.to_owned()));
    let (name, path) = match Place::parse(&arguments.source) {
        Place::Inside { path: "", .. } => return usage("the source needs a path: STEP:PATH"),
        Place::Inside { name, path } => (name, path),
        Place::Host(_) | Place::Archive => {
            return usage(
                "the source is a path in a failed step, STEP:PATH: what a step left stays as it is",
            );
        }
    };
    let destination = match Place::parse(&arguments.destination) {
        Place::Host(path) => Some(session.environment.absolute(&PathBuf::from(path))),
        Place::Archive => None,
        Place::Inside { .. } => return usage("copying between steps is not supported"),
    };
    let engine = session.engine()?;
    let step = engine.kept_step(Some(name).filter(|name| !name.is_empty())).map_err(Failure::kept)?;
    let source = CopySource { path: path.to_owned(), follow_link: arguments.follow_link };
    match destination {
        Some(destination) => step.copy_to(&source, &destination),
        None => step.archive(&source),
    }
    .map_err(Failure::kept)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_docker_does() {
        let inside = |name, path| Place::Inside { name, path };
        assert_eq!(Place::parse("4f2a:/a:b"), inside("4f2a", "/a:b"));
        assert_eq!(Place::parse(":/a"), inside("", "/a"));
        assert_eq!(Place::parse("4f2a:"), inside("4f2a", ""));
        assert_eq!(Place::parse("./a:b"), Place::Host("./a:b"));
        assert_eq!(Place::parse("/a:b"), Place::Host("/a:b"));
        assert_eq!(Place::parse("a"), Place::Host("a"));
        assert_eq!(Place::parse("-"), Place::Archive);
    }
}
