//! Images out of archives: `builder import` and `builder load`.
//!
//! An archive to load is an OCI image layout, or what `docker save` writes, in any compression. It is
//! unpacked into a temporary directory of the store first, since its parts come in any order; then
//! every part is found by digest, verified, and taken in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use image::{
    Compression, Descriptor, Digest, History, ImageConfig, ImageId, Index, Manifest, MediaType, Platform,
    Reference, Timestamp,
};
use serde::Deserialize;
use store::{NewImage, Snapshot, StoreError};

use crate::changes::{self, ChangeError};
use crate::engine::Engine;
use crate::export::blob_path;

/// Why an archive could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read.
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    /// It is an archive, but neither an OCI image layout nor one of Docker.
    #[error("unrecognized image format: the archive has neither index.json nor manifest.json")]
    Format,
    /// A part that another one refers to is missing.
    #[error("the archive lacks {0}")]
    PartMissing(String),
    /// A part cannot be read as what it should be.
    #[error("{part} of the archive is damaged")]
    Damaged {
        /// The part.
        part: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A part has other content than its name says.
    #[error("{part} of the archive has the digest {found}")]
    Digest {
        /// The part.
        part: String,
        /// What it has.
        found: Digest,
    },
    /// The manifest and the config count different layers.
    #[error("the image has {layers} layers, but its config speaks of {diff_ids}")]
    LayerCount {
        /// In the manifest.
        layers: usize,
        /// In the config.
        diff_ids: usize,
    },
    /// `--change` has something that is no change.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One image of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The image.
    pub id: ImageId,
    /// The names that the archive gives it.
    pub tags: Vec<Reference>,
}

/// One layer of an image in an archive.
struct Layer {
    /// The name of the part that it is.
    part: String,
    media_type: MediaType,
    /// The digest that the part must have, where the archive says it.
    digest: Option<Digest>,
}

/// One image of Docker's `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

impl Engine {
    /// Makes an image with one layer out of the archive of a root filesystem.
    ///
    /// Changes are instructions of a Dockerfile that only touch the config, such as `CMD ["sh"]`.
    pub fn import(
        &self,
        archive: impl Read,
        tag: Option<&Reference>,
        changes: &[String],
        platform: &Platform,
    ) -> Result<ImageId, ArchiveError> {
        let mut config = ImageConfig::for_platform(platform);
        config.config = changes::apply(changes, platform)?;
        let root = self.store.import(&self.store.scratch(), archive)?;
        let created = Some(Timestamp::from_system(self.store.created(&root)?));
        config.created = created;
        config.rootfs.diff_ids = self.store.diff_ids(&root)?;
        let comment = "imported by builder".to_owned();
        config.history = vec![History { created, comment, ..History::default() }];
        let bytes = config.to_bytes();
        let image =
            self.store.put_image(&NewImage { config: &bytes, top: &root, manifest: None, origin: None })?;
        if let Some(tag) = tag {
            self.store.tag(&tag.clone().with_default_tag(), image.id)?;
        }
        Ok(image.id)
    }

    /// Takes all images of an archive in: for each platform-specific index the one that fits this
    /// machine best.
    pub fn load(&self, archive: impl Read) -> Result<Vec<Loaded>, ArchiveError> {
        let directory = tempfile::Builder::new()
            .prefix("load-")
            .tempdir_in(self.store.root().join("tmp"))
            .map_err(ArchiveError::Read)?;
        let parts = Parts::unpack(archive, directory.path())?;
        if parts.files.contains_key("index.json") {
            return self.load_layout(&parts);
        }
        if parts.files.contains_key("manifest.json") {
            return self.load_docker(&parts);
        }
        Err(ArchiveError::Format)
    }

    fn load_layout(&self, parts: &Parts) -> Result<Vec<Loaded>, ArchiveError> {
        let index: Index = parts.json("index.json")?;
        let mut loaded: Vec<Loaded> = Vec::new();
        for named in &index.manifests {
            let Some((descriptor, manifest, bytes)) = parts.manifest(named)? else { continue };
            let tags: Vec<Reference> = name_of(named).into_iter().collect();
            let config = parts.blob(manifest.config.digest)?;
            let layers = manifest.layers.iter().map(|layer| Layer {
                part: blob_path(&layer.digest),
                media_type: layer.media_type.clone(),
                digest: Some(layer.digest),
            });
            let id = self.take_in(parts, &config, layers.collect(), Some((descriptor, &bytes)))?;
            for tag in &tags {
                self.store.tag(tag, id)?;
            }
            match loaded.iter_mut().find(|image| image.id == id) {
                Some(image) => image.tags.extend(tags),
                None => loaded.push(Loaded { id, tags }),
            }
        }
        Ok(loaded)
    }

    fn load_docker(&self, parts: &Parts) -> Result<Vec<Loaded>, ArchiveError> {
        let images: Vec<DockerImage> = parts.json("manifest.json")?;
        let mut loaded = Vec::new();
        for image in images {
            let config = parts.read(&image.config)?;
            let mut layers = Vec::new();
            for part in image.layers {
                let media_type = MediaType::OciLayer(parts.compression(&part)?);
                layers.push(Layer { part, media_type, digest: None });
            }
            let id = self.take_in(parts, &config, layers, None)?;
            let names = image.repo_tags.unwrap_or_default();
            let tags: Vec<Reference> = names.iter().filter_map(|name| name.parse().ok()).collect();
            for tag in &tags {
                self.store.tag(tag, id)?;
            }
            loaded.push(Loaded { id, tags });
        }
        Ok(loaded)
    }

    /// Takes one image in: its layers as blobs and as snapshots, then its config.
    fn take_in(
        &self,
        parts: &Parts,
        config: &[u8],
        layers: Vec<Layer>,
        manifest: Option<(Descriptor, &[u8])>,
    ) -> Result<ImageId, ArchiveError> {
        let damaged = |source| ArchiveError::Damaged { part: "the config".to_owned(), source };
        let parsed: ImageConfig = serde_json::from_slice(config).map_err(damaged)?;
        let diff_ids = &parsed.rootfs.diff_ids;
        if diff_ids.len() != layers.len() {
            return Err(ArchiveError::LayerCount { layers: layers.len(), diff_ids: diff_ids.len() });
        }
        let mut root: Snapshot = self.store.scratch();
        for (Layer { part, media_type, digest }, diff_id) in layers.into_iter().zip(diff_ids) {
            let mut writer = self.store.blobs().writer()?;
            io::copy(&mut parts.open(&part)?, &mut writer).map_err(ArchiveError::Read)?;
            let (digest, size) = writer.commit(digest)?;
            root = self.store.unpack(&root, self.store.blobs().open(&digest)?, *diff_id)?;
            self.store.add_layer_blob(*diff_id, &Descriptor::new(media_type, digest, size))?;
        }
        let image = NewImage { config, top: &root, manifest, origin: None };
        Ok(self.store.put_image(&image)?.id)
    }
}

/// The name that a layout gives an image: containerd's annotation has all of it, that of the
/// specification may be a tag only, which names nothing.
fn name_of(descriptor: &Descriptor) -> Option<Reference> {
    let annotation = |key: &str| descriptor.annotations.get(key);
    let full = annotation("io.containerd.image.name").and_then(|name| name.parse::<Reference>().ok());
    let plain = || {
        let name = annotation("org.opencontainers.image.ref.name")?;
        name.contains([':', '/']).then(|| name.parse::<Reference>().ok())?
    };
    full.or_else(plain).map(Reference::with_default_tag)
}

/// The regular files of an archive, unpacked under numbers: names of an archive are never paths of
/// the host.
struct Parts {
    directory: PathBuf,
    files: BTreeMap<String, usize>,
}

impl Parts {
    fn unpack(archive: impl Read, directory: &Path) -> Result<Self, ArchiveError> {
        let archive = store::decompress(archive).map_err(ArchiveError::Read)?;
        let mut archive = tar::Archive::new(archive);
        let mut files = BTreeMap::new();
        let mut links = Vec::new();
        for (number, entry) in archive.entries().map_err(ArchiveError::Read)?.enumerate() {
            let mut entry = entry.map_err(ArchiveError::Read)?;
            let name = clean(&entry.path().map_err(ArchiveError::Read)?);
            match entry.header().entry_type() {
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    let mut file =
                        File::create(directory.join(number.to_string())).map_err(ArchiveError::Read)?;
                    io::copy(&mut entry, &mut file).map_err(ArchiveError::Read)?;
                    files.insert(name, number);
                }
                // Old archives of Docker share equal layers by links.
                tar::EntryType::Link | tar::EntryType::Symlink => {
                    let target =
                        entry.link_name().map_err(ArchiveError::Read)?.unwrap_or_default().into_owned();
                    let is_hard = entry.header().entry_type() == tar::EntryType::Link;
                    let parent = Path::new(&name).parent().unwrap_or(Path::new("")).to_owned();
                    let target = if is_hard { clean(&target) } else { clean(&parent.join(target)) };
                    links.push((name, target));
                }
                _ => {}
            }
        }
        for (name, target) in links {
            if let Some(number) = files.get(&target).copied() {
                files.insert(name, number);
            }
        }
        Ok(Self { directory: directory.to_owned(), files })
    }

    fn open(&self, name: &str) -> Result<File, ArchiveError> {
        let missing = || ArchiveError::PartMissing(name.to_owned());
        let number = self.files.get(name).ok_or_else(missing)?;
        File::open(self.directory.join(number.to_string())).map_err(ArchiveError::Read)
    }

    /// A part that is small: a manifest or config.
    fn read(&self, name: &str) -> Result<Vec<u8>, ArchiveError> {
        const LARGEST: u64 = 16 << 20;
        let mut bytes = Vec::new();
        self.open(name)?.take(LARGEST).read_to_end(&mut bytes).map_err(ArchiveError::Read)?;
        Ok(bytes)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, ArchiveError> {
        let damaged = |source| ArchiveError::Damaged { part: name.to_owned(), source };
        serde_json::from_slice(&self.read(name)?).map_err(damaged)
    }

    fn blob(&self, digest: Digest) -> Result<Vec<u8>, ArchiveError> {
        let part = blob_path(&digest);
        let bytes = self.read(&part)?;
        let found = Digest::of(&bytes);
        if found == digest { Ok(bytes) } else { Err(ArchiveError::Digest { part, found }) }
    }

    fn compression(&self, name: &str) -> Result<Compression, ArchiveError> {
        let mut head = [0; 4];
        let length = self.open(name)?.read(&mut head).map_err(ArchiveError::Read)?;
        Ok(match head.get(..length) {
            Some([0x1f, 0x8b, ..]) => Compression::Gzip,
            Some([0x28, 0xb5, 0x2f, 0xfd]) => Compression::Zstd,
            _ => Compression::None,
        })
    }

    /// The manifest behind a descriptor; of an index, the one that fits this machine best.
    fn manifest(&self, named: &Descriptor) -> Result<Option<(Descriptor, Manifest, Vec<u8>)>, ArchiveError> {
        let bytes = self.blob(named.digest)?;
        let damaged = |source| ArchiveError::Damaged { part: named.digest.to_string(), source };
        if !named.media_type.is_index() {
            let manifest = serde_json::from_slice(&bytes).map_err(damaged)?;
            let descriptor = Descriptor::new(named.media_type.clone(), named.digest, named.size);
            return Ok(Some((descriptor, manifest, bytes)));
        }
        let index: Index = serde_json::from_slice(&bytes).map_err(damaged)?;
        let best = index.best_for(&Platform::host());
        best.map(|descriptor| self.manifest(descriptor)).transpose().map(Option::flatten)
    }
}

/// The name of an entry without `./` and `..`.
fn clean(path: &Path) -> String {
    image::ImagePath::new(&path.to_string_lossy()).as_str().trim_start_matches('/').to_owned()
}
