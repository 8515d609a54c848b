//! What opens a remote: tokens and agents that were given to the build.
//!
//! As in BuildKit, the secrets `GIT_AUTH_HEADER` and `GIT_AUTH_TOKEN`, or those with `.HOST` behind the name for one
//! host only, are sent to servers of `http` and `https`. They are given to git in its environment, since everybody
//! on the machine can read the arguments of a process. Beside that, and unlike a daemon, git may use what its user
//! has: ssh keys, known hosts, a running agent.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use graph::name::redacted;

use crate::blocking::blocking;
use crate::session::Session;
use crate::source::error::SourceError;

/// The host on which one token opens all repositories.
const SHARED_SCOPES: [&str; 2] = ["https://github.com/", "https://www.github.com/"];

/// What git may use to get at one remote.
#[derive(Clone, Debug)]
pub(super) struct Access {
    remote: String,
    /// A header for what lies below the scope.
    authorization: Option<Authorization>,
    /// The socket of an agent of the build, instead of the user's own.
    agent: Option<PathBuf>,
}

/// A header, kept out of every message.
#[derive(Clone)]
struct Authorization {
    scope: String,
    header: String,
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authorization({}, ****)", self.scope)
    }
}

impl Access {
    /// What the build was given for a remote.
    pub(super) async fn to(session: &Session, remote: &str) -> Result<Self, SourceError> {
        let secret = match host(remote) {
            Some(host) => session.first_secret(secrets_of(host)).await?,
            None => None,
        };
        let authorization = secret.map(|(id, value)| Authorization {
            scope: SHARED_SCOPES
                .iter()
                .find(|scope| remote.starts_with(**scope))
                .map_or(remote, |scope| scope)
                .to_owned(),
            header: header(&id, &value),
        });
        let agents = Arc::clone(&session.agents);
        let agent = blocking(move || agents.socket("default")).await?;
        Ok(Self { remote: remote.to_owned(), authorization, agent })
    }

    /// The variables that tell git; see `GIT_CONFIG_COUNT` in git-config(1).
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if let Some(Authorization { scope, header }) = &self.authorization {
            variables.push(("GIT_CONFIG_COUNT", "1".to_owned()));
            variables.push(("GIT_CONFIG_KEY_0", format!("http.{scope}.extraheader")));
            variables.push(("GIT_CONFIG_VALUE_0", header.clone()));
        }
        if let Some(agent) = &self.agent {
            variables.push(("SSH_AUTH_SOCK", agent.display().to_string()));
        }
        variables
    }

    /// What git says, without the password that the address of the remote may hold.
    pub(super) fn redacted(&self, message: &str) -> String {
        message.replace(&self.remote, &redacted(&self.remote))
    }
}

/// The host of an `http` or `https` address, with its port.
fn host(remote: &str) -> Option<&str> {
    let rest = remote.strip_prefix("https://").or(remote.strip_prefix("http://"))?;
    let authority = rest.split('/').next()?;
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
}

/// The secrets that count for a host, the first one that there is.
fn secrets_of(host: &str) -> [String; 4] {
    [
        format!("GIT_AUTH_HEADER.{host}"),
        format!("GIT_AUTH_TOKEN.{host}"),
        "GIT_AUTH_HEADER".to_owned(),
        "GIT_AUTH_TOKEN".to_owned(),
    ]
}

/// The header of a secret: as it is, or the token in the form that all large hosts take.
fn header(id: &str, value: &str) -> String {
    if id.starts_with("GIT_AUTH_TOKEN") {
        return format!("Authorization: basic {}", STANDARD.encode(format!("x-access-token:{value}")));
    }
    format!("Authorization: {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_count_for_web_servers() {
        assert_eq!(host("https://user:pass@host:8080/r.git"), Some("host:8080"));
        assert_eq!(host("git@host:r.git"), None);
        assert_eq!(secrets_of("host")[1], "GIT_AUTH_TOKEN.host");
    }

    #[test]
    fn headers_are_sent_as_they_are_and_tokens_as_passwords() {
        assert_eq!(header("GIT_AUTH_HEADER.host", "Bearer x"), "Authorization: Bearer x");
        assert_eq!(header("GIT_AUTH_TOKEN", "t"), "Authorization: basic eC1hY2Nlc3MtdG9rZW46dA==");
    }
}
