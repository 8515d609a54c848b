//! [`DockerConfig`]: the `config.json` that `docker login` writes, and the helpers that it names.
//!
//! A registry's own helper (`credHelpers`) comes first, then the helper for all (`credsStore`), then
//! what stands in the file itself. Helpers are programs named `docker-credential-NAME`, which read the
//! name of a registry and print JSON (docker-credential-helpers, "get").

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::credentials::{Credential, CredentialError, Credentials};

/// The key of Docker Hub in the file.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// What helpers call the user of an identity token.
const TOKEN_USER: &str = "<token>";

/// The configuration in a directory, read at each look-up.
#[derive(Clone, Debug)]
pub struct DockerConfig {
    path: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConfigFile {
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// What a helper prints.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

impl DockerConfig {
    /// The `config.json` in this directory; a missing one knows no credentials.
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join("config.json") }
    }

    fn read(&self) -> Result<ConfigFile, CredentialError> {
        let path = self.path.clone();
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|source| CredentialError::Parse { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ConfigFile::default()),
            Err(source) => Err(CredentialError::Read { path, source }),
        }
    }

    fn entry(&self, key: &str, entry: &Entry) -> Result<Option<Credential>, CredentialError> {
        let malformed = || CredentialError::Entry { path: self.path.clone(), registry: key.to_owned() };
        let (username, password) = match entry.auth.as_deref().map(str::trim) {
            None | Some("") => (String::new(), String::new()),
            Some(auth) => {
                let bytes = STANDARD.decode(auth).map_err(|_| malformed())?;
                let text = String::from_utf8(bytes).map_err(|_| malformed())?;
                let (username, password) = text.split_once(':').ok_or_else(malformed)?;
                (username.to_owned(), password.trim_end_matches('\0').to_owned())
            }
        };
        Ok(match entry.identitytoken.clone().filter(|token| !token.is_empty()) {
            Some(token) => Some(Credential::IdentityToken { username, token }),
            None if username.is_empty() => None,
            None => Some(Credential::Basic { username, password }),
        })
    }
}

impl Credentials for DockerConfig {
    fn lookup(&self, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let config = self.read()?;
        let key = if registry == "docker.io" { DOCKER_HUB } else { registry };
        if let Some(helper) = config.cred_helpers.get(key) {
            return ask(helper, key);
        }
        if let Some(helper) = &config.creds_store
            && let Some(found) = ask(helper, key)?
        {
            return Ok(Some(found));
        }
        let found = config.auths.iter().find(|(name, _)| *name == key || host_of(name) == registry);
        found.map_or(Ok(None), |(name, entry)| self.entry(name, entry))
    }
}

/// Old keys are addresses: `https://registry.example/v1/`.
fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn ask(helper: &str, registry: &str) -> Result<Option<Credential>, CredentialError> {
    let program = format!("docker-credential-{helper}");
    let failed = |source| CredentialError::Run { program: program.clone(), source };
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(registry.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let message = String::from_utf8_lossy(&said).trim().to_owned();
        // The sentence by which helpers say that they know nothing is part of their protocol.
        if message.contains("credentials not found") {
            return Ok(None);
        }
        return Err(CredentialError::Helper { program, registry: registry.to_owned(), message });
    }
    let answer: HelperAnswer = serde_json::from_slice(&output.stdout)
        .map_err(|source| CredentialError::Answer { program, source })?;
    let HelperAnswer { username, secret } = answer;
    Ok(Some(match username.as_str() {
        TOKEN_USER => Credential::IdentityToken { username: String::new(), token: secret },
        _ => Credential::Basic { username, password: secret },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_up(config: &str, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("config.json"), config).unwrap();
        DockerConfig::new(directory.path()).lookup(registry)
    }

    #[test]
    fn dockers_file_is_understood() {
        let config = r#"{"auths":{"localhost:5000":{"auth":"dXNlcjpwYTpzcw=="},
            "https://old.example/v1/":{"auth":"dTpw"},
            "https://index.docker.io/v1/":{"identitytoken":"t"}}}"#;
        let basic = |username: &str, password: &str| {
            Some(Credential::Basic { username: username.to_owned(), password: password.to_owned() })
        };
        assert_eq!(looked_up(config, "localhost:5000").unwrap(), basic("user", "pa:ss"));
        assert_eq!(looked_up(config, "old.example").unwrap(), basic("u", "p"));
        let token = Credential::IdentityToken { username: String::new(), token: "t".to_owned() };
        assert_eq!(looked_up(config, "docker.io").unwrap(), Some(token));
        assert_eq!(looked_up(config, "other.example").unwrap(), None);
    }

    #[test]
    fn damaged_files_and_missing_helpers_are_errors() {
        assert!(matches!(looked_up("{", "a.example"), Err(CredentialError::Parse { .. })));
        let entry = looked_up(r#"{"auths":{"a.example":{"auth":"%%"}}}"#, "a.example");
        assert!(matches!(entry, Err(CredentialError::Entry { .. })));
        let helper = looked_up(r#"{"credHelpers":{"a.example":"no-such-helper"}}"#, "a.example");
        assert!(matches!(helper, Err(CredentialError::Run { .. })));
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(DockerConfig::new(directory.path()).lookup("a.example").unwrap(), None);
    }
}
