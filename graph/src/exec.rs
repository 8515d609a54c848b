//! Running a process: `RUN`.

use image::{ImagePath, Platform};
use serde::{Deserialize, Serialize};

use crate::vertex::InputIndex;

/// A process that is run on a tree, with everything of its surroundings that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// The command and its arguments, not empty.
    pub args: Vec<String>,
    /// Variables in the order of their declaration, each name once.
    pub env: Vec<(String, String)>,
    /// The working directory; made (owned by root) when the image lacks it.
    pub cwd: ImagePath,
    /// `user[:group]` by name or number, looked up in the image's own files; none is root.
    pub user: Option<String>,
    /// What the binaries of the image are made for.
    pub platform: Platform,
    /// The host name that the process sees.
    pub hostname: String,
    /// What the process can reach.
    pub network: NetworkMode,
    /// What the process may do.
    pub security: SecurityMode,
    /// Mounts in the order in which they are made; a later one hides an earlier one.
    pub mounts: Vec<Mount>,
    /// Secrets that the process sees as variables.
    pub secret_env: Vec<SecretVariable>,
    /// Names that `--add-host` adds to `/etc/hosts`. Their addresses belong to the session.
    pub extra_hosts: Vec<String>,
    /// Resource limits that the process can observe.
    pub ulimits: Vec<Ulimit>,
    /// The control group below which the process gets its own, as `--cgroup-parent` names it. What that limits,
    /// the process can observe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    /// Devices that the process asks for, as they are written. What their names stand for is known to the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceRequest>,
}

/// A device of the machine that a process asks for: `RUN --device`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// A name of the Container Device Interface, `vendor.com/class=name`; or only a part of it, or a class.
    pub name: String,
    /// Whether a missing device fails the step instead of being left out.
    pub required: bool,
}

/// What a process can reach: `RUN --network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// The network that the build gives its steps.
    Default,
    /// A loopback device only.
    None,
    /// The host's own network; needs the entitlement `network.host`.
    Host,
}

/// What a process may do: `RUN --security`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityMode {
    /// The reduced capabilities and system calls of a container.
    Sandbox,
    /// All capabilities and system calls; needs the entitlement `security.insecure`.
    Insecure,
}

/// One mount of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where the process sees it.
    pub target: ImagePath,
    /// What it is.
    pub kind: MountKind,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// A file or directory of another tree.
    Bind {
        /// The tree.
        input: InputIndex,
        /// The path in it.
        source: ImagePath,
        /// Whether the process may write.
        access: BindAccess,
    },
    /// A directory that is kept between builds and belongs to no image.
    Cache(CacheMount),
    /// A file system in memory.
    Tmpfs {
        /// Its size in bytes, if limited.
        size: Option<u64>,
    },
    /// A secret as a file.
    Secret {
        /// Its name in the session.
        id: String,
        /// Whether a missing secret fails the step instead of leaving the file out.
        required: bool,
        /// Who may read the file.
        owner: MountOwner,
    },
    /// The socket of an ssh agent.
    Ssh {
        /// The agent's name in the session.
        id: String,
        /// Whether a missing agent fails the step instead of leaving the socket out.
        required: bool,
        /// Who may use the socket.
        owner: MountOwner,
    },
    /// A file with the given text: the body of `RUN <<EOF` that begins with `#!`.
    Script {
        /// The text.
        content: String,
    },
}

/// What a process may do with a bind mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BindAccess {
    /// Nothing but read.
    ReadOnly,
    /// Write, but what it writes is thrown away after the step.
    Discard,
}

/// A directory that is kept between builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheMount {
    /// Mounts of the same id are the same directory.
    pub id: String,
    /// What happens when two steps want it at once.
    pub sharing: Sharing,
    /// Whether the process may only read.
    pub read_only: bool,
    /// What the directory holds when it is made; nothing if absent.
    pub initial: Option<(InputIndex, ImagePath)>,
    /// Owner and mode of the directory when it is made.
    pub owner: MountOwner,
}

/// What happens when two steps want the same cache mount at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Both use it.
    Shared,
    /// The second gets another directory.
    Private,
    /// The second waits for the first.
    Locked,
}

/// Owner and permission bits of something mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountOwner {
    /// User id inside the container.
    pub uid: u32,
    /// Group id inside the container.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// A secret that a process sees as a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVariable {
    /// The variable.
    pub name: String,
    /// The secret's name in the session.
    pub id: String,
    /// Whether a missing secret fails the step instead of leaving the variable out.
    pub required: bool,
}

/// One resource limit: `--ulimit name=soft:hard`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// The name without `RLIMIT_`, in lower case: `nofile`.
    pub name: String,
    /// The soft limit; `u64::MAX` is unlimited.
    pub soft: u64,
    /// The hard limit; `u64::MAX` is unlimited.
    pub hard: u64,
}
