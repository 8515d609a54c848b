//! Run a process of an image in the foreground, through the same sandbox as the build.
#![forbid(unsafe_code)]
