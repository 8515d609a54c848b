//! [`Credentials`]: where user names and passwords come from.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// What a registry, or the token server it names, lets a user in with.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user name and a password.
    Basic {
        /// The user name.
        username: String,
        /// The password, or an access token that is used like one.
        password: String,
    },
    /// A long-lived token that the token server gives short-lived ones for (OAuth 2 refresh token).
    IdentityToken {
        /// The user name; empty if it is not known.
        username: String,
        /// The token.
        token: String,
    },
    /// A token that is sent to the registry as it is.
    RegistryToken(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { username, .. } => {
                f.debug_struct("Basic").field("username", username).finish_non_exhaustive()
            }
            Self::IdentityToken { username, .. } => {
                f.debug_struct("IdentityToken").field("username", username).finish_non_exhaustive()
            }
            Self::RegistryToken(_) => f.write_str("RegistryToken(..)"),
        }
    }
}

/// Finds the credential of a registry.
///
/// It is asked only after a registry wants one, on a thread that may block.
pub trait Credentials: Send + Sync + fmt::Debug {
    /// The credential of the registry of this name (`docker.io`, `localhost:5000`); none to go
    /// without.
    fn lookup(&self, registry: &str) -> Result<Option<Credential>, CredentialError>;
}

/// No credentials at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

impl Credentials for Anonymous {
    fn lookup(&self, _registry: &str) -> Result<Option<Credential>, CredentialError> {
        Ok(None)
    }
}

/// Why credentials could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no JSON of the expected form.
    #[error("cannot parse {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The `auth` of a registry is no base64 of `user:password`.
    #[error("the entry of {registry} in {} is no base64 of user:password", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The key of the entry.
        registry: String,
    },
    /// A credential helper could not be started or talked to.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A credential helper failed.
    #[error("{program} failed for {registry}: {message}")]
    Helper {
        /// The program.
        program: String,
        /// The registry it was asked for.
        registry: String,
        /// What it said.
        message: String,
    },
    /// A credential helper's answer is no JSON of the expected form.
    #[error("cannot parse the answer of {program}")]
    Answer {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The lookup itself broke down.
    #[error("the lookup was aborted")]
    Aborted(#[source] tokio::task::JoinError),
}

#[cfg(test)]
mod tests {
    use super::Credential;

    #[test]
    fn secrets_are_not_printed() {
        let basic = Credential::Basic { username: "user".into(), password: "hunter2".into() };
        let identity = Credential::IdentityToken { username: "user".into(), token: "hunter2".into() };
        let text = format!("{basic:?} {identity:?} {:?}", Credential::RegistryToken("hunter2".into()));
        assert!(text.contains("user") && !text.contains("hunter2"), "{text}");
    }
}
