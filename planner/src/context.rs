//! Build contexts: the main one, and those of `--build-context NAME=…`.

use std::collections::BTreeMap;

use image::platform::PlatformError;
use image::reference::ReferenceError;
use image::{Platform, Reference};
use parser::ignore::{IgnoreFile, Rule};

use crate::remote::GitReference;

/// What the main context is. One that comes from elsewhere is fetched before there is a plan, since the
/// Dockerfile may be in it ([`RemoteTree`]), and is a directory for the planner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MainContext {
    /// A directory of files.
    #[default]
    Directory,
    /// There is none, as when the Dockerfile alone comes from standard input.
    Empty,
}

/// The ignore file of the main context.
#[derive(Clone, Debug)]
pub struct IgnoreRules {
    /// How messages call it.
    pub name: String,
    /// Its rules.
    pub file: IgnoreFile,
}

impl IgnoreRules {
    /// Whether a rule takes back what earlier ones left out.
    pub(crate) fn has_exceptions(&self) -> bool {
        self.file.rules().iter().any(|rule| rule.is_exception)
    }

    /// Where a rule stands, and what it says: `.dockerignore:3: src`.
    pub fn place(&self, rule: &Rule) -> String {
        format!("{}:{}: {}", self.name, rule.line, rule.written)
    }
}

/// What a named context is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedContext {
    /// A directory of the host; the session knows where it is.
    Directory,
    /// The empty tree: `docker-image://scratch`.
    Scratch,
    /// An image of the local store or a registry: `docker-image://REFERENCE`.
    Image(Reference),
    /// An image in a directory of the OCI layout; the text is what follows `oci-layout://`.
    OciLayout(String),
    /// A git repository.
    Git(GitReference),
    /// A file to download, which becomes the file `context` of the tree.
    Http(String),
    /// An earlier stage of the same Dockerfile: `target:NAME`.
    Stage(String),
}

/// The named contexts of a build.
///
/// A context takes the place of the stage or image of its name, wherever that is used. Names are
/// compared as Docker writes them: `alpine`, `docker.io/library/alpine` and `alpine:latest` are one.
/// A name may be for one platform only, `NAME::linux/arm64`, and then wins over the plain one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedContexts(BTreeMap<String, NamedContext>);

/// A name that no context can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextNameError {
    /// Neither the name of a stage nor that of an image.
    #[error("invalid context name {name}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// What follows `::` is no platform.
    #[error("invalid platform of context {name}")]
    Platform {
        /// The name.
        name: String,
        /// What is wrong with the platform.
        source: PlatformError,
    },
}

impl NamedContexts {
    /// No contexts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a context and returns its key: the normalised name, by which the session must know it
    /// too (see [`graph::source::ContextName::named`]).
    pub fn insert(&mut self, name: &str, context: NamedContext) -> Result<String, ContextNameError> {
        let (plain, platform) = match name.split_once("::") {
            Some((plain, platform)) => {
                let platform: Platform = platform
                    .parse()
                    .map_err(|source| ContextNameError::Platform { name: name.to_owned(), source })?;
                (plain, Some(platform))
            }
            None => (name, None),
        };
        let reference: Reference =
            plain.parse().map_err(|source| ContextNameError::Name { name: name.to_owned(), source })?;
        let key = key_of(&reference, platform.as_ref());
        self.0.insert(key.clone(), context);
        Ok(key)
    }

    /// The context that takes the place of an image or a stage, with its key.
    pub(crate) fn of_image(&self, name: &Reference, platform: &Platform) -> Option<(&str, &NamedContext)> {
        [key_of(name, Some(platform)), key_of(name, None)]
            .iter()
            .find_map(|key| self.0.get_key_value(key))
            .map(|(key, context)| (key.as_str(), context))
    }

    /// The context that takes the place of the stage of that name, with its key.
    pub(crate) fn of_stage(&self, name: &str, platform: &Platform) -> Option<(&str, &NamedContext)> {
        // Nothing can take the place of what is not looked up by name.
        if matches!(name, "scratch" | "context") {
            return None;
        }
        self.of_image(&name.parse().ok()?, platform)
    }
}

fn key_of(name: &Reference, platform: Option<&Platform>) -> String {
    let familiar = name.familiar();
    let plain = familiar.strip_suffix(":latest").unwrap_or(&familiar);
    match platform {
        Some(platform) => format!("{plain}::{platform}"),
        None => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_docker_writes_them() {
        let mut contexts = NamedContexts::new();
        assert_eq!(
            contexts.insert("docker.io/library/alpine:latest", NamedContext::Directory).unwrap(),
            "alpine"
        );
        assert_eq!(
            contexts.insert("alpine::linux/aarch64", NamedContext::Scratch).unwrap(),
            "alpine::linux/arm64"
        );
        let found = |name: &str, platform: &str| {
            let found = contexts.of_image(&name.parse().unwrap(), &platform.parse().unwrap());
            found.map(|(key, _)| key.to_owned())
        };
        assert_eq!(found("alpine", "linux/amd64").as_deref(), Some("alpine"));
        assert_eq!(found("alpine:latest", "linux/arm64").as_deref(), Some("alpine::linux/arm64"));
        assert_eq!(found("alpine:3", "linux/amd64"), None);
    }

    #[test]
    fn reserved_names_stay_what_they_are() {
        let mut contexts = NamedContexts::new();
        contexts.insert("scratch", NamedContext::Directory).unwrap();
        assert_eq!(contexts.of_stage("scratch", &Platform::host()), None);
    }

    #[test]
    fn other_texts_are_refused() {
        let mut contexts = NamedContexts::new();
        assert!(contexts.insert("Upper", NamedContext::Directory).is_err());
        assert!(contexts.insert("a::b/c/d/e", NamedContext::Directory).is_err());
    }
}
