//! Small images, and what they are made of.

use std::fs;
use std::io::{self, Write as _};
use std::process::Command;
use std::sync::OnceLock;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use image::{Compression, Descriptor, DiffId, Digest, ImageConfig, Manifest, MediaType, Platform};

use crate::registry::Registry;

/// The static busybox of the machine.
const BUSYBOX: &str = "/bin/busybox";
/// The empty directories of [`busybox_root`], and their modes.
const DIRECTORIES: &[(&str, u32)] =
    &[("bin", 0o755), ("dev", 0o755), ("etc", 0o755), ("proc", 0o755), ("root", 0o700), ("tmp", 0o1777)];

/// A small root file system as a tar archive: busybox, with a link for each of its commands, and
/// root and nobody as users. None, said on stderr, if the machine has no static busybox.
pub fn busybox_root() -> Option<&'static [u8]> {
    static ROOT: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    ROOT.get_or_init(make_busybox_root).as_deref()
}

#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
fn make_busybox_root() -> Option<Vec<u8>> {
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

/// Puts an image for linux/amd64 into a registry: `app:1`. The layers are tar archives, base first;
/// the manifest has them compressed by gzip.
pub fn push_image(registry: &Registry, name: &str, layers: &[Vec<u8>]) -> Descriptor {
    let reference = registry.reference(name).with_default_tag();
    let repository = reference.repository().path();
    let mut config = ImageConfig::for_platform(&Platform::new("linux", "amd64", None));
    config.rootfs.diff_ids = layers.iter().map(|layer| DiffId(Digest::of(layer))).collect();
    let config = registry.put_blob(repository, MediaType::OciConfig, config.to_bytes());
    let blobs = layers
        .iter()
        .map(|layer| registry.put_blob(repository, MediaType::OciLayer(Compression::Gzip), gzip(layer)));
    let manifest = Manifest::oci(config, blobs.collect()).to_bytes();
    registry.put_manifest(repository, reference.tag(), MediaType::OciManifest, manifest)
}

/// The bytes, compressed by gzip, the same each time.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    let written: io::Result<Vec<u8>> = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory takes everything")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap();
        entries.map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn the_root_has_a_shell() {
        if let Some(root) = busybox_root() {
            assert!(names(root).contains(&"bin/sh".to_owned()));
        }
    }
}
