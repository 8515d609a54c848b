//! For tests: an in-process registry, tiny images, a hermetic command line, a machine to count on, the tidy tests.
//!
//! - [`registry`]: an OCI registry on a port of this machine, which fails where a test wants it to
//! - [`files`]: a directory by http
//! - [`images`]: a small root file system, and images in all the forms that they travel in
//! - [`harness`]: what a test program with a `main` of its own has to answer
//! - [`command`]: a program in a directory of its own, with no environment but its own
//! - [`machine`]: namespaces for a program, in which everything that it leaves behind is counted
#![forbid(unsafe_code)]

pub mod command;
pub mod files;
pub mod harness;
pub mod images;
pub mod machine;
pub mod registry;
mod server;
