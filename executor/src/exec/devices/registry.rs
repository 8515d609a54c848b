//! The devices that the machine has, and how they are asked for.
//!
//! Of two directories the later one wins; of two files in one directory that describe the same device, neither.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{SpecError, SpecFault};
use super::spec::{Spec, SpecDevice, is_kind};

/// The annotation with another name for a group of devices.
const CLASS: &str = "org.mobyproject.buildkit.device.class";
/// The annotation of devices that every build may have.
const AUTO_ALLOW: &str = "org.mobyproject.buildkit.device.autoallow";

/// All devices, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Registry {
    devices: BTreeMap<String, Registered>,
}

/// One device.
#[derive(Clone, Debug)]
pub(super) struct Registered {
    /// `vendor.com/class=name`.
    pub(super) name: String,
    /// The file that describes it.
    pub(super) path: PathBuf,
    pub(super) spec: Arc<Spec>,
    /// Which one of the file it is.
    index: usize,
}

impl PartialEq for Registered {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Registered {
    /// What the file says of this one.
    pub(super) fn device(&self) -> Option<&SpecDevice> {
        self.spec.devices.get(self.index)
    }

    /// Whether builds may have it without asking.
    pub(super) fn is_allowed_to_all(&self) -> bool {
        self.annotation(AUTO_ALLOW)
            .is_some_and(|value| matches!(value, "1" | "t" | "T" | "true" | "True" | "TRUE"))
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        let own = self.device().and_then(|device| device.annotations.get(name));
        own.or_else(|| self.spec.annotations.get(name)).map(String::as_str)
    }
}

impl Registry {
    /// Reads the files of these directories; gives what could not be read as well. Directories need not exist.
    pub(super) fn read(directories: &[PathBuf]) -> (Self, Vec<SpecError>) {
        let mut registry = Self::default();
        let mut unreadable = Vec::new();
        for directory in directories {
            match files(directory) {
                Ok(files) => {
                    let of_directory = read_directory(&files, &mut unreadable);
                    registry.devices.extend(of_directory);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => unreadable.push(SpecError { path: directory.clone(), source: error.into() }),
            }
        }
        (registry, unreadable)
    }

    /// The devices that a name stands for, as `BuildKit` has it: `vendor.com/class=name` that one,
    /// `vendor.com/class=*` all of the class, `vendor.com/class` the first one; what names none of these may be
    /// the class that an annotation gives to devices.
    pub(super) fn find(&self, name: &str) -> Vec<&Registered> {
        let (kind, own) = name.split_once('=').unwrap_or((name, ""));
        let of_kind = self.devices.values().filter(|device| device.spec.kind == kind);
        let found: Vec<&Registered> = match own {
            _ if !is_kind(kind) => Vec::new(),
            "" => of_kind.take(1).collect(),
            "*" => of_kind.collect(),
            _ => self.devices.get(name).into_iter().collect(),
        };
        if !found.is_empty() {
            return found;
        }
        self.devices.values().filter(|device| device.annotation(CLASS) == Some(name)).collect()
    }
}

/// The descriptions in a directory, sorted.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    files.retain(|path| Spec::is_one(path));
    files.sort();
    Ok(files)
}

fn read_directory(files: &[PathBuf], unreadable: &mut Vec<SpecError>) -> BTreeMap<String, Registered> {
    let mut devices: BTreeMap<String, Registered> = BTreeMap::new();
    let mut conflicts = Vec::new();
    for path in files {
        let spec = match Spec::read(path) {
            Ok(spec) => Arc::new(spec),
            Err(source) => {
                unreadable.push(SpecError { path: path.clone(), source });
                continue;
            }
        };
        for (index, device) in spec.devices.iter().enumerate() {
            let name = format!("{}={}", spec.kind, device.name);
            let new = Registered { name: name.clone(), path: path.clone(), spec: Arc::clone(&spec), index };
            if let Some(other) = devices.insert(name.clone(), new) {
                let source = SpecFault::Conflict { device: name.clone(), other: other.path };
                unreadable.push(SpecError { path: path.clone(), source });
                conflicts.push(name);
            }
        }
    }
    devices.retain(|name, _| !conflicts.contains(name));
    devices
}
