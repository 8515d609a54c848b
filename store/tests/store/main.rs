//! The store on a real disk: one test program, whose modules share the helpers in `disk`.
#![expect(clippy::unwrap_used, reason = "a test that meets an error ends there")]
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests say what they skip, and one is a child that reports"
)]

mod archives;
mod copies;
mod disk;
mod images;
mod kept;
mod killed;
mod overlayfs;
mod owners;
mod snapshots;
mod trees;
