//! The composition root: everything that a command of `builder` does, as one call each.
//!
//! - [`request`]: what a build is asked for
//! - [`event`]: what it tells while it runs
//! - [`outcome`]: what it ends with
//! - [`error`]: why it failed
#![forbid(unsafe_code)]

pub mod error;
pub mod event;
pub mod outcome;
pub mod request;

pub use error::{BuildError, IgnoreRule, MissingSource, StepError};
pub use event::{Event, EventReceiver, Events, StepNumber, StepResult, Stream};
pub use outcome::{BuiltImage, DockerfileText, Finding, Location, Outcome};
pub use request::{BuildRequest, Export};
