//! What can go wrong, over all operations.

use graph::{Name, VertexId};
use image::Platform;
use sandbox::SandboxError;
use store::StoreError;

use crate::exec::devices::error::DeviceError;
use crate::exec::ending::Ending;
use crate::exec::error::ExecError;
use crate::exec::failed::FailedStep;
use crate::exec::fault::Fault;
use crate::file::error::{FileError, MissingPath};
use crate::source::error::SourceError;

/// Why a vertex has no result.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The process of a `RUN` failed.
    #[error("{source}")]
    Process {
        /// Why.
        source: ExecError,
        /// What it left. Dropped like the error, it is deleted.
        left: Box<FailedStep>,
    },
    /// A `RUN` failed before there was a process.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A `COPY`, `ADD` or `WORKDIR` failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A source could not be fetched.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vertex has fewer inputs than its operation needs, or an input is a context where a tree of the store
    /// is needed. The planner makes no such graphs.
    #[error("step {vertex} has no usable input {position}")]
    Input {
        /// The vertex.
        vertex: VertexId,
        /// The position of the input.
        position: usize,
    },
}

impl ExecuteError {
    /// How the process ended that failed, if one ran and failed.
    pub fn ending(&self) -> Option<&Ending> {
        match self {
            Self::Process { source: ExecError::Exited { ending, .. }, .. } => Some(ending),
            _ => None,
        }
    }

    /// What is wrong with the program that did not run, if that is known.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Process { source, .. } | Self::Exec(source) => match source {
                ExecError::Sandbox { source, .. } => Fault::of_error(source),
                ExecError::Exited { fault, .. } => fault.as_deref().cloned(),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the image is for, if this machine cannot run its programs.
    pub fn foreign_platform(&self) -> Option<&Platform> {
        match self {
            Self::Exec(ExecError::Foreign { image, .. }) => Some(image),
            _ => None,
        }
    }

    /// Whether it failed because this machine refused a part of the sandbox.
    pub fn lacks_sandbox(&self) -> bool {
        matches!(self, Self::Exec(ExecError::Sandbox { source: SandboxError::Setup { .. }, .. }))
    }

    /// The devices that it may not have, by their full names, if that is why it failed.
    pub fn forbidden_devices(&self) -> Option<&[String]> {
        match self {
            Self::Exec(ExecError::Devices(DeviceError::NotAllowed(names))) => Some(names),
            _ => None,
        }
    }

    /// What a copy did not find, if that is why it failed.
    pub fn missing_source(&self) -> Option<&MissingPath> {
        match self {
            Self::File(FileError::SourceNotFound(missing)) => Some(missing),
            _ => None,
        }
    }
}

/// A name that could not be pinned.
#[derive(Debug, thiserror::Error)]
#[error("{}", attempt(name))]
pub struct PinError {
    /// The name.
    pub name: Box<Name>,
    /// Why not.
    #[source]
    pub source: SourceError,
}

/// What was attempted, in BuildKit's words.
fn attempt(name: &Name) -> String {
    match name {
        Name::Image(image) => format!("failed to resolve source metadata for {}", image.location),
        Name::Http(_) => format!("failed to load {name}"),
        Name::Git(_) | Name::Time(_) => format!("failed to resolve {name}"),
    }
}
