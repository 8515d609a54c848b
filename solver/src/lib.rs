//! Get each vertex's result once, in parallel: look it up, else its inputs and then itself.
#![forbid(unsafe_code)]
