//! Names and pins: what is mutable about a build's sources, and what it was resolved to.
//!
//! The planner asks for a pin of every [`Name`] that the Dockerfile mentions; the executor
//! resolves them; the plan is then made from [`Pins`] alone. So after pinning everything is
//! content-addressed, and the pins are the complete list of a build's materials.

use std::borrow::Cow;
use std::fmt;

use image::{ChainId, Digest, ImageConfig, Platform, Reference};
use indexmap::IndexMap;

/// A mutable name of something outside of the build.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// An image, for one platform.
    Image(ImageName),
    /// A file to download.
    Http(HttpName),
    /// A git repository.
    Git(GitName),
    /// How old something is that is pinned already.
    Time(TimedSource),
}

/// An image, for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageName {
    /// Where the image comes from.
    pub location: ImageLocation,
    /// The platform that is wanted of an index.
    pub platform: Platform,
}

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImageLocation {
    /// The local store, or else the registry that the reference names.
    Reference(Reference),
    /// A directory in the OCI image layout, as `--build-context NAME=oci-layout://DIR[:TAG][@DIGEST]`
    /// gives it; the text is what follows `oci-layout://`.
    OciLayout(String),
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpName {
    /// An `http` or `https` URL.
    pub url: String,
    /// The digest that the content must have (`ADD --checksum`).
    pub checksum: Option<Digest>,
}

/// A git repository at a branch, tag or commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GitName {
    /// What git clones from.
    pub remote: String,
    /// Branch, tag, full reference name or commit; none is the remote's default branch.
    pub reference: Option<String>,
    /// What the commit id must begin with (`ADD --checksum`).
    pub checksum: Option<String>,
    /// Whether the checksum is trusted to be the commit of the reference, so that the remote is not
    /// asked (`?fetch-by-commit`). It must be a whole commit id then.
    pub by_commit: bool,
}

/// Something whose age can be asked for, as the value of `SOURCE_DATE_EPOCH`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TimedSource {
    /// A commit: when it was committed.
    Commit {
        /// A repository that has it.
        remote: String,
        /// Its whole object id, in hex.
        commit: String,
    },
    /// An archive that is a blob of the store: the modification time of its newest file.
    Archive(Digest),
}

impl fmt::Display for ImageLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference(reference) => reference.fmt(f),
            Self::OciLayout(path) => write!(f, "oci-layout://{path}"),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(name) => write!(f, "{} ({})", name.location, name.platform),
            Self::Http(name) => f.write_str(&redacted(&name.url)),
            Self::Git(name) => match &name.reference {
                Some(reference) => write!(f, "{}#{reference}", redacted(&name.remote)),
                None => f.write_str(&redacted(&name.remote)),
            },
            Self::Time(TimedSource::Commit { commit, .. }) => write!(f, "the time of commit {commit}"),
            Self::Time(TimedSource::Archive(digest)) => write!(f, "the time of archive {digest}"),
        }
    }
}

/// Whether a text is the whole object id of a commit in hex, SHA-1 or SHA-256, and so needs no looking up.
pub fn is_commit_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An address as it may be shown: without the password, or the token in its place, that it may hold.
pub fn redacted(address: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = address.split_once("://") else { return Cow::Borrowed(address) };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some((user, host)) = rest[..host_end].rsplit_once('@') else { return Cow::Borrowed(address) };
    let shown = match user.split_once(':') {
        Some((user, _)) => format!("{user}:xxxxx"),
        // A token is given as the user of http, where nobody else has a name.
        None if scheme.starts_with("http") => "xxxxx".to_owned(),
        None => return Cow::Borrowed(address),
    };
    Cow::Owned(format!("{scheme}://{shown}@{host}{}", &rest[host_end..]))
}

/// What a name was resolved to, for this build.
#[derive(Clone, Debug, PartialEq)]
pub enum Pin {
    /// An image.
    Image(Box<ImagePin>),
    /// A downloaded file.
    Http(HttpPin),
    /// A commit.
    Git(GitPin),
    /// An age, in seconds since 1970; none for an archive without files.
    Time(Option<i64>),
}

/// An image, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ImagePin {
    /// The digest of what the reference stood for: an index, or the manifest itself. None for an
    /// image that exists in the local store only.
    pub resolved: Option<Digest>,
    /// The whole config.
    pub config: ImageConfig,
}

impl ImagePin {
    /// What the image is made for.
    pub fn platform(&self) -> Platform {
        self.config.platform()
    }

    /// The chain id of its layers; none if it has no layers.
    pub fn chain(&self) -> Option<ChainId> {
        ChainId::of(&self.config.rootfs.diff_ids)
    }
}

/// A file, downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPin {
    /// The digest of the content.
    pub content: Digest,
    /// The name from the `Content-Disposition` header, if there is one.
    pub file_name: Option<String>,
    /// The `Last-Modified` header in seconds since 1970.
    pub last_modified: Option<i64>,
}

/// A git reference, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitPin {
    /// The full object id of the commit, in hex.
    pub commit: String,
}

/// What the names of a build were resolved to, in the order of resolution.
#[derive(Clone, Debug, Default)]
pub struct Pins(IndexMap<Name, Pin>);

impl Pins {
    /// The pin of an image name. None also if the name has a pin of another kind, which the
    /// executor never makes.
    pub fn image(&self, name: &ImageName) -> Option<&ImagePin> {
        match self.0.get(&Name::Image(name.clone())) {
            Some(Pin::Image(pin)) => Some(pin),
            _ => None,
        }
    }

    /// The pin of a download.
    pub fn http(&self, name: &HttpName) -> Option<&HttpPin> {
        match self.0.get(&Name::Http(name.clone())) {
            Some(Pin::Http(pin)) => Some(pin),
            _ => None,
        }
    }

    /// The time of something, if it was asked for; the inner value as in [`Pin::Time`].
    pub fn time(&self, source: &TimedSource) -> Option<Option<i64>> {
        match self.0.get(&Name::Time(source.clone())) {
            Some(Pin::Time(time)) => Some(*time),
            _ => None,
        }
    }

    /// The pin of a git name.
    pub fn git(&self, name: &GitName) -> Option<&GitPin> {
        match self.0.get(&Name::Git(name.clone())) {
            Some(Pin::Git(pin)) => Some(pin),
            _ => None,
        }
    }
}

impl Extend<(Name, Pin)> for Pins {
    fn extend<T: IntoIterator<Item = (Name, Pin)>>(&mut self, pins: T) {
        self.0.extend(pins);
    }
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn passwords_and_tokens_are_not_shown() {
        for (address, shown) in [
            ("https://host/r.git", "https://host/r.git"),
            ("https://user:secret@host/r.git#x@y", "https://user:xxxxx@host/r.git#x@y"),
            ("https://token@host/r.git", "https://xxxxx@host/r.git"),
            ("ssh://git@host/r.git", "ssh://git@host/r.git"),
            ("git@host:r.git", "git@host:r.git"),
            ("https://host?q=a@b", "https://host?q=a@b"),
            ("https://user:p@ss@host", "https://user:xxxxx@host"),
        ] {
            assert_eq!(redacted(address), shown);
        }
    }
}
