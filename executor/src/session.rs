//! [`Session`]: one build's contexts, secrets and pinned sources.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use futures_util::future::try_join_all;
use graph::name::{GitName, GitPin, HttpName, HttpPin};
use graph::source::ContextName;
use graph::{Name, Pin};
use runtime::surroundings::Names;
use sandbox::Limits;
use sandbox::network::Unavailable;
use serde::{Deserialize, Serialize};
use store::Tree;

use crate::blocking::blocking;
use crate::error::PinError;
use crate::exec::devices::grants::DeviceGrants;
use crate::executor::Executor;
use crate::source;
use crate::source::origins::Origins;
use crate::ssh::{AgentSource, Agents};

/// What belongs to one build and to no graph.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// What the build reads from outside: directories of the host, filtered, and what was fetched as context.
    pub contexts: BTreeMap<ContextName, Tree>,
    /// Secrets by id.
    pub secrets: BTreeMap<String, SecretSource>,
    /// ssh agents by id.
    pub ssh_agents: BTreeMap<String, AgentSource>,
    /// Proxy variables of `RUN` steps that do not set them themselves.
    pub proxy_variables: BTreeMap<String, String>,
    /// What processes are told of names. The addresses are those of the names in [`graph::Exec::extra_hosts`].
    pub names: Names,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// Limits for all processes of a `RUN` step together.
    pub limits: Limits,
    /// The network of `RUN` steps that ask for none in particular.
    pub network: DefaultNetwork,
    /// The devices of the machine that `RUN` steps may have.
    pub devices: DeviceGrants,
    /// Where image names are looked up.
    pub images: ImagePolicy,
}

impl Default for SessionOptions {
    /// Nothing, with 64 MiB of shared memory, isolated networks where they can be had, and local images preferred.
    fn default() -> Self {
        Self {
            contexts: BTreeMap::new(),
            secrets: BTreeMap::new(),
            ssh_agents: BTreeMap::new(),
            proxy_variables: BTreeMap::new(),
            names: Names::default(),
            shm_size: 64 << 20,
            limits: Limits::default(),
            network: DefaultNetwork::IsolatedOrHost,
            devices: DeviceGrants::default(),
            images: ImagePolicy::PreferLocal,
        }
    }
}

/// The network of `RUN` steps that ask for none in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefaultNetwork {
    /// One of their own with outgoing access; where that cannot be had, the host's, which is told.
    IsolatedOrHost,
    /// One of their own with outgoing access, or they do not run.
    Isolated,
}

/// Where image names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePolicy {
    /// The store's tags first, then the registry.
    PreferLocal,
    /// The registry (`--pull`).
    Registry,
}

/// Where the value of a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file, read when a step asks for it.
    File(PathBuf),
    /// Here.
    Value(SecretValue),
}

/// A secret that was given to the build and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read secret {id} from {}", path.display())]
pub struct SecretError {
    /// Its name.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

impl SecretSource {
    /// The value of the secret of that name, read when it is asked for.
    pub(crate) fn read(&self, id: &str) -> Result<Vec<u8>, SecretError> {
        match self {
            Self::Value(value) => Ok(value.0.clone()),
            Self::File(path) => std::fs::read(path).map_err(|source| SecretError {
                id: id.to_owned(),
                path: path.clone(),
                source,
            }),
        }
    }
}

/// A secret, kept out of every message.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(pub Vec<u8>);

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(****)")
    }
}

/// One build. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) executor: Executor,
    pub(crate) options: Arc<SessionOptions>,
    /// Where the pinned sources can be fetched.
    pub(crate) origins: Arc<Origins>,
    /// The ssh agents, running or to be started.
    pub(crate) agents: Arc<Agents>,
    /// Why steps have the host's network, if some do that were to have their own.
    pub(crate) shares_network: Arc<OnceLock<Unavailable>>,
}

impl Session {
    pub(crate) fn new(executor: Executor, options: SessionOptions) -> Self {
        let agents = Arc::new(Agents::new(options.ssh_agents.clone()));
        Self {
            executor,
            options: Arc::new(options),
            origins: Arc::default(),
            agents,
            shares_network: Arc::default(),
        }
    }

    /// The same build with these contexts.
    #[must_use]
    pub fn with_contexts(mut self, contexts: BTreeMap<ContextName, Tree>) -> Self {
        Arc::make_mut(&mut self.options).contexts = contexts;
        self
    }

    /// Why steps had the host's network although they were to have their own, if there was such a step.
    pub fn shares_network(&self) -> Option<&Unavailable> {
        self.shares_network.get()
    }

    /// The first of these secrets that the build was given, with its name: a text for the header of a request,
    /// without the line end that editors put behind it.
    pub(crate) async fn first_secret(
        &self,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<Option<(String, String)>, SecretError> {
        let found = ids.into_iter().find_map(|id| Some((self.options.secrets.get(&id)?.clone(), id)));
        let Some((source, id)) = found else { return Ok(None) };
        blocking(move || {
            let value = source.read(&id)?;
            let text = String::from_utf8_lossy(&value).trim_end_matches(['\r', '\n']).to_owned();
            Ok(Some((id, text)))
        })
        .await
    }

    /// Resolves a URL to the content that it has now, which is a blob of the store afterwards.
    pub async fn pin_http(&self, name: HttpName) -> Result<HttpPin, PinError> {
        let pinned = source::http::pin(self, &name).await;
        pinned.map_err(|source| PinError { name: Box::new(Name::Http(name)), source })
    }

    /// Resolves a git reference to a commit.
    pub async fn pin_git(&self, name: GitName) -> Result<GitPin, PinError> {
        let pinned = source::git::pin(self, &name).await;
        pinned.map_err(|source| PinError { name: Box::new(Name::Git(name)), source })
    }

    /// Resolves names to contents, all at once, in the order given. The first failure ends it.
    pub async fn pin(&self, names: Vec<Name>) -> Result<Vec<(Name, Pin)>, PinError> {
        try_join_all(names.into_iter().map(|name| async {
            match source::pin(self, &name).await {
                Ok(pin) => Ok((name, pin)),
                Err(source) => Err(PinError { name: Box::new(name), source }),
            }
        }))
        .await
    }
}
