//! Dockerfile and .dockerignore text to syntax tree and diagnostics; pure and total.
//!
//! [`ast`] has the tree, [`instruction`] one struct for each instruction, [`word`] the arguments before
//! variables are replaced, [`span`] places and lines, [`diagnostic`] what is reported.
#![forbid(unsafe_code)]

pub mod ast;
pub mod diagnostic;
pub mod heredoc;
pub mod instruction;
pub mod span;
pub mod word;

pub use ast::{Dockerfile, Instruction, Parsed, Spanned, Stage};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use span::{LineIndex, Span};
pub use word::Word;
