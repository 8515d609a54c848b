//! For tests: an in-process registry, tiny images, a hermetic command line, the tidy tests.
#![forbid(unsafe_code)]

pub mod command;
