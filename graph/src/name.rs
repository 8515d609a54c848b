//! Names and pins: what is mutable about a build's sources, and what it was resolved to.
//!
//! The planner asks for a pin of every [`Name`] that the Dockerfile mentions; the executor
//! resolves them; the plan is then made from [`Pins`] alone. So after pinning everything is
//! content-addressed, and the pins are the complete list of a build's materials.

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
            Self::Http(name) => f.write_str(&name.url),
            Self::Git(name) => match &name.reference {
                Some(reference) => write!(f, "{}#{reference}", name.remote),
                None => f.write_str(&name.remote),
            },
        }
    }
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
