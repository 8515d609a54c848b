//! Run one process in an isolated root: namespaces, mounts, seccomp. The only crate with unsafe code.
mod capability;
mod channel;
mod command;
mod error;
mod init;
mod mount;
mod process;
mod rlimit;
pub mod rootless;
mod seccomp;
mod spawn;
mod spec;
mod sys;
mod wire;

pub use capability::{Capability, CapabilitySet, UnknownCapability};
pub use error::{IdKind, SandboxError, Stage};
pub use init::init;
pub use rlimit::{Resource, Rlimit, UnknownResource};
pub use spawn::{Exit, Killer, Running, Sandbox, Stdio, Stream};
pub use spec::{
    DOCKER_MASKED_PATHS, DOCKER_READ_ONLY_PATHS, MOUNT_POINTS, Mount, MountKind, Network, Overlay, Process,
    Rootfs, Seccomp, Spec,
};
