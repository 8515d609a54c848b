//! The instructions: one file each, with the struct that it becomes and its parser.

mod add;
mod arg;
mod cmd;
mod copy;
mod entrypoint;
mod env;
mod expose;
mod from;
mod healthcheck;
mod label;
mod maintainer;
mod mount;
mod onbuild;
mod run;
mod shell;
mod stopsignal;
mod user;
mod volume;
mod workdir;

pub use add::Add;
pub use arg::{Arg, ArgDefinition};
pub use cmd::Cmd;
pub use copy::{Copy, CopySource, InlineFile};
pub use entrypoint::Entrypoint;
pub use env::{Env, KeyValue, KeyValueForm};
pub use expose::Expose;
pub use from::{From, StageName};
pub use healthcheck::{Healthcheck, Probe};
pub use label::Label;
pub use maintainer::Maintainer;
pub use mount::{
    BindMount, CacheMount, FileAttributes, Mount, MountOption, MountSpec, SecretMount, Sharing, SshMount,
    TmpfsMount,
};
pub use onbuild::Onbuild;
pub use run::{Device, Network, Run, RunCommand, Security};
pub use shell::Shell;
pub use stopsignal::StopSignal;
pub use user::User;
pub use volume::Volume;
pub use workdir::Workdir;

use crate::Span;

/// Text in which no variable is replaced, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The text, quotes and escapes resolved.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A command of RUN, CMD, ENTRYPOINT or HEALTHCHECK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// A script for the shell of the stage, here-documents put back into it.
    Shell(String),
    /// A JSON array: program and arguments, run without a shell.
    Exec(Vec<String>),
}

/// How a list of arguments was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentForm {
    /// Words parted by blanks.
    Words,
    /// A JSON array of strings.
    Json,
}
