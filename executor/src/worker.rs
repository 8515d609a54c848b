//! The session as the solver's worker: one arm for each operation.

use cache::content::{FileEntry, FileKind};
use cache::{ContentKey, Record};
use graph::file::{Copy, ModeChange};
use graph::vertex::InputIndex;
use graph::{FileOp, Op, Source, VertexId};
use image::{Digest, PathPattern};
use solver::{StepLog, Worker};
use store::{ContentDigest, ContentOptions, ManifestKind, Snapshot, SnapshotId};

use crate::blocking::blocking;
use crate::error::ExecuteError;
use crate::output::Output;
use crate::session::Session;
use crate::source::error::SourceError;
use crate::{exec, file, merge, source};

impl Worker for Session {
    type Output = Output;
    type Error = ExecuteError;

    async fn run(
        &self,
        vertex: VertexId,
        op: &Op,
        inputs: Vec<Output>,
        log: StepLog,
    ) -> Result<Output, ExecuteError> {
        let snapshot = |position: usize| match inputs.get(position) {
            Some(Output::Snapshot(snapshot)) => Ok(snapshot.clone()),
            _ => Err(ExecuteError::Input { vertex, position }),
        };
        let store = self.executor.store().clone();
        let result = match op {
            Op::Source(Source::Local(name)) => {
                let tree = self.options.contexts.get(name).cloned();
                let tree = tree.ok_or_else(|| SourceError::NoContext { name: name.clone() })?;
                return Ok(Output::Context(name.clone(), tree));
            }
            Op::Source(source) => source::fetch(self, source, &log).await?,
            Op::Exec(exec) => exec::run(self, exec, snapshot(0)?, inputs, &log).await?,
            Op::File(operation) => {
                let (operation, base) = (operation.clone(), snapshot(0)?);
                blocking(move || file::run(&store, &operation, &base, &inputs)).await?
            }
            Op::Merge => {
                let (onto, layer_of) = (snapshot(0)?, snapshot(1)?);
                blocking(move || merge::run(&store, &onto, &layer_of)).await?
            }
        };
        Ok(Output::Snapshot(result))
    }

    async fn load(&self, record: &Record) -> Result<Option<Output>, ExecuteError> {
        Ok(find(self, record.result).await?.map(Output::Snapshot))
    }

    async fn content(
        &self,
        op: &Op,
        _input: InputIndex,
        output: &Output,
        patterns: &[PathPattern],
    ) -> Result<ContentKey, ExecuteError> {
        let options = match op {
            Op::File(FileOp::Copy(copy)) => content_options(copy),
            _ => ContentOptions::default(),
        };
        let (tree, patterns) = (output.tree(), patterns.to_vec());
        let content = blocking(move || tree.content_digest(&patterns, options)).await?;
        Ok(content_key(content, options))
    }

    fn snapshot(&self, output: &Output) -> Option<SnapshotId> {
        match output {
            Output::Snapshot(snapshot) => Some(snapshot.id()),
            Output::Context(..) => None,
        }
    }

    async fn layer_digest(&self, snapshot: SnapshotId) -> Result<Option<Digest>, ExecuteError> {
        let Some(snapshot) = find(self, snapshot).await? else { return Ok(None) };
        let store = self.executor.store().clone();
        Ok(blocking(move || store.timeless_layer_digest(&snapshot)).await?)
    }
}

async fn find(session: &Session, id: SnapshotId) -> Result<Option<Snapshot>, ExecuteError> {
    let store = session.executor.store().clone();
    Ok(blocking(move || store.snapshot(id)).await?)
}

/// What a copy sets anyway does not count in its sources.
fn content_options(copy: &Copy) -> ContentOptions {
    ContentOptions {
        ignores_mode: matches!(copy.mode, Some(ModeChange::Octal(_))),
        ignores_owner: copy.owner.is_some(),
    }
}

fn content_key(content: ContentDigest, options: ContentOptions) -> ContentKey {
    let files = content.manifest.into_iter().map(|entry| FileEntry {
        path: entry.path.to_string(),
        kind: match entry.kind {
            ManifestKind::File => FileKind::File,
            ManifestKind::Directory => FileKind::Directory,
            ManifestKind::Symlink => FileKind::Symlink,
            ManifestKind::Fifo => FileKind::Fifo,
            ManifestKind::CharDevice | ManifestKind::BlockDevice => FileKind::Device,
            ManifestKind::Socket => FileKind::Socket,
        },
        mode: (!options.ignores_mode).then_some(entry.mode),
        owner: (!options.ignores_owner).then_some((entry.uid, entry.gid)),
        digest: entry.digest,
    });
    ContentKey::new(content.digest, files.collect())
}
