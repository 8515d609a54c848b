//! Manifests and configs in directories in the OCI image layout: `oci-layout://DIR[:TAG][@DIGEST]`.

use std::fs;
use std::path::{Path, PathBuf};

use image::{Descriptor, Digest, Index, Manifest, Platform};

use super::{Resolved, best_of, parse};
use crate::source::error::SourceError;

/// Resolves what follows `oci-layout://`; gives the directory too.
pub(crate) fn resolve(text: &str, platform: &Platform) -> Result<(PathBuf, Resolved), SourceError> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // The last colon begins a tag, unless the directory itself has it.
    let (directory, tag) = match rest.rsplit_once(':') {
        Some((directory, tag)) if !tag.contains('/') && !Path::new(rest).is_dir() => (directory, Some(tag)),
        _ => (rest, None),
    };
    let directory = PathBuf::from(directory);
    let image = format!("oci-layout://{text}");
    let named = match digest {
        Some(digest) => {
            digest.parse().map_err(|_| SourceError::ImageNotFound { reference: image.clone() })?
        }
        None => find(&directory, tag.unwrap_or("latest"), &image)?,
    };
    let resolved = read(&directory, &image, named, platform)?;
    Ok((directory, resolved))
}

/// The entry of `index.json` with that tag; the only one, if there is just one without a name.
fn find(directory: &Path, tag: &str, image: &str) -> Result<Digest, SourceError> {
    let path = directory.join("index.json");
    let bytes = fs::read(&path).map_err(|source| SourceError::Layout { path: path.clone(), source })?;
    let index: Index = parse(&bytes, image, "index", Digest::of(&bytes))?;
    let name =
        |descriptor: &Descriptor| descriptor.annotations.get("org.opencontainers.image.ref.name").cloned();
    let named = index.manifests.iter().find(|descriptor| {
        name(descriptor).is_some_and(|name| name == tag || name.rsplit(':').next() == Some(tag))
    });
    let only = match index.manifests.as_slice() {
        [only] if name(only).is_none() => Some(only),
        _ => None,
    };
    let found = named.or(only).ok_or_else(|| SourceError::ImageNotFound { reference: image.to_owned() })?;
    Ok(found.digest)
}

fn read(directory: &Path, image: &str, named: Digest, platform: &Platform) -> Result<Resolved, SourceError> {
    let mut digest = named;
    let mut bytes = blob(directory, image, digest)?;
    // What is no index has no list of manifests.
    if let Ok(index) = serde_json::from_slice::<Index>(&bytes)
        && !index.manifests.is_empty()
    {
        digest = best_of(&index, image, platform)?.digest;
        bytes = blob(directory, image, digest)?;
    }
    let manifest: Manifest = parse(&bytes, image, "manifest", digest)?;
    let config = blob(directory, image, manifest.config.digest)?;
    let media_type = manifest.media_type.clone().unwrap_or(image::MediaType::OciManifest);
    let descriptor = Descriptor::new(media_type, digest, bytes.len() as u64);
    Resolved::new(image, named, (descriptor, bytes), manifest, config)
}

/// Where a layout keeps a blob.
pub(crate) fn blob_path(directory: &Path, digest: Digest) -> PathBuf {
    directory.join("blobs/sha256").join(digest.hex())
}

fn blob(directory: &Path, image: &str, digest: Digest) -> Result<Vec<u8>, SourceError> {
    let path = blob_path(directory, digest);
    let bytes = fs::read(&path).map_err(|source| SourceError::Layout { path, source })?;
    let found = Digest::of(&bytes);
    if found != digest {
        return Err(SourceError::BlobDamaged { image: image.to_owned(), digest, found });
    }
    Ok(bytes)
}
