//! Resource limits (getrlimit(2)), with the names that `--ulimit` uses.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A limit of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// What is limited.
    pub resource: Resource,
    /// The limit in force; `None` is unlimited.
    pub soft: Option<u64>,
    /// How far the process may raise the soft limit; `None` is unlimited.
    pub hard: Option<u64>,
}

/// A resource that the kernel limits per process or per user. Units are those of getrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of getrlimit(2), which documents them")]
pub enum Resource {
    Core,
    Cpu,
    Data,
    Fsize,
    Locks,
    Memlock,
    Msgqueue,
    Nice,
    Nofile,
    Nproc,
    Rss,
    Rtprio,
    Rttime,
    Sigpending,
    Stack,
}

impl Resource {
    const ALL: [Self; 15] = [
        Self::Core,
        Self::Cpu,
        Self::Data,
        Self::Fsize,
        Self::Locks,
        Self::Memlock,
        Self::Msgqueue,
        Self::Nice,
        Self::Nofile,
        Self::Nproc,
        Self::Rss,
        Self::Rtprio,
        Self::Rttime,
        Self::Sigpending,
        Self::Stack,
    ];

    /// The name, as Docker writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Cpu => "cpu",
            Self::Data => "data",
            Self::Fsize => "fsize",
            Self::Locks => "locks",
            Self::Memlock => "memlock",
            Self::Msgqueue => "msgqueue",
            Self::Nice => "nice",
            Self::Nofile => "nofile",
            Self::Nproc => "nproc",
            Self::Rss => "rss",
            Self::Rtprio => "rtprio",
            Self::Rttime => "rttime",
            Self::Sigpending => "sigpending",
            Self::Stack => "stack",
        }
    }

    pub(crate) fn as_raw(self) -> rustix::process::Resource {
        use rustix::process::Resource as Raw;
        match self {
            Self::Core => Raw::Core,
            Self::Cpu => Raw::Cpu,
            Self::Data => Raw::Data,
            Self::Fsize => Raw::Fsize,
            Self::Locks => Raw::Locks,
            Self::Memlock => Raw::Memlock,
            Self::Msgqueue => Raw::Msgqueue,
            Self::Nice => Raw::Nice,
            Self::Nofile => Raw::Nofile,
            Self::Nproc => Raw::Nproc,
            Self::Rss => Raw::Rss,
            Self::Rtprio => Raw::Rtprio,
            Self::Rttime => Raw::Rttime,
            Self::Sigpending => Raw::Sigpending,
            Self::Stack => Raw::Stack,
        }
    }
}

/// A resource name that getrlimit(2) does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown resource {name:?}")]
pub struct UnknownResource {
    /// The name as given.
    pub name: String,
}

impl FromStr for Resource {
    type Err = UnknownResource;

    /// Reads Docker's names: `nofile`, `nproc`, `core` and so on.
    fn from_str(name: &str) -> Result<Self, UnknownResource> {
        let known = Self::ALL.into_iter().find(|resource| resource.name() == name);
        known.ok_or_else(|| UnknownResource { name: name.to_owned() })
    }
}
