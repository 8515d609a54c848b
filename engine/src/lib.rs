//! The composition root: everything that a command of `builder` does, as one call each.
//!
//! - [`engine`]: [`Engine`], the open state
//! - [`request`]: what a build is asked for
//! - [`build`](Engine::build): the story of a build
//! - [`check`](Engine::check), [`outline`](Engine::outline), [`targets`](Engine::targets): what a Dockerfile
//!   says of itself
//! - [`event`]: what it tells while it runs
//! - [`outcome`]: what it ends with
//! - [`error`]: why it failed
//! - [`images`]: the images of the local store
//! - [`archive`]: images out of archives
//! - [`pull`], [`push`]: images from and to registries
//! - [`run`]: containers of local images
//! - [`kept`]: failed steps, and stepping into them
//! - [`doctor`]: what works on this machine
//!
//! Inside: `contexts` (what is read from the host), `options` (from the request to the options of
//! planner and executor), `progress` (from vertices to steps), `missing` (why a source is not there),
//! `network` (what to do about a shared one), `frontend` (which language the file is in), `advice` (the lint
//! rules about files), `findings`, `changes`, `copy_out` (files out of a tree) and `export`.
#![forbid(unsafe_code)]

mod advice;
pub mod archive;
mod build;
mod call;
mod changes;
mod contexts;
mod copy_out;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod event;
mod export;
mod findings;
mod frontend;
pub mod images;
pub mod kept;
mod missing;
mod network;
mod options;
pub mod outcome;
mod progress;
pub mod pull;
pub mod push;
pub mod request;
pub mod run;

pub use doctor::examine;
pub use engine::{Engine, EngineConfig, OpenError};
pub use error::{BuildError, IgnoreRule, MissingSource, StepCause, StepError};
pub use event::{Data, Event, EventReceiver, Events, StepNumber, StepResult, Stream};
pub use network::advice as network_advice;
pub use outcome::{BuiltImage, Checked, DockerfileText, Finding, Location, Outcome, Outlined, Targets};
pub use request::{BuildRequest, Export};

/// Values of other crates that are part of this interface.
pub use copy_out::{CopyError, CopySource};
pub use executor::ssh::AgentSource;
pub use executor::{Attached, DeviceGrants, Ending, ExecError, Fault, SecretSource, SecretValue};
pub use graph::exec::Ulimit;
pub use planner::options::is_proxy_variable;
pub use runtime::command::Volume;
pub use runtime::network::NetworkChoice;
pub use runtime::surroundings::{ExtraHost, HostAddress, Names};
pub use runtime::{
    Capabilities, Container, Privileges, RunError as ContainerError, RunOptions, SnapshotterChoice,
};
pub use sandbox::cgroup::{CgroupError, Obstacle};
pub use sandbox::network::Unavailable as NetworkUnavailable;
pub use sandbox::rootless::{Identity, enter as enter_user_namespace};
pub use sandbox::signal::describe as describe_signal;
pub use sandbox::{
    Device, DeviceAccess, Exit, Killer, Limits, OutOfMemory, Resource, SandboxError, Stdio,
    Stream as StdioStream, SwapLimit,
};
pub use store::{Change, ChangeKind};

/// First call in `main`: where the process was started as the sandbox's helper, it never returns.
pub fn sandbox_init() {
    sandbox::init();
}
