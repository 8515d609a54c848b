//! `builder build`.

mod call;
mod context;
mod limits;
mod metadata;
mod output;
mod request;
pub(super) mod session;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use call::Call;

use engine::kept::visit::{Moment, Program};
use engine::request::OnFailure;
use engine::{BuildError, Engine};

use super::Session;
use super::names::NameArgs;
use super::visit::{self, Entry, Given};
use crate::environment::Environment;
use crate::limits::LimitArgs;
use crate::progress::{self, Mode};
use crate::report::{self, Failure};

/// Build an image from a Dockerfile
#[derive(Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, clippy::struct_field_names, reason = "the flags are docker's")]
pub(crate) struct BuildArgs {
    /// Name of the image, "name:tag" (repeatable)
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    tags: Vec<String>,
    /// Dockerfile: a file, a URL, or "-" for standard input [default: Dockerfile in the context]
    #[arg(short = 'f', long, value_name = "PATH")]
    file: Option<String>,
    /// Value for an ARG; without "=" the value of the environment variable of that name (repeatable)
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    build_args: Vec<String>,
    /// Stage to build [default: the last one]
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// Platforms to build for, separated by commas [environment: DOCKER_DEFAULT_PLATFORM]
    #[arg(long = "platform", value_name = "PLATFORM", value_delimiter = ',')]
    platforms: Vec<String>,
    /// Run every step, whatever the cache has
    #[arg(long)]
    no_cache: bool,
    /// Run every step of these stages, separated by commas
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    no_cache_filter: Vec<String>,
    /// Look for newer versions of base images at their registries
    #[arg(long)]
    pull: bool,
    /// Secret for RUN --mount=type=secret: "id=ID[,src=FILE|,env=VARIABLE]" (repeatable)
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<String>,
    /// Agent for RUN --mount=type=ssh: "default", "ID=SOCKET", or "ID=KEY[,KEY]" with
    /// files of private keys (repeatable)
    #[arg(long = "ssh", value_name = "AGENT")]
    ssh: Vec<String>,
    /// Further context "NAME=VALUE" with a directory, a git or http URL, docker-image://IMAGE,
    /// oci-layout://DIRECTORY[:TAG] or target:STAGE (repeatable)
    #[arg(long = "build-context", value_name = "CONTEXT")]
    build_contexts: Vec<String>,
    /// Where the result goes: "type=TYPE[,dest=PATH]" with one of image, registry, docker, oci, tar,
    /// local, cacheonly; a directory; or "-" for an archive on standard output (repeatable)
    #[arg(short = 'o', long = "output", value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Push the image to the registries of its names; the same as --output=type=registry
    #[arg(long)]
    push: bool,
    /// Put the image into the local store; the same as --output=type=docker
    #[arg(long)]
    load: bool,
    /// How progress is shown [default: auto; environment: BUILDKIT_PROGRESS]
    #[arg(long, value_name = "MODE")]
    progress: Option<Mode>,
    /// File for the id of the image
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// File for a description of the result as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Label for the image: "NAME=VALUE" (repeatable)
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    #[command(flatten)]
    names: NameArgs,
    /// Network of RUN steps: default, isolated, none, host. The default is an isolated one with outgoing
    /// access; where none can be made, it is the host's, and the build says so, unless it is to be isolated
    #[arg(long, value_name = "MODE")]
    network: Option<String>,
    /// Size of /dev/shm for RUN steps [default: 64m]
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Resource limit for RUN steps: "NAME=SOFT[:HARD]" (repeatable)
    #[arg(long = "ulimit", value_name = "LIMIT")]
    ulimits: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Limit for each RUN step: "NAME=VALUE" with one of memory, memory-swap, cpu-shares, cpu-period, cpu-quota,
    /// cpuset-cpus, cpuset-mems, cpus, pids-limit; the same as the flags of these names (repeatable)
    #[arg(long = "resource", value_name = "LIMIT")]
    resources: Vec<String>,
    /// What RUN steps may ask for: network.host, security.insecure, device, "device=NAME" (repeatable)
    #[arg(long, value_name = "ENTITLEMENT", value_delimiter = ',')]
    allow: Vec<String>,
    /// What happens when a RUN fails: keep what it left, for builder shell; open a shell there at once, on a
    /// terminal; or drop it
    #[arg(long, value_name = "ACTION", default_value = "keep")]
    on_fail: OnFail,
    /// How many failed steps are kept, of all builds together
    #[arg(long, value_name = "NUMBER", default_value_t = OnFailure::default().kept)]
    keep_failures: usize,
    /// What to copy out of a RUN that fails: "SOURCE:DESTINATION", a path in the image and one on the host
    /// (repeatable)
    #[arg(long, value_name = "PATHS")]
    export_on_failure: Vec<String>,
    /// What to do: "build", or without building "check", "outline", "targets" or
    /// "subrequests.describe"; each with ",format=json", check with ",format=sarif" and ",ignorestatus" too
    #[arg(long, alias = "print", value_name = "METHOD", default_value = "build", hide_default_value = true)]
    call: String,
    /// Check the Dockerfile by the rules for Dockerfiles; the same as --call=check
    #[arg(
        long,
        value_name = "BOOLEAN",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = boolean,
        overrides_with = "call",
        hide_possible_values = true
    )]
    check: Option<bool>,
    /// Print nothing but the id of the image
    #[arg(short = 'q', long)]
    quiet: bool,
    /// What the Dockerfile copies from: a directory, a git URL with "#BRANCH:DIRECTORY", an http URL of
    /// an archive, or "-" for an archive or a Dockerfile on standard input
    #[arg(value_name = "CONTEXT")]
    context: String,
}

/// What happens when a `RUN` fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum OnFail {
    /// What it left is kept.
    #[default]
    Keep,
    /// It is kept, and a shell is opened there.
    Shell,
    /// It is dropped.
    Drop,
}

/// Builds.
pub(crate) fn run(arguments: BuildArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let environment = session.environment;
    let mode = if arguments.quiet { Mode::Quiet } else { Mode::choose(arguments.progress, environment) };
    let iidfile = arguments.iidfile.as_deref().map(|path| environment.absolute(path));
    let metadata_file = arguments.metadata_file.as_deref().map(|path| environment.absolute(path));
    let call = if arguments.check == Some(true) { "check" } else { arguments.call.as_str() };
    let call = Call::parse(call)?;
    let opens_shell = arguments.on_fail == OnFail::Shell && visit::is_interactive();
    let request = arguments.into_request(environment, io::stdin())?;
    let given = Given { secrets: request.secrets.clone(), ssh_agents: request.ssh_agents.clone() };

    let engine = session.engine()?;
    if let Some(call) = call {
        return call.run(&engine, request, environment);
    }
    let building =
        progress::show(mode, environment, async |events| Ok(engine.build(request, events).await?));
    let outcome = match super::runtime()?.block_on(building) {
        Err(failure) if opens_shell => return Ok(step_in(&engine, &failure, given, environment)),
        outcome => outcome?,
    };

    if let Some(path) = iidfile {
        metadata::write_image_id(&path, &outcome)?;
    }
    if let Some(path) = metadata_file {
        metadata::write_metadata(&path, &outcome)?;
    }
    if mode == Mode::Quiet {
        let ids = outcome.images.iter().map(|image| format!("{}\n", image.id));
        return super::print(&ids.collect::<String>());
    }
    if mode != Mode::None && mode != Mode::Rawjson {
        report::print_warnings(&outcome);
    }
    Ok(ExitCode::SUCCESS)
}

/// Reports the failure of a build and opens a shell in the step that failed, if it was one; the exit code of the
/// build.
fn step_in(engine: &Engine, failure: &Failure, given: Given, environment: &Environment) -> ExitCode {
    let exit = report::print(failure);
    let Failure::Build(error) = failure else { return exit };
    let BuildError::Step(step) = &**error else { return exit };
    let Some(id) = &step.remains.kept else { return exit };
    let opened = engine.kept_step(Some(id)).map_err(Failure::from).and_then(|step| {
        let entry = Entry { step: &step, moment: Moment::After, program: Program::Shell, with: None };
        visit::run(engine, entry, given, true, environment)
    });
    if let Err(failure) = opened {
        report::print(&failure);
    }
    exit
}

/// A truth value as docker's flags take it.
fn boolean(text: &str) -> Result<bool, &'static str> {
    parser::go::parse_bool(text).ok_or("not a boolean")
}
