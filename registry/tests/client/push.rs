//! Uploads and mounts.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{Descriptor, Digest, MediaType};
use registry::{Credential, RegistryError};
use tempfile::TempDir;
use testkit::registry::{Access, Fault, Registry};

use crate::{Always, client, client_with, noise};

const LAYER: MediaType = MediaType::OciLayer(image::Compression::None);

/// A file to upload.
fn file(bytes: &[u8]) -> (TempDir, PathBuf, Descriptor) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("blob");
    std::fs::write(&path, bytes).expect("a file");
    (directory, path, Descriptor::of(LAYER, bytes))
}

#[tokio::test]
async fn a_blob_and_a_manifest_are_uploaded() {
    let user = ("user".to_owned(), "password".to_owned());
    let registry = Registry::start_with(Access::Bearer { user: Some(user) });
    let credential = Credential::Basic { username: "user".to_owned(), password: "password".to_owned() };
    let client = client_with(Arc::new(Always(credential)));
    let (_directory, path, blob) = file(&noise(1_000_000));
    let reference = registry.reference("team/app:1");
    let sent = AtomicU64::new(0);
    let progress = |bytes| sent.store(bytes, Ordering::Relaxed);
    client.push_blob(reference.repository(), &blob, &path, progress).await.unwrap();
    assert!(registry.blob("team/app", blob.digest).unwrap() == noise(1_000_000));
    assert_eq!(sent.into_inner(), 1_000_000);

    client.push_manifest(&reference, &MediaType::OciManifest, b"{}".to_vec()).await.unwrap();
    let (media_type, bytes) = registry.manifest("team/app", "1").unwrap();
    assert_eq!((media_type, bytes.as_ref()), (MediaType::OciManifest, b"{}".as_slice()));
}

#[tokio::test]
async fn an_upload_that_fails_is_made_again() {
    let registry = Registry::start();
    let (_directory, path, blob) = file(&noise(500_000));
    let reference = registry.reference("app");
    registry.fail(Fault::Status(500, vec![]), |request| request.method == "PUT");
    registry.fail(Fault::Status(503, vec![]), |request| request.method == "POST");
    client().push_blob(reference.repository(), &blob, &path, |_| {}).await.unwrap();
    assert!(registry.blob("app", blob.digest).is_some());
    let methods: Vec<String> = registry.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "POST", "PUT", "POST", "PUT"]);
}

#[tokio::test]
async fn an_upload_may_go_to_another_host_without_our_password() {
    let access = Access::Basic { username: "user".to_owned(), password: "password".to_owned() };
    let (registry, storage) = (Registry::start_with(access), Registry::start());
    let credential = Credential::Basic { username: "user".to_owned(), password: "password".to_owned() };
    let (_directory, path, blob) = file(b"content");
    let target = format!("http://{}/v2/app/blobs/uploads/7?key=a%2Fb", storage.name());
    registry.fail(Fault::Status(202, vec![("location", target)]), |request| request.authorization.is_some());
    let repository = registry.reference("app").repository().clone();
    let client = client_with(Arc::new(Always(credential)));
    // The other host does not know of the upload; that it was asked is enough.
    client.push_blob(&repository, &blob, &path, |_| {}).await.unwrap_err();
    let seen = storage.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].authorization, None);
    assert!(
        seen[0].target.starts_with("/v2/app/blobs/uploads/7?key=a%2Fb&digest=sha256"),
        "{}",
        seen[0].target
    );
}

#[tokio::test]
async fn what_is_not_as_described_is_not_uploaded() {
    let registry = Registry::start();
    let (_directory, path, blob) = file(b"content");
    let repository = registry.reference("app").repository().clone();
    let longer = Descriptor { size: 8, ..blob.clone() };
    let error = client().push_blob(&repository, &longer, &path, |_| {}).await.unwrap_err();
    assert!(matches!(error, RegistryError::SizeMismatch { expected: 8, actual: 7, .. }), "{error}");
    let other = Descriptor { digest: Digest::of(b"other"), ..blob.clone() };
    let error = client().push_blob(&repository, &other, &path, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("DIGEST_INVALID"), "{error}");
    let error = client().push_blob(&repository, &blob, &path.join("none"), |_| {}).await.unwrap_err();
    assert!(matches!(error, RegistryError::ReadFile { .. }), "{error}");
    let by_digest = registry.reference("app").at_digest(Digest::of(b"other"));
    let pushed = client().push_manifest(&by_digest, &MediaType::OciIndex, b"{}".to_vec()).await;
    assert!(matches!(pushed, Err(RegistryError::DigestMismatch { .. })));
    assert!(registry.blob("app", blob.digest).is_none());
}

#[tokio::test]
async fn a_blob_is_mounted_from_another_repository() {
    let registry = Registry::start_with(Access::Bearer { user: None });
    let blob = registry.put_blob("base", LAYER, "content");
    let (to, from) = (registry.reference("app"), registry.reference("base"));
    let (to, from) = (to.repository(), from.repository());
    assert!(!client().blob_exists(to, blob.digest).await.unwrap());
    assert!(client().mount_blob(to, from, blob.digest).await.unwrap());
    assert!(client().blob_exists(to, blob.digest).await.unwrap());
    assert!(!client().mount_blob(to, from, Digest::of(b"unknown")).await.unwrap());
    let elsewhere = "elsewhere.example/base".parse::<image::Reference>().unwrap();
    assert!(!client().mount_blob(to, elsewhere.repository(), blob.digest).await.unwrap());
    registry.fail(Fault::Status(405, vec![]), |request| request.is("POST", "mount="));
    assert!(!client().mount_blob(to, from, blob.digest).await.unwrap());
}
