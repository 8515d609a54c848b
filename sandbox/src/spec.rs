//! What the caller asks for: one process, its root, its mounts, its limits.
//!
//! A [`Spec`] is plain data. It is written as JSON into a memory file, handed to the supervisor process and
//! read back there; it is never stored, so it carries no format version (both ends are one binary).
//! Paths and arguments are bytes on Linux: they travel as text where they are UTF-8 and as byte arrays
//! where they are not (see [`wire`](crate::wire)).

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::capability::CapabilitySet;
use crate::cgroup::Cgroup;
use crate::devices::Devices;
use crate::network::NetworkNamespace;
use crate::rlimit::Rlimit;
use crate::wire;

/// Directories that the root must have before [`Sandbox::spawn`](crate::Sandbox::spawn): the sandbox mounts
/// its own file systems there. An image may lack them (`FROM scratch`), and whoever prepares the root decides
/// in which layer they appear.
pub const MOUNT_POINTS: [&str; 3] = ["/proc", "/sys", "/dev"];

/// One process in an isolated root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// What the process sees as `/`.
    pub rootfs: Root,
    /// Mounts inside the root, made in this order, after `/proc`, `/sys` and `/dev`.
    pub mounts: Vec<Mount>,
    /// The process itself.
    pub process: Process,
    /// Host name inside the UTS namespace.
    pub hostname: String,
    /// Which network the process sees.
    pub network: Network,
    /// Which system calls it may use.
    pub seccomp: Seccomp,
    /// Which of the host's devices it may use.
    pub devices: Devices,
    /// Whether `/sys` and the view of cgroups can be written to.
    pub kernel_files: KernelFiles,
    /// Paths made unreadable: files are covered with `/dev/null`, directories with an empty read-only tmpfs.
    /// Those that do not exist are skipped.
    #[serde(with = "wire::list")]
    pub masked_paths: Vec<PathBuf>,
    /// Paths made read-only, with all mounts below them. Those that do not exist are skipped.
    #[serde(with = "wire::list")]
    pub read_only_paths: Vec<PathBuf>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// The control group for all its processes; none leaves them in the caller's.
    pub cgroup: Option<Cgroup>,
    /// How the owners of files are kept where the user namespace has a single id; none leaves them to the kernel.
    pub ownership: Option<Ownership>,
}

impl Spec {
    /// A spec with Docker's defaults: host name `localhost`, host network, default seccomp profile,
    /// masked and read-only paths, 64 MiB of `/dev/shm`, no further mounts, no control group of its own.
    pub fn new(rootfs: impl Into<Root>, process: Process) -> Self {
        Self {
            rootfs: rootfs.into(),
            mounts: Vec::new(),
            process,
            hostname: "localhost".to_owned(),
            network: Network::Host,
            seccomp: Seccomp::Default,
            devices: Devices::Given(Vec::new()),
            kernel_files: KernelFiles::ReadOnly,
            masked_paths: masked_paths(),
            read_only_paths: DOCKER_READ_ONLY_PATHS.iter().map(PathBuf::from).collect(),
            shm_size: 64 << 20,
            cgroup: None,
            ownership: None,
        }
    }

    /// Makes the process as good as root of the host, or of the user namespace that it lives in: every capability,
    /// system call and device, and all files of the kernel.
    pub fn unconfine(&mut self) {
        self.process.capabilities = CapabilitySet::ALL;
        self.seccomp = Seccomp::Unconfined;
        self.devices = Devices::All;
        self.kernel_files = KernelFiles::Writable;
        self.masked_paths.clear();
        self.read_only_paths.clear();
    }
}

/// User and group of a file or process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Records of owners. With them, the processes of the sandbox may change the owners of files and their own ids as
/// if there were others, though the user namespace has a single one: see `ownership`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// The extended attribute with the owner of a file or directory: `uid:gid` in decimal. An empty file with
    /// `uid:gid:char:major:minor`, or `block`, stands for a device. What lacks it in the root is new.
    pub attribute: String,
    /// Gets a line for each link, pipe or socket of the root that is given away: `inode seconds nanoseconds uid gid`,
    /// in decimal, the inode being that in the upper directory, the time that of its birth.
    #[serde(with = "wire::one")]
    pub given: PathBuf,
    /// Links, pipes and sockets in the lower directories that do not belong to root, by inode.
    pub links: Vec<(u64, Owner)>,
}

/// The paths that Docker hides: they tell about, or act on, the host.
const DOCKER_MASKED_PATHS: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// The paths that Docker hides, on this machine: with those above, what each processor tells of its temperature.
fn masked_paths() -> Vec<PathBuf> {
    static OF_PROCESSORS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let of_processors = OF_PROCESSORS.get_or_init(|| {
        let entries = fs::read_dir("/sys/devices/system/cpu").into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path().join("thermal_throttle"));
        paths.filter(|path| path.exists()).collect()
    });
    DOCKER_MASKED_PATHS.iter().map(PathBuf::from).chain(of_processors.iter().cloned()).collect()
}

/// The paths that Docker makes read-only: settings of the whole machine.
const DOCKER_READ_ONLY_PATHS: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What a process sees as `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// Layers, and a writable directory on top.
    Overlay(Overlay),
    /// A directory of the host that nobody else uses: a copy of the layers, where no overlay can be mounted.
    Directory(#[serde(with = "wire::one")] PathBuf),
}

impl From<Overlay> for Root {
    fn from(overlay: Overlay) -> Self {
        Self::Overlay(overlay)
    }
}

/// Directories of a writable overlay mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// Read-only layer directories, uppermost first; at least one (overlayfs mounts no upper alone).
    #[serde(with = "wire::list")]
    pub lowers: Vec<PathBuf>,
    /// Receives all changes. They are not written back by the sandbox: a power failure may take them as long as
    /// nobody syncs the file system.
    #[serde(with = "wire::one")]
    pub upper: PathBuf,
    /// Empty directory on the file system of `upper`, for overlayfs itself. It can be used once.
    #[serde(with = "wire::one")]
    pub work: PathBuf,
}

/// One mount inside the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path inside the root; symbolic links on the way are followed inside the root only. It should
    /// exist: what is missing is made, for targets on other mounts such as a tmpfs, but in a writable root
    /// that leaves a trace in its upper directory.
    #[serde(with = "wire::one")]
    pub target: PathBuf,
    /// What is mounted there.
    pub kind: MountKind,
}

/// What a [`Mount`] shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountKind {
    /// A file or directory of the host, with the options its mount has there, as Docker and BuildKit do.
    Bind {
        /// Host path, absolute.
        #[serde(with = "wire::one")]
        source: PathBuf,
        /// Whether writing is refused, below nested mounts too.
        read_only: bool,
        /// Whether mounts below `source` are shown as well.
        recursive: bool,
    },
    /// An empty file system in memory, `nosuid` as BuildKit makes it (device nodes work: debootstrap wants
    /// them).
    Tmpfs {
        /// Limit in bytes; `None` is the kernel's default, half of the memory.
        size: Option<u64>,
        /// Mode of its root directory, for example `0o1777`.
        mode: u32,
    },
    /// Layers with a writable directory that is thrown away: a bind mount the process may scribble on.
    Overlay(Overlay),
    /// A union of read-only layers: a bind mount of another stage.
    ReadOnlyOverlay {
        /// Layer directories, uppermost first; at least one.
        #[serde(with = "wire::list")]
        lowers: Vec<PathBuf>,
    },
    /// One read-only file whose content lives in memory only: secrets, heredoc scripts. `nosuid,nodev`.
    File {
        /// The bytes of the file.
        content: Vec<u8>,
        /// Permission bits, for example `0o400`.
        mode: u32,
        /// Owner inside the root.
        uid: u32,
        /// Group inside the root.
        gid: u32,
    },
}

/// The process that becomes pid 1 of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Command and arguments; the command is looked up in the spec's own `PATH`, inside the root, unless it
    /// contains a `/`.
    #[serde(with = "wire::list")]
    pub args: Vec<OsString>,
    /// The whole environment, in this order.
    #[serde(with = "wire::pairs")]
    pub env: Vec<(OsString, OsString)>,
    /// Working directory, absolute, existing.
    #[serde(with = "wire::one")]
    pub cwd: PathBuf,
    /// User id inside the root.
    pub uid: u32,
    /// Primary group id inside the root.
    pub gid: u32,
    /// Supplementary groups. Dropped where the user namespace denies `setgroups` (single id mapping).
    pub additional_gids: Vec<u32>,
    /// File mode creation mask.
    pub umask: u32,
    /// Whether set-user-id programs and file capabilities gain nothing.
    pub no_new_privileges: bool,
    /// Upper bound of the process's capabilities; what root has, and nothing of it for other users.
    pub capabilities: CapabilitySet,
    /// Resource limits that differ from the caller's.
    pub rlimits: Vec<Rlimit>,
    /// Whether the process gets a pseudo terminal of its own as standard streams and controlling terminal.
    pub terminal: bool,
    /// Badness adjustment, -1000 to 1000; `None` leaves the caller's.
    pub oom_score_adj: Option<i32>,
}

impl Process {
    /// A process of root in `/` with Docker's capabilities, umask 022, and no environment.
    pub fn new<Arg: Into<OsString>>(args: impl IntoIterator<Item = Arg>) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            uid: 0,
            gid: 0,
            additional_gids: Vec::new(),
            umask: 0o022,
            no_new_privileges: false,
            capabilities: CapabilitySet::DOCKER_DEFAULT,
            rlimits: Vec::new(),
            terminal: false,
            oom_score_adj: None,
        }
    }
}

/// Which network the process sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "NetworkOfInit", into = "NetworkOfInit")]
pub enum Network {
    /// The caller's network namespace.
    Host,
    /// A namespace with nothing but a loopback interface, which is up.
    None,
    /// This namespace; see [`Networks`](crate::Networks).
    Isolated(NetworkNamespace),
}

/// The same for init, whose supervisor has entered the namespace: its descriptor travels beside the spec.
#[derive(Serialize, Deserialize)]
enum NetworkOfInit {
    Inherited,
    None,
}

impl From<Network> for NetworkOfInit {
    fn from(network: Network) -> Self {
        match network {
            Network::Host | Network::Isolated(_) => Self::Inherited,
            Network::None => Self::None,
        }
    }
}

impl From<NetworkOfInit> for Network {
    fn from(network: NetworkOfInit) -> Self {
        match network {
            NetworkOfInit::Inherited => Self::Host,
            NetworkOfInit::None => Self::None,
        }
    }
}

/// Which system calls the process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// Docker's default profile, adapted to the process's capabilities.
    Default,
    /// No filter.
    Unconfined,
}

/// How the file systems are mounted in which the kernel shows and takes settings of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KernelFiles {
    /// The process can read its part of them.
    ReadOnly,
    /// The process can change the machine: for one that is as good as the host's root.
    Writable,
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn spec_survives_the_wire_with_bytes_that_are_not_utf8() {
        let odd = OsString::from_vec(vec![b'/', 0xff, b'a']);
        let mut process = Process::new([odd.clone()]);
        process.env.push(("NAME".into(), odd.clone()));
        let odd_path = || PathBuf::from(odd.clone());
        let rootfs = Overlay { lowers: vec![odd_path()], upper: odd_path(), work: odd_path() };
        let mut spec = Spec::new(rootfs, process);
        spec.mounts.push(Mount {
            target: odd_path(),
            kind: MountKind::File { content: vec![0, 255], mode: 0o400, uid: 1, gid: 2 },
        });
        spec.cgroup = Some(Cgroup { parent: Some("/ci".into()), limits: crate::Limits::default() });
        let json = serde_json::to_vec(&spec).unwrap();
        assert_eq!(serde_json::from_slice::<Spec>(&json).unwrap(), spec);
    }
}
