//! One vertex that is not known: running it, and remembering what came of it.

use std::time::Instant;

use cache::{CacheKey, KeyImage, Lookup, Miss, NewRecord, Record};
use graph::{Op, Vertex, VertexId};
use store::SnapshotId;

use crate::event::{Event, Events, StepLog};
use crate::solve::{Identity, Images, SolveError, Solver};
use crate::worker::Worker;

/// Why a vertex is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// No key of it leads to anything.
    Unknown,
    /// The job says so.
    Bypassed,
}

impl<W: Worker> Solver<W> {
    /// Settles the identity of a vertex that no key finds: runs it, unless an equal one of this job
    /// was faster. Gives the output too if it was run.
    pub(crate) async fn run(
        &self,
        id: VertexId,
        vertex: &Vertex,
        images: &Images,
        reason: Reason,
    ) -> Result<(Identity, Option<W::Output>), SolveError<W::Error>> {
        // An input without a key counts by content, so one of the two is there.
        let Some(image) = images.content.as_ref().or(images.definition.as_ref()) else {
            let output = self.fetch(id, vertex).await?;
            return Ok((Identity::Volatile, Some(output)));
        };
        let mut claim = self.claims.claim(image.key()).await;
        if let Some(record) = &*claim {
            if let Some(definition) = &images.definition {
                self.cache.alias(definition.key(), record.key)?;
            }
            return Ok((self.found(id, record.clone())?, None));
        }
        let miss = match reason {
            Reason::Bypassed => Miss::Bypassed,
            Reason::Unknown => self.cache.explain(self.job.positions.get(&id), image)?,
        };
        let began = Instant::now();
        let output = self.work(id, vertex, Some(miss)).await?;
        let Some(result) = self.worker.snapshot(&output) else {
            let identity = match reason {
                Reason::Unknown => Identity::Ran(image.key()),
                // Under its key, what was built on an earlier result would be found.
                Reason::Bypassed => Identity::Volatile,
            };
            return Ok((identity, Some(output)));
        };
        let mut aliases: Vec<CacheKey> = images.definition.iter().map(KeyImage::key).collect();
        aliases.push(image.key());
        let base = image.inputs.first().and_then(|input| match input {
            cache::InputKey::Key(key) => Some(*key),
            cache::InputKey::Content(_) => None,
        });
        let record = self.cache.insert(&NewRecord {
            key: self.key_for(vertex, image.key(), reason, result)?,
            image,
            aliases: &aliases,
            result,
            base,
            duration: began.elapsed(),
            position: self.job.positions.get(&id),
        })?;
        let (record, output) = self.settle(id, vertex, record, &aliases, output).await?;
        *claim = Some(record.clone());
        Ok((Identity::Known(record), Some(output)))
    }

    /// The key that a result is recorded under.
    fn key_for(
        &self,
        vertex: &Vertex,
        key: CacheKey,
        reason: Reason,
        result: SnapshotId,
    ) -> Result<CacheKey, SolveError<W::Error>> {
        // Only a process can give something else when nothing that it is known by has changed.
        if reason == Reason::Unknown || !matches!(vertex.op, Op::Exec(_)) {
            return Ok(key);
        }
        Ok(match self.cache.lookup(key)? {
            // What was built on the earlier result must not be found for this one.
            Lookup::Hit(_) | Lookup::Evicted { .. } => key.refreshed(result),
            Lookup::Unknown => key,
        })
    }

    /// Runs a vertex once more whose key is settled, because its result is gone.
    pub(crate) async fn run_again(
        &self,
        id: VertexId,
        vertex: &Vertex,
        key: CacheKey,
        miss: Miss,
    ) -> Result<W::Output, SolveError<W::Error>> {
        let began = Instant::now();
        let output = self.work(id, vertex, Some(miss)).await?;
        if let Some(result) = self.worker.snapshot(&output) {
            self.cache.renew(key, result, began.elapsed())?;
        }
        Ok(output)
    }

    /// Gets the tree of a source.
    pub(crate) async fn fetch(
        &self,
        id: VertexId,
        vertex: &Vertex,
    ) -> Result<W::Output, SolveError<W::Error>> {
        self.work(id, vertex, None).await
    }

    /// The early cut-off: a process that gave the same layer as an earlier one on the same base is
    /// the same step for everything that follows, and has the earlier result.
    async fn settle(
        &self,
        id: VertexId,
        vertex: &Vertex,
        record: Record,
        aliases: &[CacheKey],
        output: W::Output,
    ) -> Result<(Record, W::Output), SolveError<W::Error>> {
        let (Op::Exec(_), Some(base)) = (&vertex.op, record.base) else {
            return Ok((record, output));
        };
        let siblings = self.cache.siblings(base, record.key)?;
        if siblings.is_empty() {
            return Ok((record, output));
        }
        let Some(layer) = self.layer_digest(id, record.result).await? else {
            return Ok((record, output));
        };
        for sibling in siblings {
            if self.layer_digest(id, sibling.result).await? != Some(layer) {
                continue;
            }
            let failed = |source| SolveError::Vertex { vertex: id, source };
            if let Some(earlier) = self.worker.load(&sibling).await.map_err(failed)? {
                self.cache.equate(record.key, aliases, &sibling)?;
                return Ok((sibling, earlier));
            }
        }
        Ok((record, output))
    }

    async fn layer_digest(
        &self,
        id: VertexId,
        snapshot: SnapshotId,
    ) -> Result<Option<image::Digest>, SolveError<W::Error>> {
        if let Some(known) = self.cache.layer_digest(snapshot)? {
            return Ok(Some(known));
        }
        let failed = |source| SolveError::Vertex { vertex: id, source };
        let digest = self.worker.layer_digest(snapshot).await.map_err(failed)?;
        if let Some(digest) = digest {
            self.cache.remember_layer_digest(snapshot, digest)?;
        }
        Ok(digest)
    }

    /// Lets the worker do the operation, and tells about it.
    async fn work(
        &self,
        id: VertexId,
        vertex: &Vertex,
        miss: Option<Miss>,
    ) -> Result<W::Output, SolveError<W::Error>> {
        let inputs = self.outputs(vertex.inputs.iter().map(|edge| edge.from)).await;
        let _permit = match vertex.op {
            // The semaphore is never closed.
            Op::Exec(_) => self.processes.acquire().await.ok(),
            _ => None,
        };
        let started = Started::new(id, miss, &self.events);
        let log = StepLog::new(id, self.events.clone());
        match self.worker.run(id, &vertex.op, inputs, log).await {
            Ok(output) => {
                started.completed();
                Ok(output)
            }
            Err(source) => {
                started.failed(&source);
                Err(SolveError::Vertex { vertex: id, source })
            }
        }
    }
}

/// A vertex that is worked on. It counts as canceled unless something else is said.
struct Started<'a> {
    vertex: VertexId,
    events: &'a Events,
    began: Instant,
    ended: bool,
}

impl<'a> Started<'a> {
    fn new(vertex: VertexId, miss: Option<Miss>, events: &'a Events) -> Self {
        events.send(Event::Started { vertex, miss });
        Self { vertex, events, began: Instant::now(), ended: false }
    }

    fn completed(mut self) {
        self.ended = true;
        self.events.send(Event::Completed { vertex: self.vertex, duration: self.began.elapsed() });
    }

    fn failed(mut self, error: &dyn std::error::Error) {
        self.ended = true;
        let duration = self.began.elapsed();
        self.events.send(Event::Failed { vertex: self.vertex, error: error.to_string(), duration });
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.events.send(Event::Canceled { vertex: self.vertex, duration: self.began.elapsed() });
        }
    }
}
