//! Answers challenges, and remembers the answers.
//!
//! A registry refuses the first request with a [`Challenge`]. The answer is a header: a password
//! (Basic), or a token that its token server gives for a set of scopes (distribution project, "Token
//! Authentication Specification" and "`OAuth2` Token Authentication"). It is kept for each registry
//! and set of scopes. A token that has expired is refused like a missing one, and replaced.
//! Requests that wait for the same token wait for one request to the token server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::Repository;
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use crate::challenge::Challenge;
use crate::credentials::{Credential, CredentialError, Credentials};
use crate::error::{Attempt, RegistryError};
use crate::transport::{Connections, failure, read_limited, timed};

/// The client id that token servers get to see.
const CLIENT_ID: &str = "builder";
/// The largest answer of a token server, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// What a request needs the right for; the text form of the token specification.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scopes(Vec<String>);

impl Scopes {
    pub(crate) fn pull(repository: &Repository) -> Self {
        Self(vec![format!("repository:{}:pull", repository.path())])
    }

    pub(crate) fn push(repository: &Repository) -> Self {
        Self(vec![format!("repository:{}:pull,push", repository.path())])
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// These and what the registry named, which may be more or written in another way.
    fn with_challenge(&self, scope: Option<&str>) -> Vec<String> {
        let mut scopes = self.0.clone();
        for scope in scope.into_iter().flat_map(str::split_whitespace) {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        scopes
    }
}

/// The header that a registry accepted for some scopes, once it is known.
type Slot = Arc<tokio::sync::Mutex<Option<HeaderValue>>>;

/// All answers to challenges so far.
#[derive(Debug)]
pub(crate) struct Authorizer {
    credentials: Arc<dyn Credentials>,
    slots: Mutex<HashMap<(String, Scopes), Slot>>,
}

impl Authorizer {
    pub(crate) fn new(credentials: Arc<dyn Credentials>) -> Self {
        Self { credentials, slots: Mutex::default() }
    }

    fn slot(&self, registry: &str, scopes: &Scopes) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((registry.to_owned(), scopes.clone())).or_default())
    }

    /// The header for these scopes, if an earlier request found it out.
    pub(crate) async fn known(&self, attempt: &Attempt, scopes: &Scopes) -> Option<HeaderValue> {
        self.slot(attempt.repository.registry(), scopes).lock().await.clone()
    }

    /// The header that answers a challenge; none if there is nothing to answer with. `refused` is
    /// the header that the challenged request had.
    pub(crate) async fn answer(
        &self,
        connections: &Connections,
        attempt: &Attempt,
        scopes: &Scopes,
        challenge: &Challenge,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let slot = self.slot(attempt.repository.registry(), scopes);
        let mut slot = slot.lock().await;
        if slot.is_some() && slot.as_ref() != refused {
            return Ok(slot.clone());
        }
        let credential = self.lookup(attempt).await?;
        let header = match (challenge, credential) {
            (_, Some(Credential::RegistryToken(token))) => Some(bearer(attempt, &token)?),
            (Challenge::Basic, Some(Credential::Basic { username, password })) => {
                Some(basic(&username, &password))
            }
            (Challenge::Basic, _) => None,
            (Challenge::Bearer { realm, service, scope }, credential) => {
                let request = TokenRequest {
                    realm: realm_url(attempt, realm)?,
                    service: service.as_deref(),
                    scopes: scopes.with_challenge(scope.as_deref()),
                    credential,
                };
                Some(bearer(attempt, &request.send(connections, attempt).await?)?)
            }
        };
        slot.clone_from(&header);
        Ok(header)
    }

    async fn lookup(&self, attempt: &Attempt) -> Result<Option<Credential>, RegistryError> {
        let registry = attempt.repository.registry().to_owned();
        let credentials = Arc::clone(&self.credentials);
        let name = registry.clone();
        let found = tokio::task::spawn_blocking(move || credentials.lookup(&name)).await;
        found.unwrap_or_else(|source| Err(CredentialError::Aborted(source))).map_err(|source| {
            RegistryError::Credentials { attempt: Box::new(attempt.clone()), registry, source }
        })
    }
}

/// The address of a token server. Passwords go there: it is https, or on this machine like the
/// registry that named it.
fn realm_url(attempt: &Attempt, realm: &str) -> Result<Url, RegistryError> {
    let url = Url::parse(realm).ok();
    url.filter(|url| url.scheme() == "https" || (url.scheme() == "http" && attempt.repository.is_loopback()))
        .ok_or_else(|| attempt.malformed(format!("{realm:?} is no https address of a token server")))
}

fn basic(username: &str, password: &str) -> HeaderValue {
    let encoded = STANDARD.encode(format!("{username}:{password}"));
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).expect("base64 is a header value");
    value.set_sensitive(true);
    value
}

fn bearer(attempt: &Attempt, token: &str) -> Result<HeaderValue, RegistryError> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| attempt.malformed("the token is no header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A request to a token server.
struct TokenRequest<'a> {
    realm: Url,
    service: Option<&'a str>,
    scopes: Vec<String>,
    credential: Option<Credential>,
}

/// A token server's answer: old servers have the one field, OAuth 2 the other, some have both.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl TokenRequest<'_> {
    async fn send(mut self, connections: &Connections, attempt: &Attempt) -> Result<String, RegistryError> {
        let request = match self.credential.take() {
            Some(Credential::IdentityToken { token, .. }) => self.post(connections, &token)?,
            Some(Credential::Basic { username, password }) => {
                self.realm.query_pairs_mut().append_pair("account", &username);
                self.get(connections)?.header(reqwest::header::AUTHORIZATION, basic(&username, &password))
            }
            Some(Credential::RegistryToken(_)) | None => self.get(connections)?,
        };
        let response = timed(attempt, request.send()).await?;
        if !response.status().is_success() {
            return Err(match failure(attempt, response).await {
                // What a token server refuses a password with is not always 401.
                RegistryError::Status { attempt, status: 400, message } => {
                    RegistryError::Unauthorized { attempt, message }
                }
                error => error,
            });
        }
        let answer = read_limited(attempt, response, MAX_ANSWER).await?;
        let answer: Option<TokenAnswer> = serde_json::from_slice(&answer).ok();
        let token =
            answer.and_then(|answer| answer.token.filter(|token| !token.is_empty()).or(answer.access_token));
        token.ok_or_else(|| {
            let host = self.realm.host_str().unwrap_or_default();
            attempt.malformed(format!("no token in the answer of {host}"))
        })
    }

    /// The request with a password, or with nothing.
    fn get(&mut self, connections: &Connections) -> Result<reqwest::RequestBuilder, RegistryError> {
        let mut query = self.realm.query_pairs_mut();
        query.extend_pairs(self.service.map(|service| ("service", service)));
        query.extend_pairs(self.scopes.iter().map(|scope| ("scope", scope)));
        drop(query);
        Ok(connections.to(&self.realm)?.get(self.realm.clone()))
    }

    /// The request with an identity token.
    fn post(&self, connections: &Connections, token: &str) -> Result<reqwest::RequestBuilder, RegistryError> {
        let mut form = Url::parse("form:").expect("a constant");
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", token)
            .append_pair("client_id", CLIENT_ID)
            .append_pair("service", self.service.unwrap_or_default())
            .append_pair("scope", &self.scopes.join(" "));
        Ok(connections
            .to(&self.realm)?
            .post(self.realm.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.query().unwrap_or_default().to_owned()))
    }
}
