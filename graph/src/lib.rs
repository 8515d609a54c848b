//! The build graph: operations, vertices, edges, their stable digests, a readable dump; pure.
#![forbid(unsafe_code)]
