//! ssh agents that a build was given: `--ssh`.
//!
//! ```text
//! --ssh default              the user's agent, at its socket ┐
//! --ssh ID=SOCKET                                            ├─ AgentSource ─ Agents::socket ─→ git (SSH_AUTH_SOCK)
//! --ssh ID=KEY,KEY   files, served by an agent of our own    ┘                              └→ forward → RUN --mount=type=ssh
//! ```
//! - [`keys`]: an agent of our own, for keys in files
//! - [`forward`]: the socket that a step sees

pub(crate) mod forward;
pub mod keys;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use keys::{KeyAgent, KeyAgentError};

/// What serves the keys of `--ssh ID=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentSource {
    /// An agent that listens at this socket.
    Socket(PathBuf),
    /// These files with private keys. An agent with them is started when it is needed first.
    Keys(Vec<PathBuf>),
}

/// The agents of one build. Dropping this ends those that were started for it.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    sources: BTreeMap<String, AgentSource>,
    started: Mutex<BTreeMap<String, KeyAgent>>,
}

impl Agents {
    pub(crate) fn new(sources: BTreeMap<String, AgentSource>) -> Self {
        Self { sources, started: Mutex::default() }
    }

    /// Where the agent of that name listens, if the build was given one. Blocks while an agent is started.
    pub(crate) fn socket(&self, id: &str) -> Result<Option<PathBuf>, KeyAgentError> {
        let keys = match self.sources.get(id) {
            None => return Ok(None),
            Some(AgentSource::Socket(path)) => return Ok(Some(path.clone())),
            Some(AgentSource::Keys(keys)) => keys,
        };
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = started.get(id) {
            return Ok(Some(agent.socket()));
        }
        let agent = KeyAgent::start(keys)?;
        let socket = agent.socket();
        started.insert(id.to_owned(), agent);
        Ok(Some(socket))
    }
}
