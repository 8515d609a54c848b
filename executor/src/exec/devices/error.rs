//! What can go wrong with the devices of a step.

use std::io;
use std::path::PathBuf;

use sandbox::InvalidAccess;

/// Why a step cannot have a device. The first two texts are `BuildKit`'s, which scripts look for.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No file describes a device of that name.
    #[error("required device {name:?} is not registered{}", also(unreadable))]
    NotRegistered {
        /// The name in the Dockerfile.
        name: String,
        /// The files that could not be read, one of which may describe it.
        unreadable: Vec<SpecError>,
    },
    /// The build does not allow these devices, by their full names; at least one.
    #[error("{} requested by the build but not allowed", are(.0))]
    NotAllowed(Vec<String>),
    /// A device needs something that steps cannot be given.
    #[error("device {device} needs {what}, which steps cannot be given")]
    Unsupported {
        /// Its full name.
        device: String,
        /// What it needs: hooks, or an option of a mount.
        what: String,
    },
    /// A path in the description of a device is not what it has to be.
    #[error("device {device} has the path {}, which {reason}", path.display())]
    Path {
        /// Its full name.
        device: String,
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A variable in the description of a device is not `NAME=VALUE`.
    #[error("device {device} has the variable {text:?}, which is not NAME=VALUE")]
    Variable {
        /// Its full name.
        device: String,
        /// The text.
        text: String,
    },
    /// What a process may do with the device is not said in the letters for that.
    #[error("device {device} is described with errors")]
    Access {
        /// Its full name.
        device: String,
        /// What is wrong.
        #[source]
        source: InvalidAccess,
    },
    /// The node of a device, or what it mounts, is not there.
    #[error("device {device} cannot be used: {}", path.display())]
    Host {
        /// Its full name.
        device: String,
        /// The file on the host.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

fn are(names: &[String]) -> String {
    match names {
        [name] => format!("device {name} is"),
        names => format!("devices {} are", names.join(", ")),
    }
}

fn also(unreadable: &[SpecError]) -> String {
    let texts = unreadable.iter().map(ToString::to_string);
    [String::new()].into_iter().chain(texts).collect::<Vec<_>>().join("; ")
}

/// Why a file that describes devices is left out.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the device description {}: {source}", path.display())]
pub struct SpecError {
    /// The file, or a directory of such files.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: SpecFault,
}

/// What is wrong with a file that describes devices.
#[derive(Debug, thiserror::Error)]
pub enum SpecFault {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is no JSON, or has other fields.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is no YAML, or has other fields.
    #[error("{0}")]
    Yaml(String),
    /// It is of a version that is not known.
    #[error("version {0:?} of the format is not known")]
    Version(String),
    /// The kind of its devices is not `vendor.com/class`.
    #[error("invalid kind {0:?}: it is made of a vendor and a class, as in vendor.com/class")]
    Kind(String),
    /// A device has no name, or one that cannot be asked for.
    #[error("invalid device name {0:?}")]
    Name(String),
    /// Another file of the same directory describes the same device, so that neither counts.
    #[error("{} describes {device}, too", other.display())]
    Conflict {
        /// Its full name.
        device: String,
        /// The other file.
        other: PathBuf,
    },
}
