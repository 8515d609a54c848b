//! [`Reference`]: the names of images, as Docker normalises them.
//!
//! ```text
//! busybox                        docker.io/library/busybox
//! user/app:1.2                   docker.io/user/app:1.2
//! localhost:5000/app@sha256:…    localhost:5000/app@sha256:…
//! ```
//!
//! The first component is a registry if it has a dot, a colon or an upper-case letter, or is
//! `localhost`. The grammar is that of the distribution project's `reference` package.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::digest::{Digest, DigestError};

/// The registry of names that have none.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Where the default registry keeps names of one component.
const DEFAULT_NAMESPACE: &str = "library/";
/// The tag that is meant when there is none.
const DEFAULT_TAG: &str = "latest";

/// A registry and a path in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// The registry's host name, with its port if it has one: `docker.io`, `localhost:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path: `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the registry is on this machine: `localhost`, 127.0.0.0/8 or `::1`.
    pub fn is_loopback(&self) -> bool {
        let host = match self.registry.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => self.registry.split(':').next().unwrap_or_default(),
        };
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// The name of an image: a repository, and a tag or a digest or both.
///
/// Where both are there, the digest decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that is no name of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The text is not of the form `[registry/]path[:tag][@digest]`.
    #[error("invalid reference format: {0:?}")]
    Malformed(String),
    /// The path has upper-case letters.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    UpperCase(String),
    /// The path is 64 hexadecimal digits, which names an image by its id.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    LooksLikeId(String),
    /// The name has more than 255 characters.
    #[error("repository name must not be more than 255 characters: {0:?}")]
    TooLong(String),
    /// What follows the `@` is no digest.
    #[error("invalid reference format: {reference:?}")]
    Digest {
        /// The whole text.
        reference: String,
        /// What is wrong with the digest.
        source: DigestError,
    },
}

impl Reference {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag, if one is named.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one is named.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same with the tag `latest`, if it has neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.to_owned());
        }
        self
    }

    /// The same repository at a digest, without a tag.
    #[must_use]
    pub fn at_digest(&self, digest: Digest) -> Self {
        Self { repository: self.repository.clone(), tag: None, digest: Some(digest) }
    }

    /// The shortest text that means the same: `busybox:1` for `docker.io/library/busybox:1`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let short = full.strip_prefix("docker.io/").unwrap_or(&full);
        short.strip_prefix(DEFAULT_NAMESPACE).filter(|_| short.len() < full.len()).unwrap_or(short).to_owned()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let malformed = || ReferenceError::Malformed(text.to_owned());
        if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::LooksLikeId(text.to_owned()));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest
                    .parse()
                    .map_err(|source| ReferenceError::Digest { reference: text.to_owned(), source })?;
                (rest, Some(digest))
            }
            None => (text, None),
        };
        let (registry, rest) = split_registry(rest);
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        if path.chars().any(char::is_uppercase) {
            return Err(ReferenceError::UpperCase(path.to_owned()));
        }
        if !is_registry(registry) || !path.split('/').all(is_path_component) || !tag.is_none_or(is_tag) {
            return Err(malformed());
        }
        let path = if registry == DEFAULT_REGISTRY && !path.contains('/') {
            format!("{DEFAULT_NAMESPACE}{path}")
        } else {
            path.to_owned()
        };
        if registry.len() + 1 + path.len() > 255 {
            return Err(ReferenceError::TooLong(text.to_owned()));
        }
        let repository = Repository { registry: registry.to_owned(), path };
        Ok(Self { repository, tag: tag.map(str::to_owned), digest })
    }
}

impl serde::Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The registry, the default one if none is named, and the rest.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.chars().any(char::is_uppercase) =>
        {
            (if first == "index.docker.io" { DEFAULT_REGISTRY } else { first }, rest)
        }
        _ => (DEFAULT_REGISTRY, name),
    }
}

/// Domain labels with dots between, or an IPv6 address in brackets, and an optional port.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    is_host && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Runs of lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let bounded =
        bytes.first().is_some_and(|byte| is_word(*byte)) && bytes.last().is_some_and(|byte| is_word(*byte));
    bounded
        && bytes.split(|byte| is_word(*byte)).all(|separator| {
            matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-')
        })
}

/// A letter, digit or `_`, then up to 127 of those, `.` and `-`.
fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::{Reference, ReferenceError};

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn reference(text: &str) -> Reference {
        text.parse().expect(text)
    }

    #[test]
    fn names_are_normalised() {
        for (text, full, familiar) in [
            ("busybox", "docker.io/library/busybox", "busybox"),
            ("busybox:1", "docker.io/library/busybox:1", "busybox:1"),
            ("index.docker.io/busybox", "docker.io/library/busybox", "busybox"),
            ("user/app", "docker.io/user/app", "user/app"),
            ("docker.io/library/x:y", "docker.io/library/x:y", "x:y"),
            ("localhost/app", "localhost/app", "localhost/app"),
            ("127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t"),
            ("[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"),
            ("Registry/app", "Registry/app", "Registry/app"),
            ("a/b__c/d-e--f.g", "docker.io/a/b__c/d-e--f.g", "a/b__c/d-e--f.g"),
        ] {
            assert_eq!(reference(text).to_string(), full);
            assert_eq!(reference(text).familiar(), familiar);
            assert_eq!(reference(full), reference(text));
        }
    }

    #[test]
    fn tags_and_digests() {
        let both = reference(&format!("app:1.0@{DIGEST}"));
        assert_eq!(both.tag(), Some("1.0"));
        assert_eq!(both.digest().map(|digest| digest.to_string()).as_deref(), Some(DIGEST));
        assert_eq!(reference("app").with_default_tag().tag(), Some("latest"));
        assert_eq!(both.clone().with_default_tag(), both);
        assert_eq!(reference("app:1").at_digest(DIGEST.parse().unwrap()).tag(), None);
    }

    #[test]
    fn bad_names_say_what_is_wrong() {
        let error = |text: &str| text.parse::<Reference>().expect_err(text);
        let upper = error("user/App:x");
        assert_eq!(
            upper.to_string(),
            "invalid reference format: repository name (user/App) must be lowercase"
        );
        assert!(matches!(error(&DIGEST[7..]), ReferenceError::LooksLikeId(_)));
        assert!(matches!(error(&format!("a/{}", "b".repeat(260))), ReferenceError::TooLong(_)));
        assert!(matches!(error("a@sha256:12"), ReferenceError::Digest { .. }));
        for text in [
            "", "a:", ":a", "-a", "a..b", "a___b", "a/", "/a", "a b", "a:b c", "a:-x", "a.b:x/y", "häuser",
            "a//b",
        ] {
            assert!(matches!(error(text), ReferenceError::Malformed(_)), "{text}");
        }
    }

    #[test]
    fn loopback_registries_are_known() {
        for text in
            ["localhost/a", "localhost:5000/a", "127.0.0.1:1/a", "127.8.8.8/a", "[::1]/a", "[::1]:5/a"]
        {
            assert!(reference(text).repository().is_loopback(), "{text}");
        }
        for text in ["a", "10.0.0.1:5000/a", "localhost.example/a", "[::2]/a"] {
            assert!(!reference(text).repository().is_loopback(), "{text}");
        }
    }
}
