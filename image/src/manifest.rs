//! [`Manifest`] and [`Index`]: what an image consists of, and which images a name stands for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Descriptor, MediaType, Platform};

/// The manifest of one image: its config and its layers (OCI image spec, "Image Manifest"; the
/// Docker schema 2 manifest has the same fields).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// What the manifest is; old OCI manifests do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What kind of artifact this is, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// The layers, base first.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A list of manifests, usually one a platform (OCI image spec, "Image Index"; the Docker
/// manifest list has the same fields).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// What the list is; old OCI indexes do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What kind of artifact this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests.
    #[serde(default)]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this index says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// An OCI manifest of this config and these layers, base first.
    pub fn oci(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MediaType::OciManifest),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The bytes that are stored and hashed: indented JSON, as BuildKit writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a manifest has only string keys")
    }
}

impl Index {
    /// An OCI index of these manifests.
    pub fn oci(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MediaType::OciIndex),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The manifest that serves a platform best; none if none says that it does.
    pub fn best_for(&self, platform: &Platform) -> Option<&Descriptor> {
        let rank = |one: &&Descriptor| platform.match_rank(one.platform.as_ref()?);
        self.manifests.iter().filter(|one| rank(one).is_some()).min_by_key(rank)
    }

    /// The bytes that are stored and hashed: indented JSON, as BuildKit writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("an index has only string keys")
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, Manifest};
    use crate::{Compression, Descriptor, MediaType};

    #[test]
    fn a_manifest_goes_to_bytes_and_back() {
        let config = Descriptor::of(MediaType::OciConfig, b"{}");
        let layer = Descriptor::of(MediaType::OciLayer(Compression::Gzip), b"layer");
        let manifest = Manifest::oci(config, vec![layer]);
        let bytes = manifest.to_bytes();
        assert!(bytes.starts_with(b"{\n  \"schemaVersion\": 2,\n  \"mediaType\": "));
        assert_eq!(serde_json::from_slice::<Manifest>(&bytes).unwrap(), manifest);
    }

    #[test]
    fn an_index_without_a_media_type_is_read() {
        let index: Index = serde_json::from_str(r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
        assert_eq!(index.media_type, None);
        assert_eq!(Index::oci(vec![]).media_type, Some(MediaType::OciIndex));
    }
}
