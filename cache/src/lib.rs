//! Memory of what was built: cache key to record, and why a step missed.
#![forbid(unsafe_code)]
