//! Run one process in an isolated root: namespaces, mounts, seccomp. The only crate with unsafe code.
#![forbid(unsafe_code)]
