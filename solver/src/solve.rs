//! The two stages of every vertex, and the tasks that drive them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cache::{Cache, CacheError, CacheKey, InputKey, KeyImage, Lookup, Miss, Position, Record};
use graph::vertex::InputIndex;
use graph::{Dependence, Graph, Vertex, VertexId};
use tokio::sync::{Notify, Semaphore, SetOnce};
use tokio::task::JoinSet;

use crate::claim::Claims;
use crate::event::{Event, Events};
use crate::run::Reason;
use crate::worker::Worker;

/// What to solve.
#[derive(Clone, Debug)]
pub struct Job {
    /// The vertices.
    pub graph: Arc<Graph>,
    /// Those whose results are wanted.
    pub roots: Vec<VertexId>,
    /// Where vertices stand in a Dockerfile, to explain misses by.
    pub positions: HashMap<VertexId, Position>,
    /// Which vertices are run although their results are known.
    pub bypass: Bypass,
    /// How many processes run at once at the most.
    pub processes: usize,
}

/// Which vertices are run although their results are known. Sources are not among them: what was
/// pinned cannot have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Bypass {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// These.
    Only(HashSet<VertexId>),
}

impl Bypass {
    fn includes(&self, vertex: VertexId) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(vertices) => vertices.contains(&vertex),
        }
    }
}

/// Why a job was not solved.
#[derive(Debug, thiserror::Error)]
pub enum SolveError<E: std::error::Error + 'static> {
    /// A vertex failed.
    #[error("{source}")]
    Vertex {
        /// The vertex.
        vertex: VertexId,
        /// What the worker says.
        #[source]
        source: E,
    },
    /// The cache failed.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Gets the results of all roots.
///
/// Dropping the future cancels everything that runs.
pub async fn solve<W: Worker>(
    job: Job,
    cache: Arc<Cache>,
    worker: Arc<W>,
    events: Events,
) -> Result<HashMap<VertexId, W::Output>, SolveError<W::Error>> {
    let roots = job.roots.clone();
    let needed = job.graph.needed_by(roots.iter().copied());
    let cells = needed.iter().map(|vertex| (*vertex, Cells::default())).collect();
    let processes = Semaphore::new(job.processes.clamp(1, Semaphore::MAX_PERMITS));
    let claims = Claims::default();
    let solver = Arc::new(Solver { job, cache, worker, events, processes, claims, cells });
    // Dropping the set aborts its tasks.
    let mut tasks = JoinSet::new();
    // In the order of the graph, so that on one thread the same job is the same schedule.
    for (vertex, _) in solver.job.graph.vertices().filter(|(vertex, _)| needed.contains(vertex)) {
        tasks.spawn(Arc::clone(&solver).drive(vertex));
    }
    let outputs = async {
        let outputs = solver.outputs(roots.iter().copied()).await;
        roots.iter().copied().zip(outputs).collect()
    };
    let first_failure = async {
        while let Some(ended) = tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return failure,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_canceled) => {}
                },
            }
        }
        // All tasks are done, so all outputs are there: the other branch is the one that ends.
        std::future::pending().await
    };
    let result = tokio::select! {
        biased;
        outputs = outputs => Ok(outputs),
        failure = first_failure => Err(failure),
    };
    // What still runs has cleaned up when this returns.
    tasks.shutdown().await;
    result
}

/// Everything that the tasks share.
pub(crate) struct Solver<W: Worker> {
    pub(crate) job: Job,
    pub(crate) cache: Arc<Cache>,
    pub(crate) worker: Arc<W>,
    pub(crate) events: Events,
    pub(crate) processes: Semaphore,
    pub(crate) claims: Claims,
    cells: HashMap<VertexId, Cells<W::Output>>,
}

/// What is known of a vertex so far.
struct Cells<Output> {
    identity: SetOnce<Identity>,
    output: SetOnce<Output>,
    wanted: Notify,
}

impl<Output> Default for Cells<Output> {
    fn default() -> Self {
        Self { identity: SetOnce::new(), output: SetOnce::new(), wanted: Notify::new() }
    }
}

/// A settled identity.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// A local context: known by content only.
    Volatile,
    /// A pinned source: known by its operation.
    Source(CacheKey),
    /// A step whose result is known, or was made to settle the identity.
    Known(Record),
    /// A step whose result is not at hand, though its key is settled.
    Lost { key: CacheKey, miss: Miss },
    /// A step that was run, with a result that cannot be remembered.
    Ran(CacheKey),
}

impl Identity {
    /// What the keys of later vertices are made of.
    pub(crate) fn key(&self) -> Option<CacheKey> {
        match self {
            Self::Volatile => None,
            Self::Source(key) | Self::Lost { key, .. } | Self::Ran(key) => Some(*key),
            Self::Known(record) => Some(record.key),
        }
    }
}

/// What the keys of a vertex are made of.
pub(crate) struct Images {
    /// Of the inputs' keys; none if an input has no key.
    pub(crate) definition: Option<KeyImage>,
    /// Of the content of the inputs that count by content; none if there are no such inputs.
    pub(crate) content: Option<KeyImage>,
}

impl<W: Worker> Solver<W> {
    /// The task of one vertex.
    async fn drive(self: Arc<Self>, id: VertexId) -> Result<(), SolveError<W::Error>> {
        let (Some(vertex), Some(cells)) = (self.job.graph.get(id), self.cells.get(&id)) else {
            return Ok(());
        };
        let (identity, output) = self.identify(id, vertex).await?;
        // Nobody else sets them.
        let _ = cells.identity.set(identity.clone());
        if let Some(output) = output {
            let _ = cells.output.set(output);
            return Ok(());
        }
        cells.wanted.notified().await;
        let output = self.produce(id, vertex, identity).await?;
        let _ = cells.output.set(output);
        Ok(())
    }

    /// The output of a vertex, which its task makes now if it has not yet.
    pub(crate) async fn output(&self, vertex: VertexId) -> W::Output {
        // A job has cells for everything that its roots need.
        let cells = &self.cells[&vertex];
        cells.wanted.notify_one();
        cells.output.wait().await.clone()
    }

    /// The outputs of vertices, made at the same time.
    pub(crate) async fn outputs(&self, vertices: impl Iterator<Item = VertexId>) -> Vec<W::Output> {
        futures_util::future::join_all(vertices.map(|vertex| self.output(vertex))).await
    }

    /// Settles the identity; gives the output too if the vertex had to be run for that.
    async fn identify(
        &self,
        id: VertexId,
        vertex: &Vertex,
    ) -> Result<(Identity, Option<W::Output>), SolveError<W::Error>> {
        if vertex.op.is_volatile() {
            return Ok((Identity::Volatile, None));
        }
        if vertex.inputs.is_empty() {
            let image = KeyImage { op: vertex.op.clone(), inputs: Vec::new() };
            return Ok((Identity::Source(image.key()), None));
        }
        let bypassed = self.job.bypass.includes(id);
        let mut images = Images { definition: self.definition(vertex).await, content: None };
        if let (Some(image), false) = (&images.definition, bypassed)
            && let Some(identity) = self.look_up(id, image.key())?
        {
            return Ok((identity, None));
        }
        images.content = self.content(id, vertex).await?;
        if let (Some(image), false) = (&images.content, bypassed)
            && let Some(identity) = self.look_up(id, image.key())?
        {
            if let (Some(definition), Some(key)) = (&images.definition, identity.key()) {
                self.cache.alias(definition.key(), key)?;
            }
            return Ok((identity, None));
        }
        let reason = if bypassed { Reason::Bypassed } else { Reason::Unknown };
        self.run(id, vertex, &images, reason).await
    }

    /// Makes the output of a vertex whose identity is settled.
    async fn produce(
        &self,
        id: VertexId,
        vertex: &Vertex,
        identity: Identity,
    ) -> Result<W::Output, SolveError<W::Error>> {
        let failed = |source| SolveError::Vertex { vertex: id, source };
        match identity {
            Identity::Known(record) => {
                if let Some(output) = self.worker.load(&record).await.map_err(failed)? {
                    return Ok(output);
                }
                self.cache.evict(record.result)?;
                let miss = Miss::Evicted { at: std::time::SystemTime::now() };
                self.run_again(id, vertex, record.key, miss).await
            }
            Identity::Lost { key, miss } => self.run_again(id, vertex, key, miss).await,
            Identity::Volatile | Identity::Source(_) | Identity::Ran(_) => self.fetch(id, vertex).await,
        }
    }

    /// Looks a key up; what is found is settled.
    fn look_up(&self, id: VertexId, key: CacheKey) -> Result<Option<Identity>, SolveError<W::Error>> {
        // The cache answers in microseconds, from memory or a local file: not worth another thread.
        Ok(match self.cache.lookup(key)? {
            Lookup::Hit(record) => Some(self.found(id, record)?),
            Lookup::Evicted { key, at } => Some(Identity::Lost { key, miss: Miss::Evicted { at } }),
            Lookup::Unknown => None,
        })
    }

    /// The identity of a vertex whose record was found.
    pub(crate) fn found(&self, id: VertexId, record: Record) -> Result<Identity, SolveError<W::Error>> {
        self.cache.used(record.key, self.job.positions.get(&id))?;
        self.events.send(Event::Cached { vertex: id });
        Ok(Identity::Known(record))
    }

    /// The pre-image of the definition key; none if an input is volatile.
    async fn definition(&self, vertex: &Vertex) -> Option<KeyImage> {
        let is_volatile = |id| self.job.graph.get(id).is_some_and(|input| input.op.is_volatile());
        if vertex.inputs.iter().any(|edge| is_volatile(edge.from)) {
            // Known before the other inputs are settled, so their work and the reading of a local
            // context go on at the same time.
            return None;
        }
        let mut keys = Vec::with_capacity(vertex.inputs.len());
        for edge in &vertex.inputs {
            keys.push(InputKey::Key(self.cells[&edge.from].identity.wait().await.key()?));
        }
        Some(KeyImage { op: vertex.op.clone(), inputs: keys })
    }

    /// The pre-image of the content key; none if no input counts by content.
    async fn content(&self, id: VertexId, vertex: &Vertex) -> Result<Option<KeyImage>, SolveError<W::Error>> {
        let inputs = (0..vertex.inputs.len()).map(|index| self.input_key(id, vertex, InputIndex(index)));
        let inputs = futures_util::future::try_join_all(inputs).await?;
        let any = inputs.iter().any(|input| matches!(input, InputKey::Content(_)));
        Ok(any.then(|| KeyImage { op: vertex.op.clone(), inputs }))
    }

    /// What an input contributes to the content key.
    async fn input_key(
        &self,
        id: VertexId,
        vertex: &Vertex,
        index: InputIndex,
    ) -> Result<InputKey, SolveError<W::Error>> {
        let edge = &vertex.inputs[index.0];
        let key = self.cells[&edge.from].identity.wait().await.key();
        let everything = [image::PathPattern::new("/")];
        let patterns = match (&edge.by, key) {
            (Dependence::Definition, Some(key)) => return Ok(InputKey::Key(key)),
            (Dependence::Definition, None) => everything.as_slice(),
            (Dependence::Content(patterns), _) => patterns,
        };
        let output = self.output(edge.from).await;
        let content = self.worker.content(&vertex.op, index, &output, patterns).await;
        content.map(InputKey::Content).map_err(|source| SolveError::Vertex { vertex: id, source })
    }
}
