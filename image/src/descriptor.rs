//! [`MediaType`] and [`Descriptor`]: what a blob is, and how it is referred to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, Platform};

/// How a layer blob is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Not at all: the blob is the tar archive.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// What a blob is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum MediaType {
    /// An OCI image manifest.
    OciManifest,
    /// An OCI image index.
    OciIndex,
    /// An OCI image config.
    OciConfig,
    /// A layer of an OCI image.
    OciLayer(Compression),
    /// A Docker schema 2 manifest.
    DockerManifest,
    /// A Docker manifest list.
    DockerManifestList,
    /// A Docker image config.
    DockerConfig,
    /// A layer of a Docker image.
    DockerLayer(Compression),
    /// Anything else, by its text.
    Other(String),
}

/// Each media type and its text.
const TEXTS: &[(MediaType, &str)] = &[
    (MediaType::OciManifest, "application/vnd.oci.image.manifest.v1+json"),
    (MediaType::OciIndex, "application/vnd.oci.image.index.v1+json"),
    (MediaType::OciConfig, "application/vnd.oci.image.config.v1+json"),
    (MediaType::OciLayer(Compression::None), "application/vnd.oci.image.layer.v1.tar"),
    (MediaType::OciLayer(Compression::Gzip), "application/vnd.oci.image.layer.v1.tar+gzip"),
    (MediaType::OciLayer(Compression::Zstd), "application/vnd.oci.image.layer.v1.tar+zstd"),
    (MediaType::DockerManifest, "application/vnd.docker.distribution.manifest.v2+json"),
    (MediaType::DockerManifestList, "application/vnd.docker.distribution.manifest.list.v2+json"),
    (MediaType::DockerConfig, "application/vnd.docker.container.image.v1+json"),
    (MediaType::DockerLayer(Compression::None), "application/vnd.docker.image.rootfs.diff.tar"),
    (MediaType::DockerLayer(Compression::Gzip), "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    (MediaType::DockerLayer(Compression::Zstd), "application/vnd.docker.image.rootfs.diff.tar.zstd"),
];

impl MediaType {
    /// The text, as manifests and HTTP headers have it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(text) => text,
            known => TEXTS.iter().find(|(media_type, _)| media_type == known).map_or("", |(_, text)| text),
        }
    }

    /// Whether it is a list of manifests.
    pub fn is_index(&self) -> bool {
        matches!(self, Self::OciIndex | Self::DockerManifestList)
    }

    /// How a layer of this type is compressed; none if it is no layer that we know.
    pub fn layer_compression(&self) -> Option<Compression> {
        match self {
            Self::OciLayer(compression) | Self::DockerLayer(compression) => Some(*compression),
            _ => None,
        }
    }
}

impl From<String> for MediaType {
    fn from(text: String) -> Self {
        let known = TEXTS.iter().find(|(_, known)| *known == text);
        known.map_or(Self::Other(text), |(media_type, _)| media_type.clone())
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.as_str().to_owned()
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reference to a blob: what it is, its digest and its size (OCI image spec, "Descriptor").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: MediaType,
    /// The digest of the blob.
    pub digest: Digest,
    /// The size of the blob in bytes.
    pub size: u64,
    /// Where else the blob can be downloaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What the manifest behind the descriptor is made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What kind of artifact the manifest behind the descriptor is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// A descriptor with nothing but type, digest and size.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
        }
    }

    /// The descriptor of these bytes.
    pub fn of(media_type: MediaType, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::{Compression, Descriptor, MediaType, TEXTS};

    #[test]
    fn media_types_go_to_text_and_back() {
        for (media_type, text) in TEXTS {
            assert_eq!(MediaType::from((*text).to_owned()), *media_type);
            assert_eq!(media_type.as_str(), *text);
        }
        assert_eq!(MediaType::from("text/plain".to_owned()).as_str(), "text/plain");
        assert_eq!(MediaType::DockerLayer(Compression::Gzip).layer_compression(), Some(Compression::Gzip));
    }

    #[test]
    fn a_descriptor_is_written_in_the_order_of_the_specification() {
        let descriptor = Descriptor::of(MediaType::OciConfig, b"{}");
        assert_eq!(
            serde_json::to_string(&descriptor).unwrap(),
            r#"{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#
        );
    }
}
