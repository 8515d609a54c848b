//! The client against registries: the one of testkit, which fails on demand, and Debian's.

mod authorization;
mod debian;
mod pull;
mod push;

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use image::{Descriptor, Repository};
use registry::{
    Anonymous, Client, ClientConfig, Credential, CredentialError, Credentials, RegistryError, RetryPolicy,
};

/// Knows one credential, for every registry.
#[derive(Debug)]
struct Always(Credential);

impl Credentials for Always {
    fn lookup(&self, _registry: &str) -> Result<Option<Credential>, CredentialError> {
        Ok(Some(self.0.clone()))
    }
}

fn client_with(credentials: Arc<dyn Credentials>) -> Client {
    let config = ClientConfig {
        credentials,
        user_agent: "builder/test".to_owned(),
        retries: RetryPolicy::immediate(3),
    };
    Client::new(config)
}

fn client() -> Client {
    client_with(Arc::new(Anonymous))
}

/// A whole blob.
async fn download(
    client: &Client,
    repository: &Repository,
    blob: &Descriptor,
) -> Result<Vec<u8>, RegistryError> {
    let mut stream = client.blob(repository, blob).await?;
    let mut bytes = Vec::new();
    while let Some(part) = stream.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Bytes that differ from each other, so that a part in the wrong place shows.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}
