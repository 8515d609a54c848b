//! What devices change in the surroundings of a process.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use image::ImagePath;
use sandbox::{Device, DeviceAccess, DeviceKind};
use store::MountPointKind;

use super::error::DeviceError;
use super::registry::Registered;
use super::spec::{ContainerEdits, DeviceNode, SpecMount};

/// What is changed, in the order in which it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    /// Variables; they win over those of the step.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) mounts: Vec<HostMount>,
    /// Groups of the process.
    pub(crate) additional_gids: Vec<u32>,
}

/// A node below `/dev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    device: Device,
    /// Its owner and group; those of the process if absent.
    uid: Option<u32>,
    gid: Option<u32>,
}

/// A file or directory of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostMount {
    pub(crate) source: PathBuf,
    pub(crate) target: ImagePath,
    pub(crate) point: MountPointKind,
    pub(crate) read_only: bool,
    pub(crate) recursive: bool,
}

impl Node {
    /// The device for a process of this user and group.
    pub(crate) fn for_process(&self, uid: u32, gid: u32) -> Device {
        Device { uid: self.uid.unwrap_or(uid), gid: self.gid.unwrap_or(gid), ..self.device.clone() }
    }
}

impl Edits {
    /// Those of these devices: for each one what its file says of all devices, once, then what it says of this one.
    pub(super) fn of(devices: &[&Registered]) -> Result<Self, DeviceError> {
        let mut edits = Self::default();
        for (index, device) in devices.iter().enumerate() {
            let is_first = devices[..index].iter().all(|earlier| !Arc::ptr_eq(&earlier.spec, &device.spec));
            if is_first {
                edits.add(&device.name, &device.spec.container_edits)?;
            }
            if let Some(of_device) = device.device() {
                edits.add(&device.name, &of_device.container_edits)?;
            }
        }
        Ok(edits)
    }

    fn add(&mut self, name: &str, more: &ContainerEdits) -> Result<(), DeviceError> {
        let needs = [
            (!more.hooks.is_empty(), "hooks"),
            (!more.net_devices.is_empty(), "network devices"),
            (more.intel_rdt.is_some(), "a class of processor caches (intelRdt)"),
        ];
        if let Some((_, what)) = needs.iter().find(|(needs, _)| *needs) {
            return Err(unsupported(name, (*what).to_owned()));
        }
        for text in &more.env {
            let pair = text.split_once('=').filter(|(variable, _)| !variable.is_empty());
            let (variable, value) =
                pair.ok_or_else(|| DeviceError::Variable { device: name.to_owned(), text: text.clone() })?;
            self.env.retain(|(earlier, _)| earlier != variable);
            self.env.push((variable.to_owned(), value.to_owned()));
        }
        for each in &more.device_nodes {
            let node = node(name, each)?;
            self.nodes.retain(|earlier| earlier.device.path != node.device.path);
            self.nodes.push(node);
        }
        for each in &more.mounts {
            let mount = mount(name, each)?;
            self.mounts.retain(|earlier| earlier.target != mount.target);
            self.mounts.push(mount);
        }
        // Group 0 is what a file has that does not mean any.
        self.additional_gids.extend(more.additional_gids.iter().filter(|gid| **gid != 0));
        Ok(())
    }
}

fn unsupported(device: &str, what: String) -> DeviceError {
    DeviceError::Unsupported { device: device.to_owned(), what }
}

/// The node, with the numbers and the kind that the host's has unless both are said.
fn node(name: &str, node: &DeviceNode) -> Result<Node, DeviceError> {
    let wrong =
        |path: &Path, reason| DeviceError::Path { device: name.to_owned(), path: path.into(), reason };
    let below = node.path.strip_prefix("/dev").ok().filter(|below| below.components().next().is_some());
    let is_plain = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    if !below.is_some_and(is_plain) {
        return Err(wrong(&node.path, "does not lie below /dev"));
    }
    let source = node.host_path.as_ref().unwrap_or(&node.path);
    if !source.is_absolute() {
        return Err(wrong(source, "is not absolute"));
    }
    let access = match node.permissions.as_deref() {
        None | Some("") => DeviceAccess::ALL,
        Some(letters) => {
            letters.parse().map_err(|source| DeviceError::Access { device: name.to_owned(), source })?
        }
    };
    let kind = match node.kind.as_deref() {
        None | Some("") => None,
        Some("b") => Some(DeviceKind::Block),
        Some("c" | "u") => Some(DeviceKind::Character),
        Some(other) => return Err(unsupported(name, format!("a node of type {other:?}"))),
    };
    let (uid, gid, mode) = (node.uid, node.gid, node.file_mode.unwrap_or(0o666) & 0o777);
    let device =
        match kind {
            Some(kind) if node.major != 0 => Device {
                path: node.path.clone(),
                source: source.clone(),
                kind,
                numbers: (node.major, node.minor),
                mode,
                uid: 0,
                gid: 0,
                access,
            },
            kind => {
                let of_host = Device::of_host(source, &node.path, access).map_err(|error| {
                    DeviceError::Host { device: name.to_owned(), path: source.clone(), source: error }
                })?;
                if kind.is_some_and(|kind| kind != of_host.kind) {
                    return Err(wrong(source, "is a device of the other kind"));
                }
                Device { mode, ..of_host }
            }
        };
    Ok(Node { device, uid, gid })
}

fn mount(name: &str, mount: &SpecMount) -> Result<HostMount, DeviceError> {
    for path in [&mount.host_path, &mount.container_path] {
        if !path.is_absolute() {
            let (device, path) = (name.to_owned(), path.clone());
            return Err(DeviceError::Path { device, path, reason: "is not absolute" });
        }
    }
    let target = mount.container_path.to_str().map(ImagePath::new).filter(|target| target.as_str() != "/");
    let target = target.ok_or_else(|| DeviceError::Path {
        device: name.to_owned(),
        path: mount.container_path.clone(),
        reason: "is no place for a mount",
    })?;
    if let Some(other) = mount.kind.as_deref().filter(|kind| !matches!(*kind, "" | "bind" | "none")) {
        return Err(unsupported(name, format!("a mount of type {other:?}")));
    }
    let (mut read_only, mut recursive) = (false, false);
    for option in &mount.options {
        match option.as_str() {
            "ro" => read_only = true,
            "rw" => read_only = false,
            "rbind" => recursive = true,
            "bind" => recursive = false,
            // No mount of a step is shared with the host; and which devices can be opened does not depend on mounts.
            "private" | "rprivate" | "slave" | "rslave" | "nodev" => {}
            other => return Err(unsupported(name, format!("a mount with the option {other:?}"))),
        }
    }
    let status = fs::metadata(&mount.host_path).map_err(|source| DeviceError::Host {
        device: name.to_owned(),
        path: mount.host_path.clone(),
        source,
    })?;
    let point = if status.is_dir() { MountPointKind::Directory } else { MountPointKind::File };
    Ok(HostMount { source: mount.host_path.clone(), target, point, read_only, recursive })
}
