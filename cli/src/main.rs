//! The `builder` command.
#![forbid(unsafe_code)]

fn main() {}
