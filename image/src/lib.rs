//! The vocabulary of OCI images: what everything that touches an image talks about.
//!
//! Plain data and its text forms; no disk, no network, no clock. Shapes are those of the OCI image
//! and distribution specifications, with Docker's extensions, written out in the order of fields
//! and with the omissions that BuildKit has.
//!
//! - [`digest`]: [`Digest`], and over it [`DiffId`], [`ChainId`], [`ImageId`], one type a meaning
//! - [`reference`]: [`Reference`], the names of images, as Docker normalises them
//! - [`platform`]: [`Platform`], its text form and how well one serves another
//! - [`path`]: [`ImagePath`], a path inside an image that is no path of the host, and
//!   [`PathPattern`]
//! - [`pattern`]: what such a pattern matches, in Go's language and in that of `.dockerignore`
//! - [`descriptor`]: [`MediaType`], [`Compression`], [`Descriptor`]
//! - [`manifest`]: [`Manifest`], [`Index`]
//! - [`config`]: [`ImageConfig`], [`ContainerConfig`], [`History`]
//! - [`user`]: `user[:group]` looked up in the text of passwd and group files
//! - [`signal`]: the names of signals
//! - [`time`]: [`Timestamp`], as Go writes it
#![forbid(unsafe_code)]

pub mod config;
pub mod descriptor;
pub mod digest;
pub mod manifest;
pub mod path;
pub mod pattern;
pub mod platform;
pub mod reference;
pub mod signal;
pub mod time;
pub mod user;

pub use config::{ContainerConfig, Healthcheck, History, ImageConfig, RootFs};
pub use descriptor::{Compression, Descriptor, MediaType};
pub use digest::{ChainId, DiffId, Digest, Digester, ImageId};
pub use manifest::{Index, Manifest};
pub use path::{ImagePath, PathPattern};
pub use platform::Platform;
pub use reference::{Reference, Repository};
pub use time::Timestamp;
