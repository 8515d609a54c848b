//! `RUN [flags] COMMAND`

use super::{CommandLine, MountSpec};
use crate::heredoc::Heredoc;

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
