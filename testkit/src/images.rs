//! Small images, in all the forms that they travel in.

use std::fs;
use std::io::{self, Write as _};
use std::process::Command;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use image::{Compression, Descriptor, DiffId, Digest, ImageConfig, Index, Manifest, MediaType};
use serde_json::json;

use crate::registry::Registry;

/// The static busybox of the machine.
const BUSYBOX: &str = "/bin/busybox";
/// The empty directories of [`busybox_root`], and their modes.
const DIRECTORIES: &[(&str, u32)] =
    &[("bin", 0o755), ("dev", 0o755), ("etc", 0o755), ("proc", 0o755), ("root", 0o700), ("tmp", 0o1777)];

/// A small root file system as a tar archive: busybox, with a link for each of its commands, and
/// root and nobody as users. None, said on stderr, if the machine has no static busybox.
#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
pub fn busybox_root() -> Option<Vec<u8>> {
    let (Ok(program), Ok(listed)) = (fs::read(BUSYBOX), Command::new(BUSYBOX).arg("--list").output()) else {
        eprintln!("SKIPPED: {BUSYBOX} is not there");
        return None;
    };
    if contains(&program, b"/ld-linux") || contains(&program, b"/ld-musl") {
        eprintln!("SKIPPED: {BUSYBOX} is not static");
        return None;
    }
    let mut archive = tar::Builder::new(Vec::new());
    for (name, mode) in DIRECTORIES {
        add(&mut archive, &format!("{name}/"), tar::EntryType::Directory, *mode, &[]);
    }
    add(&mut archive, "bin/busybox", tar::EntryType::Regular, 0o755, &program);
    add(&mut archive, "etc/passwd", tar::EntryType::Regular, 0o644, PASSWD);
    add(&mut archive, "etc/group", tar::EntryType::Regular, 0o644, b"root:x:0:\nnogroup:x:65534:\n");
    for command in String::from_utf8_lossy(&listed.stdout).lines().filter(|command| *command != "busybox") {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        archive
            .append_link(&mut header, format!("bin/{command}"), "busybox")
            .expect("memory takes everything");
    }
    Some(archive.into_inner().expect("memory takes everything"))
}

const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn add(archive: &mut tar::Builder<Vec<u8>>, path: &str, kind: tar::EntryType, mode: u32, content: &[u8]) {
    let mut header = header(kind, mode, content.len() as u64);
    archive.append_data(&mut header, path, content).expect("memory takes everything");
}

/// A tar archive of regular files: paths, relative to the root, and what is in them.
pub fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        add(&mut archive, path, tar::EntryType::Regular, 0o644, content);
    }
    archive.into_inner().expect("memory takes everything")
}

/// An image in memory: what its blobs are, and the manifest over them.
#[derive(Clone, Debug)]
pub struct TestImage {
    /// The manifest.
    pub manifest: Manifest,
    /// The config.
    pub config: Vec<u8>,
    /// The layers as tar archives, base first.
    pub layers: Vec<Vec<u8>>,
    /// The layers as the manifest has them, compressed by gzip.
    pub blobs: Vec<Vec<u8>>,
}

impl TestImage {
    /// An image of these layers, which are tar archives, base first. The config gets their diff ids.
    pub fn new(layers: &[Vec<u8>], mut config: ImageConfig) -> Self {
        config.rootfs.diff_ids = layers.iter().map(|layer| DiffId(Digest::of(layer))).collect();
        let config = config.to_bytes();
        let blobs: Vec<Vec<u8>> = layers.iter().map(|layer| gzip(layer)).collect();
        let layer_type = MediaType::OciLayer(Compression::Gzip);
        let descriptors = blobs.iter().map(|blob| Descriptor::of(layer_type.clone(), blob)).collect();
        let manifest = Manifest::oci(Descriptor::of(MediaType::OciConfig, &config), descriptors);
        Self { manifest, config, layers: layers.to_vec(), blobs }
    }

    /// The descriptor of the manifest.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::of(MediaType::OciManifest, &self.manifest.to_bytes())
    }

    /// Puts the image into a registry: `app:1`.
    pub fn push(&self, registry: &Registry, name: &str) -> Descriptor {
        let reference = registry.reference(name).with_default_tag();
        let repository = reference.repository().path();
        registry.put_blob(repository, MediaType::OciConfig, self.config.clone());
        for blob in &self.blobs {
            registry.put_blob(repository, MediaType::OciLayer(Compression::Gzip), blob.clone());
        }
        registry.put_manifest(repository, reference.tag(), MediaType::OciManifest, self.manifest.to_bytes())
    }

    /// The image as an OCI layout (OCI image spec, "Image Layout"), in a tar archive.
    pub fn oci_archive(&self, tag: &str) -> Vec<u8> {
        let mut descriptor = self.descriptor();
        descriptor.annotations.insert("org.opencontainers.image.ref.name".to_owned(), tag.to_owned());
        let mut archive = tar::Builder::new(Vec::new());
        add(&mut archive, "oci-layout", tar::EntryType::Regular, 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#);
        let index = Index::oci(vec![descriptor]).to_bytes();
        add(&mut archive, "index.json", tar::EntryType::Regular, 0o644, &index);
        let manifest = self.manifest.to_bytes();
        for blob in [&manifest, &self.config].into_iter().chain(&self.blobs) {
            let path = format!("blobs/sha256/{}", Digest::of(blob).hex());
            add(&mut archive, &path, tar::EntryType::Regular, 0o644, blob);
        }
        archive.into_inner().expect("memory takes everything")
    }

    /// The image as `docker save` writes it, in a tar archive.
    pub fn docker_archive(&self, tag: &str) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        let config = format!("{}.json", Digest::of(&self.config).hex());
        add(&mut archive, &config, tar::EntryType::Regular, 0o644, &self.config);
        let mut paths = Vec::new();
        for layer in &self.layers {
            let path = format!("{}/layer.tar", Digest::of(layer).hex());
            if !paths.contains(&path) {
                add(&mut archive, &path, tar::EntryType::Regular, 0o644, layer);
            }
            paths.push(path);
        }
        let manifest = json!([{"Config": config, "RepoTags": [tag], "Layers": paths}]).to_string();
        add(&mut archive, "manifest.json", tar::EntryType::Regular, 0o644, manifest.as_bytes());
        archive.into_inner().expect("memory takes everything")
    }
}

/// Puts an image into a registry: `app:1`. The layers are tar archives, base first.
pub fn push_image(registry: &Registry, name: &str, layers: &[Vec<u8>], config: ImageConfig) -> Descriptor {
    TestImage::new(layers, config).push(registry, name)
}

/// The bytes, compressed by gzip, the same each time.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    let written: io::Result<Vec<u8>> = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory takes everything")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use image::Platform;

    use super::*;

    fn names(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap();
        entries.map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    fn example() -> TestImage {
        let config = ImageConfig::for_platform(&Platform::new("linux", "amd64", None));
        TestImage::new(&[layer(&[("a", b"b")])], config)
    }

    #[test]
    fn an_oci_archive_names_each_blob_by_its_digest() {
        let archive = example().oci_archive("1");
        assert_eq!(names(&archive)[..2], ["oci-layout", "index.json"]);
        let mut archive = tar::Archive::new(archive.as_slice());
        for entry in archive.entries().unwrap().skip(2) {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let path = entry.path().unwrap().display().to_string();
            assert_eq!(path, format!("blobs/sha256/{}", Digest::of(&bytes).hex()));
        }
    }

    #[test]
    fn a_docker_archive_has_what_its_manifest_names() {
        let archive = example().docker_archive("app:1");
        let names = names(&archive);
        assert_eq!((names.len(), names[2].as_str()), (3, "manifest.json"));
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut text = String::new();
        archive.entries().unwrap().nth(2).unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains(&names[0]) && text.contains(&names[1]), "{text}");
    }

    #[test]
    fn the_root_has_a_shell() {
        if let Some(root) = busybox_root() {
            assert!(names(&root).contains(&"bin/sh".to_owned()));
        }
    }
}
