//! What is remembered of a failed step: one JSON object, `ROOT/layers/<id>/kept`.
//!
//! Values of secrets are no part of it, nor is anything else that belongs to the session and not to the step: agents,
//! proxies. Who steps in again is asked for them again.

use executor::DefaultNetwork;
use graph::Exec;
use graph::exec::MountKind;
use graph::source::ContextName;
use runtime::surroundings::Names;
use sandbox::Limits;
use serde::{Deserialize, Serialize};
use store::SnapshotId;

use crate::contexts::ContextOrigin;

/// The version of this format. Another one is refused, as is another encoding of operations.
const VERSION: u32 = 2;

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is of another version of this program.
    #[error("another version of this program has kept it")]
    Version,
    /// It is damaged.
    #[error("its record is damaged")]
    Damaged(#[source] serde_json::Error),
}

/// What is remembered of a failed step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The name of the step: `[build 2/4] RUN make`.
    pub label: String,
    /// The Dockerfile, as messages call it.
    pub dockerfile: String,
    /// The line of the instruction in it, counted from one; none if it is of no Dockerfile.
    pub line: Option<usize>,
    /// The stage: its name, or `stage-0`.
    pub stage: String,
    /// The names that the image was to get.
    pub images: Vec<String>,
    /// The exit code of the process, if one ran.
    pub exit: Option<i32>,
    /// Why the step failed.
    pub error: String,
    /// The last lines of its output.
    pub output: Vec<String>,
    /// What `SHELL` says there; empty if nothing does.
    pub(crate) shell: Vec<String>,
    /// What was run.
    pub(crate) exec: Exec,
    /// The trees that it was run with.
    pub(crate) inputs: Vec<InputRecord>,
    /// What it was told of names: `--add-host`, `--dns` and their like.
    pub(crate) names: Names,
    /// The network of steps that ask for none in particular.
    pub(crate) network: DefaultNetwork,
    /// Size of `/dev/shm` in bytes.
    pub(crate) shm_size: u64,
    /// Limits for all processes together.
    pub(crate) limits: Limits,
}

/// A tree that a step was run with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InputRecord {
    /// One of the store.
    Snapshot(SnapshotId),
    /// A context.
    Context(ContextName, ContextOrigin),
}

impl InputRecord {
    /// The snapshot that has to stay for it.
    pub(crate) fn snapshot(&self) -> Option<SnapshotId> {
        match self {
            Self::Snapshot(id) | Self::Context(_, ContextOrigin::Snapshot(id)) => Some(*id),
            Self::Context(_, ContextOrigin::Directory { .. }) => None,
        }
    }
}

/// Something that a step wants to have from its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The secret of that name, as a file or a variable.
    Secret(&'a str),
    /// The ssh agent of that name.
    Agent(&'a str),
}

#[derive(Serialize, Deserialize)]
struct Versions {
    version: u32,
    operations: u32,
}

#[derive(Serialize)]
struct Versioned<'a> {
    #[serde(flatten)]
    versions: Versions,
    #[serde(flatten)]
    record: &'a Record,
}

impl Record {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let versions = Versions { version: VERSION, operations: graph::op::ENCODING };
        serde_json::to_vec(&Versioned { versions, record: self })
    }

    pub(crate) fn decode(text: &[u8]) -> Result<Self, RecordError> {
        let versions: Versions = serde_json::from_slice(text).map_err(RecordError::Damaged)?;
        if (versions.version, versions.operations) != (VERSION, graph::op::ENCODING) {
            return Err(RecordError::Version);
        }
        serde_json::from_slice(text).map_err(RecordError::Damaged)
    }

    /// Where the instruction is: `Dockerfile:3`.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.dockerfile),
            None => self.dockerfile.clone(),
        }
    }

    /// What the step does without if it is not given.
    pub fn optional(&self) -> impl Iterator<Item = Wanted<'_>> {
        let variables = self.exec.secret_env.iter().filter(|variable| !variable.required);
        let variables = variables.map(|variable| Wanted::Secret(&variable.id));
        let mounts = self.exec.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Secret { id, required: false, .. } => Some(Wanted::Secret(id)),
            MountKind::Ssh { id, required: false, .. } => Some(Wanted::Agent(id)),
            _ => None,
        });
        variables.chain(mounts)
    }
}
