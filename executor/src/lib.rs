//! Do one thing for real: pin a name, fetch a source, run a process, copy files.
#![forbid(unsafe_code)]
