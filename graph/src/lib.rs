//! The build graph: what a build does, as a value that can be hashed, compared and printed.
//!
//! The planner makes a [`Graph`] out of a Dockerfile; the solver gets the result of each of its
//! vertices. Nothing here touches a disk, a network or a clock.
//!
//! - [`vertex`]: [`Graph`], [`Vertex`], [`VertexId`], and [`Edge`]s with their [`Dependence`]
//! - [`op`]: [`Op`], the closed set of operations, and its stable encoding
//! - [`source`]: what enters a build from outside, by content ([`Source`])
//! - [`exec`]: running a process ([`Exec`])
//! - [`file`]: copying files and making directories ([`FileOp`])
//! - [`name`]: mutable [`Name`]s and the immutable [`Pin`]s that they are resolved to
//! - [`dump`]: the readable form, for tests and bug reports
//!
//! # What is in an operation, and what is not
//!
//! Every field of an [`Op`] is part of its identity. Whatever must not influence the identity of
//! a step has no field: labels and source positions are kept by the planner beside the graph;
//! secret values, proxy variables, limits and the addresses of `--add-host` by the executor's
//! session; where a pinned image can be downloaded as well.
#![forbid(unsafe_code)]

pub mod dump;
pub mod exec;
pub mod file;
pub mod name;
pub mod op;
pub mod source;
pub mod vertex;

pub use exec::Exec;
pub use file::FileOp;
pub use name::{Name, Pin, Pins};
pub use op::Op;
pub use source::Source;
pub use vertex::{Dependence, Edge, Graph, Vertex, VertexId};
