//! Devices of the machine for a step: `RUN --device`, by the Container Device Interface (CDI).
//!
//! ```text
//! /etc/cdi/*.json *.yaml ─┐ registry::read     registry::find            edits::Edits
//! /var/run/cdi/…         ─┴→ the devices that → those that a step asks → variables, nodes, mounts, groups
//!                            the machine has    for and may have         of its process
//! ```
//! Whoever sets the machine up describes in such files what a device consists of. They are read anew for each step
//! that asks for devices; nothing is kept of them.
//!
//! - [`spec`]: the files; [`registry`]: what they describe, and how names are looked up
//! - [`grants`]: which devices a build may have
//! - [`edits`]: what is changed in the surroundings of a process
//! - [`error`]: what can go wrong

pub(crate) mod edits;
pub mod error;
pub mod grants;
pub(crate) mod registry;
pub(crate) mod spec;

use std::path::PathBuf;

use graph::exec::{DeviceRequest, Exec};

use self::edits::Edits;
use self::error::DeviceError;
use self::grants::DeviceGrants;
use self::registry::Registry;
use crate::blocking::blocking;
use crate::exec::error::ExecError;
use crate::session::Session;

/// The devices of a step, and what there is to tell of them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) edits: Edits,
    /// What is missing or cannot be read, and does not keep the step from running.
    pub(crate) warnings: Vec<String>,
}

/// Looks for the devices that a step asks for.
pub(crate) async fn find(session: &Session, exec: &Exec) -> Result<Found, ExecError> {
    if exec.devices.is_empty() {
        return Ok(Found::default());
    }
    let directories = session.executor.shared.device_directories.clone();
    let (requests, grants) = (exec.devices.clone(), session.options.devices.clone());
    Ok(blocking(move || find_in(&directories, &requests, &grants)).await?)
}

fn find_in(
    directories: &[PathBuf],
    requests: &[DeviceRequest],
    grants: &DeviceGrants,
) -> Result<Found, DeviceError> {
    let (registry, unreadable) = Registry::read(directories);
    let mut warnings: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
    let mut devices = Vec::new();
    for request in requests {
        let found = registry.find(&request.name);
        if found.is_empty() {
            if request.required {
                return Err(DeviceError::NotRegistered { name: request.name.clone(), unreadable });
            }
            warnings.push(format!("optional device {:?} is not registered", request.name));
        }
        for device in found {
            if !devices.contains(&device) {
                devices.push(device);
            }
        }
    }
    let forbidden: Vec<String> = devices
        .iter()
        .filter(|device| !device.is_allowed_to_all() && !grants.cover(&registry, device))
        .map(|device| device.name.clone())
        .collect();
    if !forbidden.is_empty() {
        return Err(DeviceError::NotAllowed(forbidden));
    }
    Ok(Found { edits: Edits::of(&devices)?, warnings })
}

#[cfg(test)]
mod tests;
