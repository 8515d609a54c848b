//! What can go wrong, on both sides of the control socket.
//!
//! The supervisor reports a [`Failure`], which is plain data; the caller sees a [`SandboxError`], made from it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::cgroup::CgroupError;
use crate::program::{Machine, Program};
use crate::rootless::Blocker;
use crate::wire;

/// Why a process could not be run in a sandbox. A process that ran and failed is no error, but an
/// [`Exit`](crate::Exit).
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The helper executable could not be started.
    #[error("cannot start the sandbox helper {}", helper.display())]
    StartHelper {
        /// The executable.
        helper: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The caller's side of the conversation with the helper failed.
    #[error("cannot {attempt} the sandbox helper")]
    Channel {
        /// What was attempted, for example `send the specification to`.
        attempt: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The supervisor ended before it reported how the process ended; the process tree is gone with it.
    #[error("the sandbox helper ended unexpectedly{}", status_suffix(*status))]
    HelperLost {
        /// How it ended, if that is known.
        status: Option<ExitStatus>,
    },
    /// A step of the preparation failed; the process never ran.
    #[error("cannot {stage} {object}{}", detail_suffix(detail.as_deref()))]
    Setup {
        /// What was attempted.
        stage: Stage,
        /// On what: a path, a name, a number.
        object: String,
        /// The kernel's own explanation where it gives one (the mount API does).
        detail: Option<String>,
        /// What the kernel said.
        source: io::Error,
    },
    /// No file of that name is in the directories of `PATH` or, for a command with a `/`, at that path.
    #[error("command not found: {command}")]
    CommandNotFound {
        /// The first argument as given.
        command: String,
        /// The directories that were searched, colon separated; `None` for a command with a `/`.
        searched: Option<String>,
    },
    /// The file of the command is there, but is a directory or lacks execute permission.
    #[error("command is not executable: {}", path.display())]
    CommandNotExecutable {
        /// The file, inside the root.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file is there, but the program that must run it is not.
    #[error("interpreter {} of {} is missing", interpreter.display().to_string().escape_debug(), path.display())]
    MissingInterpreter {
        /// The file, inside the root.
        path: PathBuf,
        /// The program that its `#!` line or its ELF header names.
        interpreter: PathBuf,
    },
    /// The kernel knows no way to run this file: another architecture, an empty file, a script without `#!`.
    #[error("exec format error: {} {}", path.display(), what_it_is(program))]
    ExecFormat {
        /// The file, inside the root.
        path: PathBuf,
        /// What it is.
        program: Program,
    },
    /// The working directory is missing, no directory, or closed to the user.
    #[error("cannot change to the working directory {}", path.display())]
    WorkingDirectory {
        /// The directory, inside the root.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The user namespace has no such id, so no process can have it.
    #[error("{kind} {id} is not mapped in this user namespace")]
    UnmappedId {
        /// `uid` or `gid`.
        kind: IdKind,
        /// The id that was asked for.
        id: u32,
    },
    /// A limit for all processes of the sandbox, or their control group, cannot be had.
    #[error(transparent)]
    Cgroup(CgroupError),
    /// An ordinary user may not make a user namespace here.
    #[error("cannot enter a user namespace{}", blockers_suffix(blockers))]
    UserNamespace {
        /// Settings of this machine that forbid it, as far as they can be read.
        blockers: Vec<Blocker>,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Which kind of id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdKind {
    /// A user id.
    User,
    /// A group id.
    Group,
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "uid",
            Self::Group => "gid",
        })
    }
}

/// A step of the preparation. Displayed as a verb phrase that the object follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Receiving and decoding the specification.
    ReadSpec,
    /// Entering the network namespace that the caller has chosen.
    Network,
    /// Creating the namespaces together with the init process.
    Namespaces,
    /// Cutting mount propagation between the host and the new mount namespace.
    Propagation,
    /// Mounting the root file system.
    Root,
    /// Opening the source of a bind mount.
    Source,
    /// Finding a mount point inside the root.
    MountPoint,
    /// Mounting inside the root.
    Mount,
    /// Making a device node or a link in `/dev`.
    Device,
    /// Masking a path.
    Mask,
    /// Making a path read-only.
    ReadOnly,
    /// Setting the host name.
    Hostname,
    /// Bringing up the loopback interface.
    Loopback,
    /// Changing the root.
    Pivot,
    /// Setting a limit.
    Limit,
    /// Opening the pseudo terminal.
    Terminal,
    /// Attaching the standard streams.
    Streams,
    /// Changing user and groups.
    Identity,
    /// Dropping capabilities.
    Capabilities,
    /// Installing the system call filter.
    Seccomp,
    /// Replacing the init process by the command.
    Execute,
    /// Watching the process and the caller.
    Supervise,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadSpec => "read the specification from",
            Self::Network => "enter the network",
            Self::Namespaces => "create the namespaces",
            Self::Propagation => "stop mount propagation at",
            Self::Root => "mount the root file system from",
            Self::Source => "open the mount source",
            Self::MountPoint => "find the mount point",
            Self::Mount => "mount on",
            Self::Device => "make the device",
            Self::Mask => "mask",
            Self::ReadOnly => "make read-only",
            Self::Hostname => "set the host name",
            Self::Loopback => "bring up the interface",
            Self::Pivot => "change the root to",
            Self::Limit => "set the limit",
            Self::Terminal => "open the terminal",
            Self::Streams => "attach the standard streams to",
            Self::Identity => "become",
            Self::Capabilities => "drop the capability",
            Self::Seccomp => "install the system call filter",
            Self::Execute => "execute",
            Self::Supervise => "supervise",
        })
    }
}

fn status_suffix(status: Option<ExitStatus>) -> String {
    status.map_or_else(String::new, |status| format!(" ({status})"))
}

/// Why the kernel does not run such a file.
fn what_it_is(program: &Program) -> String {
    match (program, Machine::HOST) {
        (Program::Binary(machine) | Program::Linked { machine, .. }, Some(host)) if *machine != host => {
            format!("is a program for {machine}, this machine is {host}")
        }
        (Program::Binary(_) | Program::Linked { .. }, _) => "is a damaged program".to_owned(),
        (Program::Script { .. }, _) => "has an interpreter that is no program".to_owned(),
        (Program::Text, _) => "is a text without a #! line".to_owned(),
        (Program::Empty, _) => "is an empty file".to_owned(),
        (Program::Data, _) => "is no program".to_owned(),
    }
}

fn detail_suffix(detail: Option<&str>) -> String {
    detail.map_or_else(String::new, |text| format!(" ({text})"))
}

fn blockers_suffix(blockers: &[Blocker]) -> String {
    if blockers.is_empty() {
        return String::new();
    }
    let names: Vec<String> = blockers.iter().map(ToString::to_string).collect();
    format!(" ({})", names.join(", "))
}

/// What a supervisor tells the caller when the process cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure {
    Setup {
        stage: Stage,
        object: String,
        detail: Option<String>,
        errno: i32,
    },
    CommandNotFound {
        command: String,
        searched: Option<String>,
    },
    CommandNotExecutable {
        #[serde(with = "wire::one")]
        path: PathBuf,
        errno: i32,
    },
    MissingInterpreter {
        #[serde(with = "wire::one")]
        path: PathBuf,
        #[serde(with = "wire::one")]
        interpreter: PathBuf,
    },
    ExecFormat {
        #[serde(with = "wire::one")]
        path: PathBuf,
        program: Program,
    },
    WorkingDirectory {
        #[serde(with = "wire::one")]
        path: PathBuf,
        errno: i32,
    },
    UnmappedId {
        kind: IdKind,
        id: u32,
    },
    Cgroup(CgroupError),
}

impl From<CgroupError> for Failure {
    fn from(error: CgroupError) -> Self {
        Self::Cgroup(error)
    }
}

impl Failure {
    /// A failed preparation step.
    pub(crate) fn setup(stage: Stage, object: impl fmt::Display, errno: Errno) -> Self {
        Self::Setup { stage, object: object.to_string(), detail: None, errno: errno.raw_os_error() }
    }
}

/// Names the stage and the object of a failed system call.
pub(crate) trait At<T> {
    fn at(self, stage: Stage, object: impl fmt::Display) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, stage: Stage, object: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|errno| Failure::setup(stage, object, errno))
    }
}

impl<T> At<T> for io::Result<T> {
    fn at(self, stage: Stage, object: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            let detail = error.raw_os_error().is_none().then(|| error.to_string());
            let object = object.to_string();
            Failure::Setup { stage, object, detail, errno: errno.raw_os_error() }
        })
    }
}

impl From<Failure> for SandboxError {
    fn from(failure: Failure) -> Self {
        let os = io::Error::from_raw_os_error;
        match failure {
            Failure::Setup { stage, object, detail, errno } => {
                Self::Setup { stage, object, detail, source: os(errno) }
            }
            Failure::CommandNotFound { command, searched } => Self::CommandNotFound { command, searched },
            Failure::CommandNotExecutable { path, errno } => {
                Self::CommandNotExecutable { path, source: os(errno) }
            }
            Failure::MissingInterpreter { path, interpreter } => {
                Self::MissingInterpreter { path, interpreter }
            }
            Failure::ExecFormat { path, program } => Self::ExecFormat { path, program },
            Failure::WorkingDirectory { path, errno } => Self::WorkingDirectory { path, source: os(errno) },
            Failure::UnmappedId { kind, id } => Self::UnmappedId { kind, id },
            Failure::Cgroup(error) => Self::Cgroup(error),
        }
    }
}
