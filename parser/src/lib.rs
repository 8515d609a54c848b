//! Dockerfile and .dockerignore text to syntax tree and diagnostics; pure and total.
#![forbid(unsafe_code)]
