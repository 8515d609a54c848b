//! The files that describe devices, as the Container Device Interface has them, versions 0 and 1.
//!
//! ```text
//! cdiVersion, kind: vendor.com/class, annotations
//! containerEdits                             for whoever has one of the devices
//! devices: [name, annotations, containerEdits]
//! ```
//! A field that is not known is an error: a device of which one part is missing does harm that nobody understands.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::SpecFault;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Spec {
    cdi_version: String,
    /// `vendor.com/class`.
    pub(super) kind: String,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) container_edits: ContainerEdits,
    #[serde(default)]
    pub(super) devices: Vec<SpecDevice>,
}

/// One device of a file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SpecDevice {
    pub(super) name: String,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) container_edits: ContainerEdits,
}

/// What is changed in a container.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ContainerEdits {
    /// `NAME=VALUE`, each.
    pub(super) env: Vec<String>,
    pub(super) device_nodes: Vec<DeviceNode>,
    pub(super) mounts: Vec<SpecMount>,
    #[serde(rename = "additionalGids")]
    pub(super) additional_gids: Vec<u32>,
    /// Programs that a runtime starts.
    pub(super) hooks: Vec<IgnoredAny>,
    /// Interfaces that are moved.
    pub(super) net_devices: Vec<IgnoredAny>,
    /// A class of processor caches.
    pub(super) intel_rdt: Option<IgnoredAny>,
}

/// A node below `/dev`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeviceNode {
    pub(super) path: PathBuf,
    /// Where the host has it, if elsewhere.
    pub(super) host_path: Option<PathBuf>,
    /// `b`, `c`, `u` (an old name of `c`) or `p`; that of the host's node if absent.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// Those of the host's node if absent or 0.
    #[serde(default)]
    pub(super) major: u32,
    #[serde(default)]
    pub(super) minor: u32,
    pub(super) file_mode: Option<u32>,
    /// Of the letters `rwm`; all if absent.
    pub(super) permissions: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

/// A mount.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SpecMount {
    pub(super) host_path: PathBuf,
    pub(super) container_path: PathBuf,
    /// As mount(8) has them.
    #[serde(default)]
    pub(super) options: Vec<String>,
    /// `bind` if absent.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

impl Spec {
    /// Whether a file of that name describes devices.
    pub(super) fn is_one(path: &Path) -> bool {
        path.extension()
            .is_some_and(|extension| extension == "json" || extension == "yaml" || extension == "yml")
    }

    /// Reads a file and checks what is said there of names.
    pub(super) fn read(path: &Path) -> Result<Self, SpecFault> {
        let text = fs::read_to_string(path)?;
        let spec: Self = if path.extension().is_some_and(|extension| extension == "json") {
            serde_json::from_str(&text)?
        } else {
            // As YAML was when the format was made: modes are written as 0660.
            let options = serde_saphyr::options! { legacy_octal_numbers: true };
            serde_saphyr::from_str_with_options(&text, options)
                .map_err(|error| SpecFault::Yaml(error.to_string()))?
        };
        if !["0.", "1."].iter().any(|known| spec.cdi_version.starts_with(known)) {
            return Err(SpecFault::Version(spec.cdi_version));
        }
        if !is_kind(&spec.kind) {
            return Err(SpecFault::Kind(spec.kind));
        }
        match spec.devices.iter().find(|device| !is_word(&device.name, &['_', '-', '.', ':'])) {
            Some(device) => Err(SpecFault::Name(device.name.clone())),
            None => Ok(spec),
        }
    }
}

/// `vendor.com/class`.
pub(super) fn is_kind(text: &str) -> bool {
    let starts_with_letter = |word: &str| word.starts_with(|first: char| first.is_ascii_alphabetic());
    text.split_once('/').is_some_and(|(vendor, class)| {
        is_word(vendor, &['_', '-', '.'])
            && is_word(class, &['_', '-', '.'])
            && starts_with_letter(vendor)
            && starts_with_letter(class)
    })
}

/// Letters and digits, and between them some other characters.
fn is_word(text: &str, others: &[char]) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric();
    text.starts_with(plain)
        && text.ends_with(plain)
        && text.chars().all(|character| plain(character) || others.contains(&character))
}
