//! The composition root: open the state, plan, solve, export.
#![forbid(unsafe_code)]
