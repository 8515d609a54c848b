//! Why there is no isolated network.

use std::io;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Why no isolated network with outgoing access can be made here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unavailable {
    /// A preparation failed. With a kernel that lacks a part (veth, bridge, `nf_tables`), or in a container whose
    /// root may not make links, it is the first one that needs it.
    #[error("cannot {attempt}: {}", describe(*errno))]
    Setup {
        /// What was attempted, as a verb phrase.
        attempt: String,
        /// What the kernel said.
        errno: i32,
    },
    /// An ordinary user needs a program that connects a network to the machine, and none is installed.
    #[error("neither pasta nor slirp4netns is installed")]
    NoProgram,
    /// The device by which such a program works cannot be opened.
    #[error("/dev/net/tun cannot be opened: {}", describe(*errno))]
    TunClosed {
        /// What the kernel said.
        errno: i32,
    },
    /// Such a program ended at once.
    #[error("{program} failed: {message}")]
    ProgramFailed {
        /// Its path.
        program: String,
        /// The last line that it wrote.
        message: String,
    },
    /// The machine forwards no packets, and the setting cannot be changed here.
    #[error("net.ipv4.ip_forward is off and cannot be switched on: {}", describe(*errno))]
    NotForwarding {
        /// What the kernel said.
        errno: i32,
    },
    /// The machine's firewall drops what is forwarded, unless a rule of its own accepts it.
    #[error("the firewall of this machine drops forwarded packets (chain {chain})")]
    ForwardingDropped {
        /// Table and chain.
        chain: String,
    },
    /// Every private address is in use on this machine.
    #[error("no subnet is free: the routes of this machine cover all private addresses")]
    NoSubnet,
    /// The process that holds the networks could not be started, or is lost.
    #[error("the network keeper failed: {message}")]
    Keeper {
        /// What happened.
        message: String,
    },
}

impl Unavailable {
    /// A failed preparation.
    pub(crate) fn setup(attempt: impl Into<String>, errno: Errno) -> Self {
        Self::Setup { attempt: attempt.into(), errno: errno.raw_os_error() }
    }

    pub(crate) fn keeper(message: impl Into<String>) -> Self {
        Self::Keeper { message: message.into() }
    }
}

/// Names the attempt of a failed system call.
pub(crate) trait Attempt<T> {
    fn attempt(self, attempt: &str) -> Result<T, Unavailable>;
}

impl<T> Attempt<T> for Result<T, Errno> {
    fn attempt(self, attempt: &str) -> Result<T, Unavailable> {
        self.map_err(|errno| Unavailable::setup(attempt, errno))
    }
}

impl<T> Attempt<T> for io::Result<T> {
    fn attempt(self, attempt: &str) -> Result<T, Unavailable> {
        self.map_err(|error| Unavailable::setup(attempt, Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }
}

fn describe(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}
