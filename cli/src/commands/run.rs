//! `builder run`.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use engine::run::RunError;
use engine::{ContainerError, Engine, NetworkChoice, RunOptions, Stdio, StdioStream, Volume};
use image::{ImagePath, Reference};

use super::Session;
use super::names::NameArgs;
use crate::limits::LimitArgs;
use crate::privileges::PrivilegeArgs;
use crate::progress::{self, Mode};
use crate::report::{self, Failure, RUN_FAILED};
use crate::terminal;

/// Run a command in a new container
#[derive(Debug, Default, clap::Args)]
#[command(override_usage = "builder run [OPTIONS] IMAGE [COMMAND]...")]
pub(crate) struct RunArgs {
    /// Remove the container when it ends; accepted for docker's sake, since nothing is kept
    #[arg(long)]
    rm: bool,
    /// Let the command read standard input
    #[arg(short, long)]
    interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    tty: bool,
    /// Variable: "NAME=VALUE", or "NAME" for the value of the user's own (repeatable)
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// File or directory of the host in the container: "SOURCE:TARGET[:ro]" (repeatable)
    #[arg(short, long = "volume", value_name = "VOLUME")]
    volumes: Vec<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User: "NAME" or "UID", with ":GROUP" after it if need be
    #[arg(short, long)]
    user: Option<String>,
    /// Program instead of the image's; an empty one runs the command itself
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Host name
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    privileges: PrivilegeArgs,
    /// Network: bridge, isolated, none or host [default: bridge]. Bridge, or default, is an isolated one with
    /// outgoing access; where none can be made, it is the host's, with a warning, unless it is to be isolated
    #[arg(long, value_name = "MODE")]
    network: Option<String>,
    #[command(flatten)]
    names: NameArgs,
    /// Name or id of the image, and a command to run instead of the image's
    // One list, since clap goes on to look for flags between two positional arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "IMAGE [COMMAND]")]
    image_and_command: Vec<String>,
}

/// Runs; the exit code is the command's.
pub(crate) fn run(arguments: &RunArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    start(arguments, session).map_err(Failure::of_process)
}

fn start(arguments: &RunArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    if arguments.tty && arguments.interactive && !io::stdin().is_terminal() {
        let message = "cannot attach stdin to a TTY-enabled container because stdin is not a terminal";
        return Err(Failure::Run(message.to_owned(), 1));
    }
    let (image, command) = arguments.image_and_command.split_first().expect("clap requires an image");
    let options = RunOptions { command: command.to_vec(), ..options(arguments, session)? };
    let engine = session.engine()?;
    pull_if_missing(&engine, image, session)?;
    let stdin = if arguments.interactive { StdioStream::Inherit } else { StdioStream::Null };
    let stdio = Stdio { stdin, ..Stdio::inherit() };
    let signals = terminal::Signals::listen()?;
    let mut container = engine.run(image, &options, &stdio).map_err(failure)?;
    if let Some(reason) = container.shares_network() {
        let advice = engine::network_advice(reason);
        super::print_error(&format!(
            "warning: the container shares the network of this machine: {reason}\nhint: {advice}\n"
        ));
    }
    let attached = (container.killer(), container.terminal());
    let exit = terminal::attend(signals, attached, arguments.interactive, || container.wait())?;
    Ok(terminal::exit_code(exit.map_err(|error| failure(RunError::from(error)))?))
}

/// An image that the store does not have is pulled, as docker does.
fn pull_if_missing(engine: &Engine, image: &str, session: &Session<'_>) -> Result<(), Failure> {
    if engine.has_image(image).map_err(Failure::from_error)? {
        return Ok(());
    }
    let reference: Reference = super::reference(image)?;
    super::print_error(&format!("Unable to find image '{}' locally\n", reference.familiar()));
    let platform = session.platform(None)?;
    let pulling = progress::show(Mode::Auto, session.environment, async |events| {
        engine.pull(&reference, &platform, events).await.map_err(Failure::from_error)
    });
    super::runtime()?.block_on(pulling).map(drop)
}

fn options(arguments: &RunArgs, session: &Session<'_>) -> Result<RunOptions, Failure> {
    let environment = session.environment;
    let volume = |flag: &String| volume(flag, |path| environment.absolute(Path::new(path)));
    Ok(RunOptions {
        command: Vec::new(),
        entrypoint: arguments.entrypoint.clone(),
        env: arguments.env.iter().filter_map(|flag| environment.assignment(flag)).collect(),
        working_directory: arguments.workdir.clone(),
        user: arguments.user.clone(),
        volumes: arguments.volumes.iter().map(volume).collect::<Result<_, _>>()?,
        terminal: arguments.tty,
        hostname: arguments.hostname.clone(),
        limits: arguments.limits.limits()?,
        cgroup_parent: arguments.limits.cgroup_parent(),
        network: network(arguments.network.as_deref())?,
        names: arguments.names.names()?,
        privileges: arguments.privileges.privileges()?,
    })
}

fn network(flag: Option<&str>) -> Result<NetworkChoice, Failure> {
    match flag {
        None | Some("" | "default" | "bridge") => Ok(NetworkChoice::IsolatedOrHost),
        Some("isolated") => Ok(NetworkChoice::Isolated),
        Some("none") => Ok(NetworkChoice::None),
        Some("host") => Ok(NetworkChoice::Host),
        Some(other) => Err(Failure::Usage(format!(
            "network mode {other:?} not supported: use bridge, isolated, none or host"
        ))),
    }
}

/// `SOURCE:TARGET[:OPTIONS]`. A source that is no path would be a named volume.
fn volume(flag: &str, absolute: impl Fn(&str) -> std::path::PathBuf) -> Result<Volume, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("invalid volume {flag:?}: {why}"));
    let parts: Vec<&str> = flag.split(':').collect();
    let (source, target, options) = match parts[..] {
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => return Err(wrong("it is SOURCE:TARGET[:ro]")),
    };
    if !source.starts_with(['/', '.']) {
        return Err(wrong("named volumes are not supported: the source is a path that begins with / or ."));
    }
    if !target.starts_with('/') {
        return Err(wrong("the target is an absolute path"));
    }
    let mut read_only = false;
    for option in options.split(',') {
        match option {
            "ro" => read_only = true,
            // Labels for a security module that has no part in this sandbox.
            "" | "rw" | "z" | "Z" => {}
            other => return Err(wrong(&format!("unknown option {other:?}"))),
        }
    }
    Ok(Volume { source: absolute(source), target: ImagePath::new(target), read_only })
}

/// A container that did not start, with docker's exit codes.
fn failure(error: RunError) -> Failure {
    let code = match &error {
        RunError::Container(ContainerError::Sandbox { source, .. }) => report::run_code(source),
        _ => RUN_FAILED,
    };
    Failure::Run(Failure::from_error(error).to_string(), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume_of(flag: &str) -> Result<(String, String, bool), String> {
        let volume =
            volume(flag, |path| Path::new("/work").join(path)).map_err(|failure| failure.to_string())?;
        Ok((volume.source.display().to_string(), volume.target.to_string(), volume.read_only))
    }

    #[test]
    fn volumes_have_a_source_and_a_target() {
        assert_eq!(volume_of("/a:/b"), Ok(("/a".into(), "/b".into(), false)));
        assert_eq!(volume_of("./a:/b:ro"), Ok(("/work/./a".into(), "/b".into(), true)));
        assert_eq!(volume_of("/a:/b:rw,Z"), Ok(("/a".into(), "/b".into(), false)));
        for wrong in ["/a", "name:/b", "/a:b", "/a:/b:rx", "/a:/b:ro:x"] {
            assert!(volume_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_follows_the_image_is_the_command() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            run: RunArgs,
        }
        let words = ["run", "--rm", "-it", "image", "-e", "--rm", "x"];
        let line: Line = clap::Parser::try_parse_from(words).expect("right");
        assert_eq!(line.run.image_and_command, ["image", "-e", "--rm", "x"]);
        assert!(line.run.env.is_empty());
    }
}
