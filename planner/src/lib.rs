//! Syntax tree, options and pins to a plan: graph, target configs, step labels; pure.
#![forbid(unsafe_code)]
