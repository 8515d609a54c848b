//! Get each vertex's result once, in parallel: look it up, else its inputs and then itself.
//!
//! Every vertex that a root needs is driven by a task of its own, through two stages whose results
//! all others share:
//!
//! ```text
//!          identity                                            output
//! inputs' identities ─ key ─ known? ──────────────── yes ──→ (waits until somebody wants it) → load
//!                             no → content of inputs ─ key ─ known? ─ yes ──┘
//!                                                             no → all inputs' outputs → run → record
//! ```
//!
//! *Identity* is the settled [`cache::CacheKey`]: what the keys of later vertices are made of. A vertex has two
//! keys. The definition key is made of its inputs' keys and costs nothing. The content key has, for
//! inputs that count by content, the digest of what is read of them; for that those inputs must
//! exist. A vertex that neither key finds is run to settle its identity.
//!
//! What follows from it:
//!
//! - When everything is known nothing is loaded, nothing is pulled, nothing is run: sources have the
//!   digest of their operation as key, and outputs are made only when somebody wants them.
//! - An input that was made anew but is equal is found by the content key, and the definition key
//!   is aliased to it, so that the next build need not look at the content.
//! - A process that ran and whose layer equals that of an earlier record on the same base takes
//!   that record's key ([`cache::Cache::equate`]), so what follows is found. The layers are compared
//!   only where there is such a record: a first build pays nothing.
//! - A result that is gone when it is wanted is made again, under its old key.
//! - Two vertices that turn out to have the same key run once.
//! - A process that is run on demand, although it was known, gets a new key unless its layer is the
//!   same: what was built on the old result is not found for the new one.
//! - Local contexts have no key. Who reads them is known by content alone, and reads them while its
//!   other inputs are still worked on.
//!
//! # Order
//!
//! For each vertex that something happens to, there is first one [`Event::Started`] or
//! [`Event::Cached`]; a started one ends with one of [`Event::Completed`], [`Event::Failed`] and
//! [`Event::Canceled`]. A vertex that was found can be started later, if its result is gone.
//!
//! # Failure and cancellation
//!
//! The first failure ends the solving: what depends on the vertex never starts, what runs is
//! dropped, what was completed stays recorded. Dropping the future of [`solve()`] does the same.
//! Workers must therefore clean up when their futures are dropped.
//!
//! - [`worker`]: [`Worker`], who does the work
//! - [`event`]: [`Event`], [`Events`], [`StepLog`]
//! - `solve`: the two stages
//! - `run`: one vertex that is not known
//! - `claim`: two vertices that turn out to have one key
#![forbid(unsafe_code)]

mod claim;
pub mod event;
mod run;
mod solve;
pub mod worker;

pub use event::{Data, Event, Events, StepLog, Stream};
pub use solve::{Bypass, Job, SolveError, solve};
pub use worker::Worker;
