//! An agent of our own for keys in files: OpenSSH's `ssh-agent`, which knows every kind of key.
//!
//! ```text
//! builder ──stdin──▶ sh (waits for its end) ◀──parent── ssh-agent  (keys in memory, never on disk)
//!    └── ssh-add - ◀─ key ────────── socket in a directory of mode 0700 ──▶┘
//! ```
//! `ssh-agent COMMAND` serves for as long as the command runs. The command is a shell that waits for the end of
//! its standard input, whose other end only this process has: when this process ends, however it is killed, the
//! shell reads the end, and takes the agent with it.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Says that the agent listens, and waits for the end of standard input. A signal from the terminal ends the
/// waiting, too, but not before the agent is gone.
const WAIT: &str = "trap : HUP INT TERM; echo; read end; kill \"$SSH_AGENT_PID\"";

/// Why keys cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum KeyAgentError {
    /// `ssh-agent` or `ssh-add` is not there, or could not be started.
    #[error("cannot run {program}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// `ssh-agent` ended before it served.
    #[error("ssh-agent does not serve: {message}")]
    Agent {
        /// What it wrote to standard error.
        message: String,
    },
    /// The file cannot be read.
    #[error("cannot read the ssh key {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The file is no key, or one with a passphrase.
    #[error("cannot use {} as an ssh key: {message}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What `ssh-add` says of it.
        message: String,
    },
}

/// A running agent. Dropping it ends the agent.
#[derive(Debug)]
pub(crate) struct KeyAgent {
    directory: TempDir,
    /// The shell. Dropping its standard input ends it, and the agent.
    child: Child,
}

impl KeyAgent {
    /// Starts an agent and gives it the keys.
    pub(crate) fn start(keys: &[PathBuf]) -> Result<Self, KeyAgentError> {
        let failed = |source| KeyAgentError::Program { program: "ssh-agent", source };
        // Mode 0700, in the system's own place for short paths: a socket's has at most 107 bytes.
        let directory = TempDir::with_prefix("ssh-agent-").map_err(failed)?;
        let mut child = Command::new("ssh-agent")
            .arg("-a")
            .arg(directory.path().join("agent"))
            .args(["sh", "-c", WAIT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        if line.is_empty() {
            let output = child.wait_with_output().map_err(failed)?;
            return Err(KeyAgentError::Agent { message: text(&output.stderr) });
        }
        let agent = Self { directory, child };
        keys.iter().try_for_each(|key| agent.add(key))?;
        Ok(agent)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("agent")
    }

    /// Gives the agent a key. The key goes through a pipe: `ssh-add` refuses files that others may read, as they
    /// often are where a runner has put them.
    fn add(&self, path: &Path) -> Result<(), KeyAgentError> {
        let failed = |source| KeyAgentError::Program { program: "ssh-add", source };
        let key = fs::read(path).map_err(|source| KeyAgentError::Read { path: path.to_owned(), source })?;
        let mut child = Command::new("ssh-add")
            .args(["-q", "-"])
            .env("SSH_AUTH_SOCK", self.socket())
            // Nobody is asked for a passphrase in the middle of a build.
            .envs([("SSH_ASKPASS", "false"), ("SSH_ASKPASS_REQUIRE", "force"), ("LC_ALL", "C")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&key));
        let output = child.wait_with_output().map_err(failed)?;
        if !output.status.success() {
            return Err(KeyAgentError::Key { path: path.to_owned(), message: text(&output.stderr) });
        }
        written.map_err(failed)
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The only failure is that it has been waited for.
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
    pub(crate) fn is_installed() -> bool {
        let there = Command::new("ssh-keygen").arg("-?").output().is_ok();
        if !there {
            eprintln!("SKIPPED: the programs of OpenSSH are not installed");
        }
        there
    }

    pub(crate) fn make_key(path: &Path, passphrase: &str) {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(path);
        assert!(command.status().unwrap().success());
    }

    /// The public keys that an agent offers.
    pub(crate) fn listed(socket: &Path) -> String {
        let listed = Command::new("ssh-add").arg("-L").env("SSH_AUTH_SOCK", socket).output().unwrap();
        text(&listed.stdout)
    }

    #[test]
    fn keys_are_served_until_the_end() {
        if !is_installed() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        make_key(&one, "");
        make_key(&other, "");
        fs::set_permissions(&one, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let agent = KeyAgent::start(&[one.clone(), other]).unwrap();
        let public = fs::read_to_string(one.with_extension("pub")).unwrap();
        let material = public.split_whitespace().nth(1).unwrap();
        let list = listed(&agent.socket());
        assert!(list.contains(material) && list.matches("ssh-ed25519").count() == 2, "{list}");
        // A connection of before sees the agent end.
        let mut connection = UnixStream::connect(agent.socket()).unwrap();
        drop(agent);
        match io::Read::read(&mut connection, &mut [0]) {
            Ok(length) => assert_eq!(length, 0),
            // It had not come to accept the connection.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }

    #[test]
    fn what_is_no_usable_key_is_named() {
        if !is_installed() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let locked = directory.path().join("locked");
        make_key(&locked, "a passphrase");
        for path in [locked, directory.path().join("locked.pub")] {
            let error = KeyAgent::start(std::slice::from_ref(&path)).unwrap_err();
            assert!(matches!(&error, KeyAgentError::Key { path: named, .. } if *named == path), "{error}");
        }
        let missing = KeyAgent::start(&[directory.path().join("missing")]).unwrap_err();
        assert!(matches!(missing, KeyAgentError::Read { .. }), "{missing}");
    }
}
