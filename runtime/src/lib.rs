//! Run a process of a finished image in the foreground.
//!
//! ```text
//! image config + options ─ command ─→ process ┐
//! draft on the image's snapshot ─ stack ──────┴→ sandbox::Spec → Container → exit
//! ```
//!
//! A container is a draft of the store on top of the image's layers: what the process writes goes
//! there, and the draft is deleted when the [`Container`] is dropped. The sandbox is the one of
//! build steps, so an image behaves in both alike.
//!
//! - [`command`]: what is run, with which variables: image config and options together
//! - [`container`]: starting, and what a running container can be asked
//! - [`network`]: the network that a process asks for, and the one that it gets
//! - [`privileges`]: what a container may do more, or less, than others
//! - [`root`]: a draft as the root of a process, for containers and build steps
//! - [`snapshotter`]: whether that is an overlay or a copy
//! - [`surroundings`]: `/etc/hosts` and its like, for containers and build steps
//! - [`user`]: users looked up in an image's own files, for containers and build steps
#![forbid(unsafe_code)]

pub mod command;
pub mod container;
pub mod network;
pub mod privileges;
pub mod root;
pub mod snapshotter;
pub mod surroundings;
pub mod user;

pub use command::RunOptions;
pub use container::{Container, RunError, Runner};
pub use network::NetworkChoice;
pub use privileges::{Capabilities, Privileges};
pub use snapshotter::{NoOverlays, Snapshotter, SnapshotterChoice};
