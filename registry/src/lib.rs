//! The client side of the OCI distribution protocol: pull and push, streamed and verified.
//!
//! A [`Client`] is made once and shared. Every call authenticates as the registry asks, is
//! repeated when the failure may pass, and ends in a value that was checked against its digest or
//! in a [`RegistryError`] that names what was tried.
//!
//! - [`client`]: [`Client`], [`ClientConfig`]; manifests, and what exists
//! - [`blob`]: [`BlobStream`], a download that survives cut connections
//! - [`push`]: blobs and manifests the other way, and mounts across repositories
//! - [`credentials`]: [`Credentials`], where user names and passwords come from
//! - [`docker_config`]: [`DockerConfig`], the `config.json` that `docker login` writes
//! - [`retry`]: [`RetryPolicy`], what is repeated and when
//! - [`error`]: [`RegistryError`], [`Attempt`], [`Action`]
//!
//! Inside: [`transport`] sends one request, [`authorization`] answers challenges, which
//! [`challenge`] reads.
#![forbid(unsafe_code)]

pub mod blob;
pub mod client;
pub mod credentials;
pub mod docker_config;
pub mod error;
pub mod push;
pub mod retry;

mod authorization;
mod challenge;
mod transport;

pub use blob::BlobStream;
pub use client::{Client, ClientConfig, Fetched};
pub use credentials::{Anonymous, Credential, CredentialError, Credentials};
pub use docker_config::DockerConfig;
pub use error::{Action, Attempt, RegistryError};
pub use retry::RetryPolicy;
pub use transport::http_client;
