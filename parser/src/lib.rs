//! Dockerfile and .dockerignore text to syntax tree and diagnostics; pure and total.
//!
//! [`parse()`] reads a whole Dockerfile, [`parse_instruction`] one instruction (the ONBUILD triggers of
//! a base image). Neither fails: what is wrong becomes a [`Diagnostic`] with a place in the text, and
//! what could be understood is in the tree. The crate knows no image, no environment and no file.
//!
//! The way of one instruction through the crate:
//!
//! 1. `lines` cuts the text into logical lines: byte order mark, CRLF, directives, comments,
//!    continuations with the escape character that was chosen at run time, here-documents.
//! 2. [`instruction`] looks at the keyword and hands the rest to the file of that name, which parses
//!    it by a rule of the pest grammar (`dockerfile.pest`) into a struct of its own.
//! 3. `parse` puts the instructions into stages.
//! 4. A reader of the tree ([`ast`]) finds each argument unexpanded; a [`Word`] becomes a `String` only
//!    by [`Word::expand`], so no `$VAR` can get past it.
//!
//! [`dump()`] writes the tree as text. [`ignore`] is the `.dockerignore` matcher. [`span`] has places and
//! lines, [`diagnostic`] what is reported, [`heredoc`] here-documents, [`suggest`] the did-you-mean rule,
//! [`go`] what Dockerfiles have from the language of their first reader.
#![forbid(unsafe_code)]

pub mod ast;
pub mod diagnostic;
mod dump;
pub mod go;
mod grammar;
pub mod heredoc;
pub mod ignore;
pub mod instruction;
mod lines;
mod parse;
pub mod span;
pub mod suggest;
pub mod word;

pub use ast::{Dockerfile, Instruction, Parsed, Spanned, Stage};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use dump::dump;
pub use parse::{parse, parse_instruction};
pub use span::{LineIndex, Span};
pub use word::Word;
