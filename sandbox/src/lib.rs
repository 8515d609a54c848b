//! Run one process in an isolated root: namespaces, mounts, seccomp. The only crate with unsafe code.
//!
//! ```text
//! caller      Sandbox::spawn ──▶ Running       any process, however large and threaded
//!                │ posix_spawn of its own executable, once; an order with spec and streams over a socket
//! server      init()                           one thread, small; forks
//!                │ clone3
//! supervisor  one for each sandbox             watches caller and command
//!                │ clone3 into new namespaces
//! init        mounts, limits, filter, user     pid 1, becomes the command by execve
//! ```
//! To read it in the order of a run: [`Spec`] says what is wanted, `spawn` gives the order, `channel` is how
//! they talk, `server` forks the `supervisor`, `process` is what pid 1 does, with `mount` for its file systems,
//! `seccomp` for its filter, `ownership` for users that do not exist and `command` for what it becomes; [`cgroup`]
//! limits all of it together, `devices` keeps the host's devices from it; `sys` holds
//! the system calls that need `unsafe`. An ordinary user enters a user namespace first, see [`rootless`].
//! [`probe`] tells what of all this works on a machine.
//!
//! The program of server and supervisor cannot be written to from inside a sandbox, see `sealed`.
//!
//! Nothing is left behind, whoever dies: mounts exist only in init's mount namespace, the kernel kills init
//! with its supervisor and every process with init, and the supervisor kills init when its caller is gone. The
//! server may die without harm to what runs.

mod capability;
pub mod cgroup;
mod channel;
mod command;
mod devices;
mod error;
mod mount;
pub mod network;
mod ownership;
pub mod probe;
mod process;
pub mod program;
mod rlimit;
pub mod rootless;
mod sealed;
mod seccomp;
mod server;
pub mod signal;
mod spawn;
mod spec;
mod supervisor;
mod sys;
mod wire;

pub use capability::{Capability, CapabilitySet, UnknownCapability};
pub use cgroup::{Cgroup, Incidents, Limits, OutOfMemory, SwapLimit};
pub use devices::{Device, DeviceAccess, DeviceKind, Devices, InvalidAccess};
pub use error::{IdKind, SandboxError, Stage};
pub use network::{NetworkNamespace, Networks};
pub use program::{Machine, Program};
pub use rlimit::{Resource, Rlimit, UnknownResource};
pub use server::init;
pub use spawn::{Exit, Killer, Running, Sandbox, Stdio, Stream};
pub use spec::{
    KernelFiles, MOUNT_POINTS, Mount, MountKind, Network, Overlay, Owner, Ownership, Process, Root, Seccomp,
    Spec,
};
