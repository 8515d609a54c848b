//! Which limits can be set on this machine, found out by setting them.

use super::hierarchy::{self, Kind};
use super::{Cgroup, CgroupError, Controller, Group, Limits};

/// What control groups there are for this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Of which version.
    pub version: Version,
    /// Each controller, in the order of [`Controller::ALL`].
    pub controllers: Vec<ControllerSupport>,
}

/// Whether limits of one kind can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerSupport {
    /// The kind.
    pub controller: Controller,
    /// Why not, if not.
    pub obstacle: Option<CgroupError>,
}

/// What is mounted of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Nothing.
    None,
    /// Version 1 alone.
    First,
    /// Version 2 alone.
    Second,
    /// Both, each with controllers of its own.
    Hybrid,
}

/// Tries one limit of each kind. In version 2 that may switch controllers on for the children of groups, as a
/// build with limits does; nothing else is left behind.
pub fn support() -> Support {
    let hierarchies = hierarchy::all().unwrap_or_default();
    let first = hierarchies.iter().any(|each| matches!(each.kind, Kind::Version1(_)));
    let version = match (first, hierarchies.iter().any(hierarchy::Hierarchy::is_unified)) {
        (false, false) => Version::None,
        (true, false) => Version::First,
        (false, true) => Version::Second,
        (true, true) => Version::Hybrid,
    };
    let controllers = Controller::ALL.map(|controller| {
        let request = Cgroup { parent: None, limits: harmless(controller) };
        ControllerSupport { controller, obstacle: check(&request).err() }
    });
    Support { version, controllers: controllers.into() }
}

/// Whether such a group can be made now.
pub fn check(request: &Cgroup) -> Result<(), CgroupError> {
    Group::make(request).map(drop)
}

/// A limit that needs the controller and limits next to nothing.
fn harmless(controller: Controller) -> Limits {
    match controller {
        Controller::Memory => Limits { memory: Some(1 << 40), ..Limits::default() },
        Controller::Cpu => Limits { cpu_shares: Some(1024), ..Limits::default() },
        Controller::Cpuset => Limits { cpuset_mems: Some("0".to_owned()), ..Limits::default() },
        Controller::Pids => Limits { pids: Some(1 << 20), ..Limits::default() },
    }
}
