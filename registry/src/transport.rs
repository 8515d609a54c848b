//! Sends one request: to the right address, with the right authorization, in bounded time.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Body, Method, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;
use tokio_util::io::ReaderStream;

use crate::authorization::{Authorizer, Scopes};
use crate::challenge::Challenge;
use crate::error::{Attempt, Message, RegistryError};
use crate::retry::{Backoff, RetryPolicy};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a registry may be silent: before it answers, and within a download.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of a file is read at once, in bytes.
const READ_AHEAD: usize = 256 << 10;
/// How much of an error's body is read, in bytes.
const MAX_ERROR: usize = 64 << 10;
/// How much of an error's text is kept, in characters.
const MAX_MESSAGE: usize = 500;

/// The pools of connections: registries of this machine are spoken to without proxies.
///
/// Each is made when it is needed first: reading the certificates of the system takes many times as long as a
/// command that speaks to no registry.
#[derive(Debug)]
pub(crate) struct Connections {
    user_agent: String,
    remote: OnceLock<reqwest::Client>,
    loopback: OnceLock<reqwest::Client>,
}

impl Connections {
    pub(crate) fn new(user_agent: String) -> Self {
        Self { user_agent, remote: OnceLock::new(), loopback: OnceLock::new() }
    }

    /// The client that speaks to the host of this address.
    pub(crate) fn to(&self, url: &Url) -> Result<&reqwest::Client, RegistryError> {
        // Plain http is only ever spoken on this machine.
        let is_loopback = url.scheme() == "http";
        let pool = if is_loopback { &self.loopback } else { &self.remote };
        if let Some(client) = pool.get() {
            return Ok(client);
        }
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(&self.user_agent)
                .connect_timeout(CONNECT_TIMEOUT)
                .tcp_keepalive(CONNECT_TIMEOUT)
                .retry(reqwest::retry::never());
            if is_loopback { builder.no_proxy() } else { builder }
        };
        let client = http_client(builder).map_err(RegistryError::Setup)?;
        Ok(pool.get_or_init(|| client))
    }
}

/// An HTTP client as `builder` says, which is asked again if need be.
///
/// Building one fails on a machine without any certificate, as in a minimal container. Then the
/// client trusts none: servers of this machine can be used all the same, others fail with a
/// certificate that is not trusted.
pub fn http_client(builder: impl Fn() -> reqwest::ClientBuilder) -> Result<reqwest::Client, reqwest::Error> {
    // Fails if the program has chosen a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    builder().build().or_else(|error| {
        tracing::debug!(%error, "the system has no certificates");
        builder().tls_certs_only([]).build()
    })
}

/// A request, except for its authorization.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) attempt: &'a Attempt,
    pub(crate) scopes: &'a Scopes,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
}

impl<'a> Call<'a> {
    pub(crate) fn new(attempt: &'a Attempt, scopes: &'a Scopes, method: Method, url: Url) -> Self {
        Self { attempt, scopes, method, url, headers: HeaderMap::new() }
    }
}

/// What a request carries. It is made anew each time that the request is sent.
#[derive(Debug)]
pub(crate) enum Payload<'a> {
    Empty,
    Bytes(bytes::Bytes),
    /// A file of this size; how much was sent of it is told.
    File {
        path: &'a Path,
        size: u64,
        sent: watch::Sender<u64>,
    },
}

impl Payload<'_> {
    async fn body(&self, attempt: &Attempt) -> Result<Option<Body>, RegistryError> {
        let (path, size, sent) = match self {
            Self::Empty => return Ok(None),
            Self::Bytes(bytes) => return Ok(Some(Body::from(bytes.clone()))),
            Self::File { path, size, sent } => (*path, *size, sent.clone()),
        };
        let unreadable = |source| RegistryError::ReadFile {
            attempt: Box::new(attempt.clone()),
            path: path.to_owned(),
            source,
        };
        let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let actual = file.metadata().await.map_err(unreadable)?.len();
        if actual != size {
            let attempt = Box::new(attempt.clone());
            return Err(RegistryError::SizeMismatch { attempt, expected: size, actual });
        }
        sent.send_replace(0);
        let parts = ReaderStream::with_capacity(file.take(size), READ_AHEAD).inspect_ok(move |part| {
            sent.send_modify(|sent| *sent += part.len() as u64);
        });
        Ok(Some(Body::wrap_stream(parts)))
    }
}

/// Everything behind a client.
#[derive(Debug)]
pub(crate) struct Transport {
    connections: Connections,
    authorizer: Authorizer,
    retries: RetryPolicy,
}

impl Transport {
    pub(crate) fn new(connections: Connections, authorizer: Authorizer, retries: RetryPolicy) -> Self {
        Self { connections, authorizer, retries }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.retries)
    }

    /// Sends a request until it succeeds, fails for good, or was sent often enough.
    pub(crate) async fn send(
        &self,
        call: &Call<'_>,
        payload: &Payload<'_>,
    ) -> Result<Response, RegistryError> {
        let mut backoff = self.backoff();
        loop {
            match self.send_once(call, payload).await {
                Ok(response) => return Ok(response),
                Err(failure) => backoff.pause(failure).await?,
            }
        }
    }

    /// Sends a request, and once more if the registry asks for authorization. An upload is
    /// waited for without a limit.
    pub(crate) async fn send_once(
        &self,
        call: &Call<'_>,
        payload: &Payload<'_>,
    ) -> Result<Response, RegistryError> {
        // An upload may go to another host, which has no business with our password.
        let ours = api(call.attempt)?.origin() == call.url.origin();
        let known = if ours { self.authorizer.known(call.attempt, call.scopes).await } else { None };
        let response = self.exchange(call, known.as_ref(), payload).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !ours {
            return accept(call.attempt, response).await;
        }
        let Some(challenge) = Challenge::best(response.headers()) else {
            return accept(call.attempt, response).await;
        };
        let answer = self
            .authorizer
            .answer(&self.connections, call.attempt, call.scopes, &challenge, known.as_ref())
            .await?;
        let Some(header) = answer.filter(|header| Some(header) != known.as_ref()) else {
            return accept(call.attempt, response).await;
        };
        let response = self.exchange(call, Some(&header), payload).await?;
        accept(call.attempt, response).await
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        authorization: Option<&HeaderValue>,
        payload: &Payload<'_>,
    ) -> Result<Response, RegistryError> {
        let mut request = self.connections.to(&call.url)?.request(call.method.clone(), call.url.clone());
        request = request.headers(call.headers.clone());
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        match payload.body(call.attempt).await? {
            None => timed(call.attempt, request.send()).await,
            Some(body) => {
                request.body(body).send().await.map_err(|source| transport_error(call.attempt, source))
            }
        }
    }
}

/// The root of a registry's API. Docker Hub's is not at the host of its name.
pub(crate) fn api(attempt: &Attempt) -> Result<Url, RegistryError> {
    let repository = &attempt.repository;
    let scheme = if repository.is_loopback() { "http" } else { "https" };
    let host = match repository.registry() {
        "docker.io" | "index.docker.io" => "registry-1.docker.io",
        host => host,
    };
    Url::parse(&format!("{scheme}://{host}/v2/"))
        .map_err(|error| attempt.malformed(format!("{host:?} is no host: {error}")))
}

/// The address of something in a repository: `blobs/sha256:…`.
pub(crate) fn address(attempt: &Attempt, object: &str) -> Result<Url, RegistryError> {
    let mut url = api(attempt)?;
    url.set_path(&format!("/v2/{}/{object}", attempt.repository.path()));
    Ok(url)
}

/// Waits for the head of an answer, or for a part of its body.
pub(crate) async fn timed<T>(
    attempt: &Attempt,
    answer: impl Future<Output = Result<T, reqwest::Error>>,
) -> Result<T, RegistryError> {
    match tokio::time::timeout(SILENCE_TIMEOUT, answer).await {
        Ok(answer) => answer.map_err(|source| transport_error(attempt, source)),
        Err(_) => Err(RegistryError::TimedOut { attempt: Box::new(attempt.clone()), after: SILENCE_TIMEOUT }),
    }
}

/// The next part of a body; none at its end.
pub(crate) async fn next_part(
    attempt: &Attempt,
    response: &mut Response,
) -> Result<Option<bytes::Bytes>, RegistryError> {
    timed(attempt, response.chunk()).await
}

/// A whole body, if it is not larger than that.
pub(crate) async fn read_limited(
    attempt: &Attempt,
    mut response: Response,
    limit: usize,
) -> Result<Vec<u8>, RegistryError> {
    let mut body = Vec::new();
    while let Some(part) = next_part(attempt, &mut response).await? {
        if body.len() + part.len() > limit {
            return Err(RegistryError::TooLarge { attempt: Box::new(attempt.clone()), limit });
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

fn transport_error(attempt: &Attempt, source: reqwest::Error) -> RegistryError {
    // The address may carry a signature that lets anybody in.
    RegistryError::Transport { attempt: Box::new(attempt.clone()), source: source.without_url() }
}

/// The answer, if its status is one of success.
async fn accept(attempt: &Attempt, response: Response) -> Result<Response, RegistryError> {
    if response.status().is_success() { Ok(response) } else { Err(failure(attempt, response).await) }
}

/// What an answer that is no success means.
pub(crate) async fn failure(attempt: &Attempt, mut response: Response) -> RegistryError {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    // The words are a courtesy: a body that cannot be read to its end is as good as none.
    while let Ok(Some(part)) = next_part(attempt, &mut response).await {
        body.extend_from_slice(&part);
        if body.len() > MAX_ERROR {
            break;
        }
    }
    let attempt = Box::new(attempt.clone());
    let message = message(&body);
    match status {
        StatusCode::UNAUTHORIZED => RegistryError::Unauthorized { attempt, message },
        StatusCode::FORBIDDEN => RegistryError::Denied { attempt, message },
        StatusCode::NOT_FOUND => RegistryError::NotFound { attempt, message },
        StatusCode::TOO_MANY_REQUESTS => RegistryError::TooManyRequests { attempt, message, retry_after },
        status => RegistryError::Status { attempt, status: status.as_u16(), message },
    }
}

/// `Retry-After` in seconds. Its other form, a date, is not used by registries.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The body of a registry's refusal, and of a token server's.
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    errors: Vec<ErrorEntry>,
    /// Token servers, some of them.
    details: Option<String>,
    /// Token servers, by OAuth 2.
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// The words in the body of a refusal. Anything that is not of the known form is left out: it is
/// the page of some proxy.
fn message(body: &[u8]) -> Message {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(body) else { return Message::default() };
    let mut words: Vec<String> = Vec::new();
    for ErrorEntry { code, message } in body.errors {
        words.push(match (code.is_empty(), message.is_empty()) {
            (_, true) => code,
            (true, false) => message,
            (false, false) => format!("{code}: {message}"),
        });
    }
    words.extend(body.error_description.or(body.details));
    words.retain(|word| !word.is_empty());
    // What a stranger wrote goes to a terminal.
    let text = words.join("; ");
    Message(text.chars().filter(|character| !character.is_control()).take(MAX_MESSAGE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_registry_are_found() {
        let of = |body: &str| message(body.as_bytes()).0;
        assert_eq!(of(r#"{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}"#), "DENIED: no; X");
        assert_eq!(of(r#"{"error":"invalid_grant","error_description":"bad\u001b[31m"}"#), "bad[31m");
        assert_eq!(of(r#"{"details":"incorrect username or password"}"#), "incorrect username or password");
        assert_eq!(of("<html>"), "");
        assert_eq!(of(&format!(r#"{{"details":"{}"}}"#, "x".repeat(9000))).len(), MAX_MESSAGE);
    }

    #[test]
    fn registries_are_spoken_to_at_their_address() {
        let of = |name: &str| {
            let reference: image::Reference = name.parse().unwrap();
            let attempt = Attempt::new(crate::Action::Resolve("x".into()), reference.repository());
            address(&attempt, "tags/list").unwrap().to_string()
        };
        assert_eq!(of("busybox"), "https://registry-1.docker.io/v2/library/busybox/tags/list");
        assert_eq!(of("ghcr.io/a/b"), "https://ghcr.io/v2/a/b/tags/list");
        assert_eq!(of("localhost:5000/a"), "http://localhost:5000/v2/a/tags/list");
        assert_eq!(of("[::1]:5000/a"), "http://[::1]:5000/v2/a/tags/list");
    }

    #[test]
    fn a_date_is_no_number_of_seconds() {
        let after = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }
}
