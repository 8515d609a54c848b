//! `RUN [flags] COMMAND`

use super::flags::{Flags, Takes};
use super::request::Arguments;
use super::{CommandLine, Literal, MountSpec, Request};
use crate::diagnostic::{Code, Diagnostic};
use crate::go::parse_bool;
use crate::grammar;
use crate::heredoc::{self, Heredoc, Marker};
use crate::suggest::did_you_mean;

/// RUN
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// `--mount=`, each
    pub mounts: Vec<MountSpec>,
    /// `--network=`
    pub network: Network,
    /// `--security=`
    pub security: Security,
    /// `--device=`, each
    pub devices: Vec<Device>,
    /// What to run.
    pub command: RunCommand,
    /// The here-documents of the line, already part of [`command`](Run::command).
    pub heredocs: Vec<Heredoc>,
}

/// What a RUN executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunCommand {
    /// A command.
    Line(CommandLine),
    /// A here-document that stands alone and starts with `#!`: a file to execute, without a shell.
    File {
        /// The name of the here-document and of the file.
        name: String,
        /// The file.
        content: String,
    },
}

/// The network of a RUN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// `default`: whatever the build as a whole has
    #[default]
    Default,
    /// `none`: only a loopback interface
    None,
    /// `host`: that of the machine
    Host,
}

/// The confinement of a RUN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// `sandbox`
    #[default]
    Sandbox,
    /// `insecure`: all capabilities, no seccomp filter
    Insecure,
}

/// A CDI device of a RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `vendor.com/class=name`, or a class.
    pub name: String,
    /// Whether the build fails without it.
    pub required: bool,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Run> {
    let flags = request.read_flags(&[
        ("mount", Takes::Values),
        ("network", Takes::Value),
        ("security", Takes::Value),
        ("device", Takes::Values),
    ]);
    let mounts = flags.literals("mount");
    let mounts = mounts.iter().filter_map(|mount| collect(MountSpec::parse(mount, request.escape), request));
    let mounts = mounts.collect();
    let devices = flags.literals("device");
    let devices = devices.iter().filter_map(|device| collect(Device::parse(device), request)).collect();
    let network = network(request, &flags);
    let security = security(request, &flags);
    let command = match request.command_arguments(request.arguments)? {
        Arguments::Json(strings) => RunCommand::Line(CommandLine::Exec(strings)),
        Arguments::Text(text) => with_heredocs(text, &request.heredocs),
    };
    let heredocs = request.heredocs.clone();
    Some(Run { mounts, network, security, devices, command, heredocs })
}

fn collect<T>(result: Result<T, Diagnostic>, request: &mut Request<'_>) -> Option<T> {
    result.map_err(|diagnostic| request.diagnostics.push(diagnostic)).ok()
}

/// A here-document that stands alone is the script; otherwise the shell gets the line and all documents
/// as they were written.
fn with_heredocs(text: String, heredocs: &[Heredoc]) -> RunCommand {
    let Some(first) = heredocs.first() else { return RunCommand::Line(CommandLine::Shell(text)) };
    if Marker::parse(&text).is_some() {
        let content = first.text();
        if content.starts_with("#!") {
            return RunCommand::File { name: first.name.clone(), content };
        }
        return RunCommand::Line(CommandLine::Shell(content));
    }
    RunCommand::Line(CommandLine::Shell(heredoc::put_back(text, heredocs)))
}

fn network(request: &mut Request<'_>, flags: &Flags) -> Network {
    let Some(value) = flags.literal("network") else { return Network::default() };
    match value.text.as_str() {
        "default" => Network::Default,
        "none" => Network::None,
        "host" => Network::Host,
        other => {
            let message = format!("invalid network mode {other:?}");
            invalid_choice(request, &value, message, &["default", "none", "host"]);
            Network::default()
        }
    }
}

fn security(request: &mut Request<'_>, flags: &Flags) -> Security {
    let Some(value) = flags.literal("security") else { return Security::default() };
    match value.text.as_str() {
        "sandbox" => Security::Sandbox,
        "insecure" => Security::Insecure,
        other => {
            let message = format!("security {other:?} is not valid");
            invalid_choice(request, &value, message, &["sandbox", "insecure"]);
            Security::default()
        }
    }
}

fn invalid_choice(request: &mut Request<'_>, value: &Literal, message: String, choices: &[&str]) {
    let help = did_you_mean(&value.text, choices.iter().copied());
    let help = help.unwrap_or_else(|| format!("it can be {}", choices.join(", ")));
    let error = Diagnostic::error(Code::InvalidFlagValue, value.span, message);
    request.diagnostics.push(error.with_help(help));
}

impl Device {
    /// Reads `NAME[,required]`, or the same with `name=` and `required=`.
    fn parse(flag: &Literal) -> Result<Device, Diagnostic> {
        let error = |message: String| Diagnostic::error(Code::InvalidFlagValue, flag.span, message);
        let fields = grammar::csv(&flag.text).filter(|_| !flag.text.is_empty());
        let fields = fields.ok_or_else(|| error("failed to parse csv devices".to_owned()))?;
        let mut device = Device { name: String::new(), required: false };
        for (field, _) in fields {
            let (key, value) = match field.split_once('=') {
                Some((key, value)) => (key.to_lowercase(), Some(value)),
                None => (field.to_lowercase(), None),
            };
            match (key.as_str(), value) {
                ("required", None) => device.required = true,
                ("required", Some(value)) => {
                    let invalid = || error(format!("invalid value for required: {value}"));
                    device.required = parse_bool(value).ok_or_else(invalid)?;
                }
                ("name", Some(value)) if device.name.is_empty() => value.clone_into(&mut device.name),
                ("name", Some(_)) => {
                    return Err(error(format!("device name already set to {}", device.name)));
                }
                _ if device.name.is_empty() => device.name = field,
                (_, None) => {
                    return Err(error(format!("invalid field '{field}' must be a key=value pair")));
                }
                (key, Some(_)) => {
                    let mut unexpected = error(format!("unexpected key '{key}' in '{field}'"));
                    unexpected.help = did_you_mean(key, ["name", "required"]);
                    return Err(unexpected);
                }
            }
        }
        Ok(device)
    }
}
