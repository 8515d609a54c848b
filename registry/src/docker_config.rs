//! [`DockerConfig`]: the credentials that `docker login` keeps in `config.json`.
//!
//! ```text
//! { "auths":       { "registry.example": { "auth": base64 of "user:password", "identitytoken": … } },
//!   "credHelpers": { "registry.example": "ecr-login" },
//!   "credsStore":  "secretservice" }
//! ```
//!
//! A registry's own helper comes before the store for all, and that before what lies in the file. A
//! helper is a program named `docker-credential-<name>`: it is run with the argument `get`, reads
//! the registry's name and writes JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;

use crate::credentials::{Credential, CredentialError, Credentials};

/// The name that Docker Hub goes by in `config.json`, for reasons of history.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// The user name by which a helper says that its secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// Reads the `config.json` of a directory, anew at each lookup: helpers and `docker login` may
/// change it while a build runs. Without the file there are no credentials.
#[derive(Clone, Debug)]
pub struct DockerConfig {
    directory: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// What a helper writes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl DockerConfig {
    /// The credentials of the `config.json` in this directory, usually `~/.docker`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("config.json")
    }

    fn read(&self) -> Result<File, CredentialError> {
        let path = self.path();
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| CredentialError::Parse { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(File::default()),
            Err(source) => Err(CredentialError::Read { path, source }),
        }
    }

    /// The credential that an entry of the file holds by itself.
    fn stored(&self, registry: &str, entry: Entry) -> Result<Option<Credential>, CredentialError> {
        let Entry { auth, mut username, mut password, identitytoken, registrytoken } = entry;
        if !auth.is_empty() {
            let malformed = || CredentialError::Entry { path: self.path(), registry: registry.to_owned() };
            (username, password) = decode(&auth).ok_or_else(malformed)?;
        }
        if !registrytoken.is_empty() {
            return Ok(Some(Credential::RegistryToken(registrytoken)));
        }
        if !identitytoken.is_empty() {
            return Ok(Some(Credential::IdentityToken { username, token: identitytoken }));
        }
        Ok((!username.is_empty()).then_some(Credential::Basic { username, password }))
    }
}

impl Credentials for DockerConfig {
    fn lookup(&self, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let mut file = self.read()?;
        let key = if registry == "docker.io" { DOCKER_HUB } else { registry };
        let own = file.cred_helpers.get(key).or_else(|| file.cred_helpers.get(registry));
        if let Some(helper) = own.filter(|helper| !helper.is_empty()) {
            return ask(helper, key);
        }
        if !file.creds_store.is_empty()
            && let Some(credential) = ask(&file.creds_store, key)?
        {
            return Ok(Some(credential));
        }
        let found = file.auths.keys().find(|name| name.as_str() == key);
        let found = found.or_else(|| file.auths.keys().find(|name| host(name) == host(key))).cloned();
        match found.and_then(|name| file.auths.remove(&name)) {
            Some(entry) => self.stored(key, entry),
            None => Ok(None),
        }
    }
}

/// The host in a key of the file, which may be an address: `https://registry.example/v1/`.
fn host(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    key.split('/').next().unwrap_or_default()
}

fn decode(auth: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(auth).or_else(|_| STANDARD_NO_PAD.decode(auth)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Asks a helper for the credential of a registry.
fn ask(helper: &str, registry: &str) -> Result<Option<Credential>, CredentialError> {
    let program = format!("docker-credential-{helper}");
    let run = |source| CredentialError::Run { program: program.clone(), source };
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(run)?;
    // A helper that does not read answers all the same, or fails with a better reason.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(registry.as_bytes()));
    let output = child.wait_with_output().map_err(run)?;
    if !output.status.success() {
        // Helpers write their reasons to the one or the other.
        let said = [output.stdout, output.stderr].concat();
        let message = String::from_utf8_lossy(&said).trim().to_owned();
        if message.contains("credentials not found") {
            return Ok(None);
        }
        return Err(CredentialError::Helper { program, registry: registry.to_owned(), message });
    }
    let Answer { username, secret } = serde_json::from_slice(&output.stdout)
        .map_err(|source| CredentialError::Answer { program, source })?;
    Ok(match (username.as_str(), secret.is_empty()) {
        (TOKEN_USER, _) => Some(Credential::IdentityToken { username: String::new(), token: secret }),
        ("", true) => None,
        _ => Some(Credential::Basic { username, password: secret }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(config: &str, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("config.json"), config).unwrap();
        DockerConfig::new(directory.path()).lookup(registry)
    }

    fn basic(username: &str, password: &str) -> Credential {
        Credential::Basic { username: username.into(), password: password.into() }
    }

    #[test]
    fn entries_are_found_by_host() {
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
            "https://a.example/v1/": {"auth": "YTpwOnc="},
            "localhost:5000": {"username": "plain", "password": "text"}}}"#;
        assert_eq!(lookup(config, "docker.io").unwrap(), Some(basic("hub", "pw")));
        assert_eq!(lookup(config, "a.example").unwrap(), Some(basic("a", "p:w")));
        assert_eq!(lookup(config, "localhost:5000").unwrap(), Some(basic("plain", "text")));
        assert_eq!(lookup(config, "b.example").unwrap(), None);
    }

    #[test]
    fn tokens_come_before_passwords() {
        let config = r#"{"auths": {"a.example": {"auth": "dXNlcjo=", "identitytoken": "t"}}}"#;
        let expected = Credential::IdentityToken { username: "user".into(), token: "t".into() };
        assert_eq!(lookup(config, "a.example").unwrap(), Some(expected));
    }

    #[test]
    fn without_the_file_there_are_no_credentials() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(DockerConfig::new(directory.path().join("none")).lookup("docker.io").unwrap(), None);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(matches!(lookup("{", "a.example"), Err(CredentialError::Parse { .. })));
        let config = r#"{"auths": {"a.example": {"auth": "!"}}}"#;
        assert!(matches!(lookup(config, "a.example"), Err(CredentialError::Entry { .. })));
        let config = r#"{"credsStore": "that-does-not-exist"}"#;
        assert!(matches!(lookup(config, "a.example"), Err(CredentialError::Run { .. })));
    }
}
