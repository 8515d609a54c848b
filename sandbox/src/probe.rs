//! What works on this machine: each part of a sandbox, really tried.
//!
//! A sandbox does not ask, it tries; what fails, says why. This is for whoever wants to know beforehand, and all at
//! once. [`probe`] forks a process into the namespaces of a step, which makes every mount, installs the filter,
//! tells how it went, and ends; nothing of it is left. The user namespace comes before, see [`crate::rootless`];
//! networks and control groups have probes of their own.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use crate::channel::{Channel, Received};
use crate::error::Failure;
use crate::mount;
use crate::sys::{self, Forked};

/// Whether something works.
pub type Trial<T = ()> = Result<T, Refused>;

/// Why something does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The kernel's explanation, where it gives one.
    pub detail: Option<String>,
    /// Its error number.
    pub errno: i32,
}

/// What works here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The kernel's release, such as `6.12.1`.
    pub kernel: String,
    /// Whether somebody else's system call filter holds for this process, as in a container.
    pub is_filtered: bool,
    /// Whether each namespace can be made.
    pub namespaces: Vec<(Namespace, Trial)>,
    /// What works in them; nothing if they cannot be made.
    pub inside: Trial<Inside>,
    /// Whether files of the probed directory can be copied without copying their bytes.
    pub reflinks: Trial,
}

/// What works in the namespaces of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// An overlay over the probed directory, in which files can be made and removed.
    pub overlay: Trial,
    /// A `/proc` that shows the processes of the sandbox.
    pub proc: Trial,
    /// A read-only `/sys`.
    pub sys: Trial<Origin>,
    /// A `/dev` with its nodes and terminals.
    pub devices: Trial<Origin>,
    /// Docker's system call filter.
    pub seccomp: Trial,
}

/// Where a part of the sandbox comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// It is the sandbox's own.
    Own,
    /// It is that of the machine, shown.
    Machine,
}

/// What a process can have of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// Mounts.
    Mount,
    /// Process numbers.
    Process,
    /// Interprocess communication.
    Ipc,
    /// The host name.
    Hostname,
    /// The view of control groups.
    Cgroup,
    /// The network.
    Network,
}

impl Namespace {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Mount, Self::Process, Self::Ipc, Self::Hostname, Self::Cgroup, Self::Network];

    fn flag(self) -> UnshareFlags {
        match self {
            Self::Mount => UnshareFlags::NEWNS,
            Self::Process => UnshareFlags::NEWPID,
            Self::Ipc => UnshareFlags::NEWIPC,
            Self::Hostname => UnshareFlags::NEWUTS,
            Self::Cgroup => UnshareFlags::NEWCGROUP,
            Self::Network => UnshareFlags::NEWNET,
        }
    }
}

/// The name as the kernel has it below `/proc/self/ns`.
impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mount => "mnt",
            Self::Process => "pid",
            Self::Ipc => "ipc",
            Self::Hostname => "uts",
            Self::Cgroup => "cgroup",
            Self::Network => "net",
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(detail) = &self.detail {
            write!(f, "{detail}: ")?;
        }
        write!(f, "{}", io::Error::from_raw_os_error(self.errno))
    }
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Self { detail: None, errno: errno.raw_os_error() }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self { detail: None, errno },
            None => Self { detail: Some(error.to_string()), errno: Errno::IO.raw_os_error() },
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Setup { object, detail: None, errno, .. } => Self { detail: Some(object), errno },
            Failure::Setup { object, detail: Some(detail), errno, .. } => {
                Self { detail: Some(format!("{object}: {detail}")), errno }
            }
            other => {
                let error = crate::SandboxError::from(other);
                Self { detail: Some(error.to_string()), errno: Errno::IO.raw_os_error() }
            }
        }
    }
}

/// Tries everything. `place` is an empty directory where a store is or will be, which is filled. To be called
/// before any thread exists.
pub fn probe(place: &Path) -> io::Result<Facts> {
    for name in ["lower", "upper", "work"] {
        fs::create_dir(place.join(name))?;
    }
    fs::write(place.join("lower/file"), "content")?;
    let namespaces: Vec<_> = Namespace::ALL.map(|one| (one, can_make(one.flag()))).into();
    // A machine without an isolated network can still run steps on its own.
    let needed = Namespace::ALL.into_iter().filter(|one| *one != Namespace::Network);
    let inside = look_inside(place, needed.map(Namespace::flag).collect());
    let status = fs::read_to_string("/proc/self/status")?;
    Ok(Facts {
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        is_filtered: status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])),
        namespaces,
        inside,
        reflinks: can_clone(place).map_err(Refused::from),
    })
}

#[expect(clippy::exit, reason = "a process of its own, which is there for nothing else")]
fn can_make(namespace: UnshareFlags) -> Trial {
    match sys::fork(namespace, None)? {
        Forked::Child => std::process::exit(0),
        Forked::Parent { child, .. } => Ok(wait(child)?),
    }
}

#[expect(clippy::exit, reason = "a process of its own, which ends with its answer")]
fn look_inside(place: &Path, namespaces: UnshareFlags) -> Trial<Inside> {
    let (ours, theirs) = Channel::pair()?;
    match sys::fork(namespaces, None)? {
        Forked::Child => {
            drop(ours);
            // If nobody listens any more, there is nobody to tell.
            let _ = theirs.send(&mount::probe::everything(place), &[]);
            std::process::exit(0)
        }
        Forked::Parent { child, .. } => {
            drop(theirs);
            let answer = ours.receive::<Trial<Inside>>();
            wait(child)?;
            match answer? {
                Received::Message(inside, _) => inside,
                Received::Closed => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            }
        }
    }
}

fn wait(child: Pid) -> Result<(), Errno> {
    loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            result => return result.map(drop),
        }
    }
}

fn can_clone(place: &Path) -> io::Result<()> {
    let source = File::open(place.join("lower/file"))?;
    let target = File::create(place.join("clone"))?;
    Ok(rustix::fs::ioctl_ficlone(target, source)?)
}
