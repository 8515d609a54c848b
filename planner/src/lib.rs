//! Syntax tree, options and pins to a plan: graph, target configs, step labels; pure.
//!
//! [`plan()`] is the whole of it: it takes a parsed Dockerfile, the options of the build and what names
//! were resolved to, and gives a [`Plan`], or the names that it needs resolved first. It touches no
//! disk, no network, no clock and no environment, so a plan depends on nothing but its arguments.
//!
//! - [`mod@plan`]: the way from a Dockerfile to a plan, and what a plan is ([`Target`], [`BaseImage`])
//! - [`options`]: what a build is asked for ([`PlanOptions`])
//! - [`context`]: the main context and named ones ([`NamedContexts`])
//! - [`remote`]: git references and URLs, as contexts and as sources of ADD
//! - [`RemoteTree`]: a main context that is fetched before there is a plan
//! - [`steps`]: what users see of a vertex ([`Steps`])
//! - [`outline`]: what a Dockerfile offers its users, without pins
//! - [`dump`]: the readable form of a plan
//! - [`error`]: all that can be wrong, with its place ([`PlanError`])
//! - [`lint`]: the rules, one file each ([`Remark`], [`Rule`])
//!
//! Inside, in the order in which a Dockerfile goes through them: `scope` (arguments of FROM lines),
//! `epoch` (`SOURCE_DATE_EPOCH`), `stages` (what is based on what, and what is needed), `external`
//! (images and contexts), `onbuild` (triggers), and `lower` with one file an instruction.
//!
//! # What decides an image config
//!
//! Tools compare images with those of `BuildKit`, so configs and history entries are made exactly as
//! it makes them, spelling included; [`steps`] follows its labels.
#![forbid(unsafe_code)]

pub mod context;
pub mod dump;
mod environment;
mod epoch;
pub mod error;
mod external;
mod focus;
mod go_text;
pub mod lint;
mod lower;
mod onbuild;
pub mod options;
pub mod outline;
mod paths;
pub mod plan;
pub mod remote;
mod remote_tree;
mod scope;
mod stages;
pub mod steps;
mod suggest;
#[cfg(test)]
mod testing;

pub use context::{IgnoreRules, MainContext, NamedContext, NamedContexts};
pub use error::{Fault, PlanError, Problem};
pub use lint::{Level, LocalSource, Remark, Rule};
pub use options::{ContextTime, Entitlement, PlanOptions, StageSelection};
pub use plan::{BaseImage, LayerOrigin, Needs, Plan, Planned, Target, plan};
pub use remote_tree::{RemoteTree, TreePlan};
pub use steps::{Position, Step, Steps};
pub use suggest::similar_base;
