//! Limits for all processes of a sandbox together: control groups, version 1, version 2, or both side by side.
//!
//! ```text
//! PARENT                                the caller's own cgroup (v1), the one around it (v2), or a given one
//! └── builder-<pid>-<number>            one for each sandbox, locked by the supervisor <pid>
//! ```
//! A group is made for a [`Spec`](crate::Spec) that asks for a limit or a parent, in the hierarchies whose
//! controllers are needed. The supervisor makes it before init exists; in version 2 init begins there, in version 1
//! it is put there before it does anything. The supervisor reads what the kernel counted when init is gone, and
//! removes the group. Groups without limits, from which [`devices`](crate::devices) are kept, lie below the caller's
//! own group of version 2, and that of the server serves all sandboxes that need no other.
//!
//! Init gets its cgroup namespace when it is in its group, so that it sees that group as the root.
//!
//! The supervisor holds a lock (flock(2)) on the directory for as long as it lives. The kernel takes the lock
//! away from one that was killed, in whatever pid namespace it lived; whoever makes a group next below the same
//! parent removes those that nobody locks ([`group`]). Parents that had to be made stay, empty.
//!
//! Version 1 has a hierarchy of directories for each controller, and processes anywhere in it. Version 2 has
//! one for all controllers, with two rules that matter here: a group hands controllers to its children only
//! where its `cgroup.subtree_control` says so, and a group that does so has no processes of its own. So below
//! the caller's own group there can be no limits; its siblings can have them. Which hierarchies there are, and
//! where, is told by `/proc/self/mountinfo` and `/proc/self/cgroup` ([`hierarchy`]).

mod counters;
mod group;
mod hierarchy;
mod settings;
mod support;

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::wire;

pub use counters::{Incidents, OutOfMemory};
pub use support::{ControllerSupport, Support, Version, check, support};

pub(crate) use counters::{Watch, prepare};
pub(crate) use group::Group;

/// The group that a sandbox gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// The group below which it is made, from the root of the hierarchies: `/ci/builds`. A bare name that ends
    /// in `.slice` is a unit of systemd: `a-b.slice` is `/a.slice/a-b.slice`. None chooses one.
    pub parent: Option<String>,
    /// The limits.
    pub limits: Limits,
}

/// Limits for all processes of a sandbox together. What is none is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory, page cache and tmpfs included.
    pub memory: Option<u64>,
    /// Memory and swap together; twice the memory where only that is limited, as in Docker.
    pub memory_and_swap: Option<SwapLimit>,
    /// Weight against other groups when processors are scarce; 1024 is what every group has by default.
    pub cpu_shares: Option<u64>,
    /// Microseconds of the period that the quota is for; the kernel's default is 100 ms.
    pub cpu_period: Option<u64>,
    /// Microseconds of processor time in each period.
    pub cpu_quota: Option<u64>,
    /// Processors, as a list of numbers and ranges: `0-2,5`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes, in the same form.
    pub cpuset_mems: Option<String>,
    /// How many processes and threads there can be at once.
    pub pids: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The controllers that the limits need, each with what it is needed for.
    fn needs(&self) -> Vec<(Controller, &'static str)> {
        let memory = (self.memory.is_some(), Controller::Memory, "memory limit");
        let swap = (self.memory_and_swap.is_some(), Controller::Memory, "swap limit");
        let shares = (self.cpu_shares.is_some(), Controller::Cpu, "cpu shares");
        let quota = self.cpu_quota.is_some() || self.cpu_period.is_some();
        let quota = (quota, Controller::Cpu, "cpu quota");
        let set = self.cpuset_cpus.is_some() || self.cpuset_mems.is_some();
        let set = (set, Controller::Cpuset, "cpuset");
        let pids = (self.pids.is_some(), Controller::Pids, "pids limit");
        let all = [memory, swap, shares, quota, set, pids];
        all.into_iter()
            .filter(|(needed, ..)| *needed)
            .map(|(_, controller, what)| (controller, what))
            .collect()
    }
}

/// A limit for memory and swap together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SwapLimit {
    /// Bytes of both together.
    Total(u64),
    /// As much swap as there is.
    Unlimited,
}

/// What a kind of limits needs of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Controller {
    /// Memory and swap.
    Memory,
    /// Processor time.
    Cpu,
    /// Which processors and memory nodes are used.
    Cpuset,
    /// The number of processes.
    Pids,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Cpu, Self::Cpuset, Self::Pids];

    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Cpuset => "cpuset",
            Self::Pids => "pids",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A limit, or a parent, that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what} cannot be set: {obstacle}")]
pub struct CgroupError {
    /// What was asked for, such as `memory limit`.
    pub what: String,
    /// Why not.
    pub obstacle: Obstacle,
}

/// Why a limit cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Obstacle {
    /// No hierarchy that this process sees has the controller.
    #[error("no mounted cgroup hierarchy has the {0} controller")]
    NoController(Controller),
    /// The group below which limits were to be set does not have the controller to give.
    #[error("the cgroup {} does not have the {controller} controller", parent.display())]
    NotDelegated {
        /// The group, as a path of the host.
        #[serde(with = "wire::one")]
        parent: PathBuf,
        /// The controller.
        controller: Controller,
    },
    /// In version 2 a group with processes cannot limit its children.
    #[error("the cgroup {} has processes of its own, so that it cannot limit others", parent.display())]
    HasProcesses {
        /// The group, as a path of the host.
        #[serde(with = "wire::one")]
        parent: PathBuf,
    },
    /// The hierarchy belongs to somebody else, or is mounted read-only.
    #[error("this user may not {attempt} {}", path.display())]
    Denied {
        /// The verb.
        attempt: String,
        /// The file or directory of the host.
        #[serde(with = "wire::one")]
        path: PathBuf,
    },
    /// The kernel was built, or started, without this kind of limit.
    #[error("the kernel has no {file}")]
    NoSuchSetting {
        /// The file that is missing.
        file: String,
    },
    /// A parent that leads out of the hierarchy.
    #[error("{parent:?} is no path below the root")]
    Parent {
        /// What was given.
        parent: String,
    },
    /// The kernel refused.
    #[error("cannot {attempt} {}: {}", path.display(), io::Error::from_raw_os_error(*errno))]
    Refused {
        /// The verb.
        attempt: String,
        /// The file or directory of the host.
        #[serde(with = "wire::one")]
        path: PathBuf,
        /// What the kernel said.
        errno: i32,
    },
}

impl Obstacle {
    /// What it means that an attempt on a file or directory failed.
    fn of(attempt: &str, path: impl Into<PathBuf>, error: &io::Error) -> Self {
        let (attempt, path) = (attempt.to_owned(), path.into());
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { attempt, path }
            }
            _ => Self::Refused { attempt, path, errno: error.raw_os_error().unwrap_or(libc::EIO) },
        }
    }

    fn for_the(self, what: &str) -> CgroupError {
        CgroupError { what: what.to_owned(), obstacle: self }
    }
}
