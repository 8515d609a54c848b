//! The graph itself: vertices that are known by what they do, and the edges between them.

use std::collections::HashSet;
use std::fmt;

use image::{Digest, PathPattern};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::Op;

/// The identity of a vertex: the digest of its operation and of all that it depends on.
///
/// Two vertices of equal definition are one vertex. The id means something within one graph
/// only, since the local context is in it by name; across builds there are cache keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VertexId(Digest);

impl fmt::Display for VertexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The position of an input in [`Vertex::inputs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InputIndex(pub usize);

/// One step of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// What is done.
    pub op: Op,
    /// What it is done with, in the order that the operation defines.
    pub inputs: Vec<Edge>,
}

/// How a vertex depends on another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The vertex whose result is the input.
    pub from: VertexId,
    /// What of it counts.
    pub by: Dependence,
}

impl Edge {
    /// An input that counts by how it was made.
    pub fn definition(from: VertexId) -> Self {
        Self { from, by: Dependence::Definition }
    }

    /// An input that counts by the content of what the patterns select.
    pub fn content(from: VertexId, patterns: Vec<PathPattern>) -> Self {
        Self { from, by: Dependence::Content(patterns) }
    }
}

/// What of an input counts for the cache key of the vertex that reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dependence {
    /// How it was made, that is, its own cache key.
    Definition,
    /// The content of the selected paths, however it was made.
    Content(Vec<PathPattern>),
}

/// All steps of a build.
///
/// Vertices are added after their inputs and named by a digest over them, so a graph has no
/// cycles and no dangling edges.
#[derive(Clone, Debug, Default)]
pub struct Graph(IndexMap<VertexId, Vertex>);

impl Graph {
    /// Adds a vertex, unless an equal one is there already, and returns its id.
    ///
    /// # Panics
    ///
    /// If an edge comes from a vertex that is not in this graph: ids are made by this function
    /// only, so that is a mistake of the caller.
    pub fn add(&mut self, op: Op, inputs: Vec<Edge>) -> VertexId {
        assert!(inputs.iter().all(|edge| self.0.contains_key(&edge.from)), "an edge of another graph");
        let identity = serde_json::to_vec(&(op.digest(), &inputs)).expect("edges have only string keys");
        let id = VertexId(Digest::of(&identity));
        self.0.entry(id).or_insert(Vertex { op, inputs });
        id
    }

    /// The vertex of that id.
    pub fn get(&self, id: VertexId) -> Option<&Vertex> {
        self.0.get(&id)
    }

    /// All vertices, each after its inputs.
    pub fn vertices(&self) -> impl Iterator<Item = (VertexId, &Vertex)> {
        self.0.iter().map(|(id, vertex)| (*id, vertex))
    }

    /// The vertices that the roots need, themselves included.
    pub fn needed_by(&self, roots: impl IntoIterator<Item = VertexId>) -> HashSet<VertexId> {
        let mut needed = HashSet::new();
        let mut waiting: Vec<VertexId> = roots.into_iter().collect();
        while let Some(id) = waiting.pop() {
            if needed.insert(id) {
                let inputs = self.get(id).map(|vertex| vertex.inputs.as_slice()).unwrap_or_default();
                waiting.extend(inputs.iter().map(|edge| edge.from));
            }
        }
        needed
    }
}
