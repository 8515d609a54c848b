//! `RUN --mount=type=ssh`: a socket of the step's own that leads to an agent.
//!
//! The user's socket is not mounted itself: its owner and mode are the host's, while the step's user
//! may be anyone, and an agent refuses peers of another user. So each step gets a fresh socket in a
//! temporary directory, and every connection to it is passed on.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use graph::exec::MountOwner;
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::AbortHandle;

use crate::exec::error::ExecError;

/// A socket that leads to an agent for as long as this value lives.
#[derive(Debug)]
pub(crate) struct AgentSocket {
    path: PathBuf,
    accepting: AbortHandle,
    _directory: TempDir,
}

impl AgentSocket {
    /// Offers the agent `id`, which listens at `agent`, at a socket below `root` with this owner.
    /// Must be called on a thread of the runtime.
    pub(crate) fn open(id: &str, agent: &Path, owner: MountOwner, root: &Path) -> Result<Self, ExecError> {
        let failed = |attempt| move |source| ExecError::SshAgent { attempt, id: id.to_owned(), source };
        let directory =
            TempDir::with_prefix_in("ssh-agent-", root).map_err(failed("make a directory for"))?;
        let path = directory.path().join("agent.sock");
        let listener = UnixListener::bind(&path).map_err(failed("listen at"))?;
        fs::set_permissions(&path, Permissions::from_mode(owner.mode)).map_err(failed("set the mode of"))?;
        match std::os::unix::fs::chown(&path, Some(owner.uid), Some(owner.gid)) {
            // There is no such id here, and all processes have the only one that there is.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            result => result.map_err(failed("set the owner of"))?,
        }
        let accepting = tokio::spawn(accept(listener, agent.to_owned())).abort_handle();
        Ok(Self { path, accepting, _directory: directory })
    }

    /// Where the socket is on the host.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: UnixListener, agent: PathBuf) {
    // Connections die with this task: they are in its set.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(forward(client, agent.clone()));
    }
}

async fn forward(mut client: UnixStream, agent: PathBuf) {
    let forwarded: io::Result<_> = async {
        let mut agent = UnixStream::connect(&agent).await?;
        tokio::io::copy_bidirectional(&mut client, &mut agent).await
    }
    .await;
    if let Err(error) = forwarded {
        tracing::debug!(%error, agent = %agent.display(), "a connection to an ssh agent ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::keys::KeyAgent;
    use crate::ssh::keys::tests::{is_installed, listed, make_key};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_step_reaches_the_agent_through_its_own_socket() {
        if !is_installed() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        make_key(&key, "");
        let agent = KeyAgent::start(&[key]).unwrap();
        let own = fs::metadata(directory.path()).unwrap();
        let (uid, gid) =
            (std::os::unix::fs::MetadataExt::uid(&own), std::os::unix::fs::MetadataExt::gid(&own));
        let owner = MountOwner { uid, gid, mode: 0o600 };
        let socket = AgentSocket::open("default", &agent.socket(), owner, directory.path()).unwrap();
        let path = socket.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let through = tokio::task::spawn_blocking(move || listed(&path)).await.unwrap();
        assert_eq!(through, listed(&agent.socket()));
        assert!(through.starts_with("ssh-ed25519 "), "{through}");
    }
}
