//! Running without being root of the host: one user namespace per process, entered once.

use std::fmt;

use crate::error::SandboxError;

/// Who this process is, after [`enter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Root already, nothing was entered.
    Root,
    /// Root of a user namespace in which a range of ids exists.
    MappedUser {
        /// User id on the host; it is uid 0 inside.
        uid: u32,
        /// Group id on the host; it is gid 0 inside.
        gid: u32,
        /// How many further user ids exist inside, from 1 on.
        subordinate_uids: u32,
        /// How many further group ids exist inside, from 1 on.
        subordinate_gids: u32,
    },
    /// Root of a user namespace in which no other id exists.
    SingleId {
        /// User id on the host; it is uid 0 inside.
        uid: u32,
        /// Group id on the host; it is gid 0 inside.
        gid: u32,
        /// Why there is no range.
        reason: NoRange,
    },
}

/// Enters a user namespace if this process is not root. To be called before any thread exists.
pub fn enter() -> Result<Identity, SandboxError> {
    if rustix::process::geteuid().is_root() {
        return Ok(Identity::Root);
    }
    let source = std::io::ErrorKind::Unsupported.into();
    Err(SandboxError::UserNamespace { blockers: Vec::new(), source })
}

/// Why no subordinate ids could be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRange {
    /// The file grants this user no range.
    NotGranted {
        /// `/etc/subuid` or `/etc/subgid`.
        file: &'static str,
    },
    /// The set-user-id program is not installed.
    ProgramMissing {
        /// `newuidmap` or `newgidmap`.
        program: &'static str,
    },
    /// The program refused.
    ProgramFailed {
        /// `newuidmap` or `newgidmap`.
        program: &'static str,
        /// What it wrote to standard error.
        message: String,
    },
}

impl fmt::Display for NoRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted { file } => write!(f, "{file} grants no range to this user"),
            Self::ProgramMissing { program } => write!(f, "{program} is not installed"),
            Self::ProgramFailed { program, message } => write!(f, "{program} failed: {message}"),
        }
    }
}

/// A setting of the machine that keeps ordinary users from making user namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Name as sysctl(8) writes it, for example `user.max_user_namespaces`.
    pub sysctl: &'static str,
    /// Its present value.
    pub value: String,
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.sysctl, self.value)
    }
}
