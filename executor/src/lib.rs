//! Do one thing for real: pin a name, fetch a source, run a process, copy files.
//!
//! ```text
//! Executor ─ session(contexts, secrets, …) ─→ Session ─┬─ pin(names)      before there is a graph
//!                                                      └─ solver::Worker  one vertex at a time
//! ```
//!
//! An [`Executor`] lives as long as the program and holds what all builds share: the store, the sandbox, the
//! connections. A [`Session`] is one build: its contexts, its secrets, and where its pinned sources can be
//! fetched. Nothing of that is in the graph, so nothing of it reaches a cache key.
//!
//! `store` and `sandbox` block; every call into them is made on a blocking thread, in `blocking`.
//!
//! - [`executor`]: [`Executor`], and pulling an image
//! - [`session`]: [`Session`] and its options
//! - `worker`: the session as a [`solver::Worker`]
//! - [`output`]: [`Output`], what a vertex results in
//! - [`source`]: images, downloads, repositories
//! - [`exec`]: processes, that is, `RUN`
//! - [`file`]: files without a process, that is, `COPY`, `ADD`, `WORKDIR`
//! - `merge`: a layer on another tree
//! - [`error`]: what can go wrong
#![forbid(unsafe_code)]

mod blocking;
pub mod error;
pub mod exec;
pub mod executor;
pub mod file;
mod merge;
pub mod output;
pub mod session;
pub mod source;
pub mod ssh;
mod worker;

pub use error::{ExecuteError, PinError};
pub use exec::attached::Attached;
pub use exec::devices::error::DeviceError;
pub use exec::devices::grants::DeviceGrants;
pub use exec::ending::Ending;
pub use exec::error::ExecError;
pub use exec::failed::FailedStep;
pub use exec::fault::Fault;
pub use executor::{Executor, ExecutorParts, PulledImage};
pub use file::error::{FileError, MissingPath};
pub use file::similar::similar;
pub use output::Output;
pub use session::{
    DefaultNetwork, ImagePolicy, SecretError, SecretSource, SecretValue, Session, SessionOptions,
};
pub use source::error::SourceError;
