//! Pulls: manifests, indexes, blobs, and what goes wrong on the way.

use image::{Descriptor, Digest, Index, MediaType};
use registry::RegistryError;
use testkit::images::{layer, push_image};
use testkit::registry::{Fault, Registry};

use crate::{client, download, noise};

const LAYER: MediaType = MediaType::OciLayer(image::Compression::None);

fn app(registry: &Registry) -> Descriptor {
    push_image(registry, "team/app:1", &[layer(&[("a", b"b")])])
}

#[tokio::test]
async fn a_tag_is_resolved_without_a_download() {
    let registry = Registry::start();
    let pushed = app(&registry);
    let resolved = client().resolve(&registry.reference("team/app:1")).await.unwrap();
    assert_eq!(resolved, pushed);
    assert!(registry.requests().iter().all(|request| request.method == "HEAD"));
}

#[tokio::test]
async fn a_registry_without_head_is_asked_by_get() {
    let registry = Registry::start();
    let pushed = app(&registry);
    registry.fail(Fault::Status(405, vec![]), |request| request.method == "HEAD");
    let resolved = client().resolve(&registry.reference("team/app:1")).await.unwrap();
    assert_eq!(resolved, pushed);
}

#[tokio::test]
async fn an_image_is_pulled() {
    let registry = Registry::start();
    let pushed = app(&registry);
    let (client, reference) = (client(), registry.reference("team/app:1"));
    let fetched = client.manifest(&reference).await.unwrap();
    assert_eq!(fetched.descriptor, pushed);
    let manifest: image::Manifest = serde_json::from_slice(&fetched.bytes).unwrap();
    for blob in [&manifest.config, &manifest.layers[0]] {
        let bytes = download(&client, reference.repository(), blob).await.unwrap();
        assert_eq!(Digest::of(&bytes), blob.digest);
        assert!(client.blob_exists(reference.repository(), blob.digest).await.unwrap());
    }
    assert!(!client.blob_exists(reference.repository(), Digest::of(b"other")).await.unwrap());
}

#[tokio::test]
async fn an_index_is_pulled_by_its_digest() {
    let registry = Registry::start();
    let index = Index::oci(vec![app(&registry)]).to_bytes();
    let pushed = registry.put_manifest("team/app", None, MediaType::OciIndex, index.clone());
    let reference = registry.reference(&format!("team/app@{}", pushed.digest));
    let fetched = client().manifest(&reference).await.unwrap();
    assert_eq!((fetched.descriptor, fetched.bytes), (pushed, index));
}

#[tokio::test]
async fn the_type_of_a_manifest_is_not_up_to_the_header() {
    let registry = Registry::start();
    let index = Index::oci(vec![]).to_bytes();
    registry.put_manifest("app", Some("liar"), MediaType::OciManifest, index);
    let error = client().manifest(&registry.reference("app:liar")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_of_another_digest_is_refused() {
    let registry = Registry::start();
    app(&registry);
    registry.fail(Fault::Corrupt, |request| request.method == "GET");
    let error = client().manifest(&registry.reference("team/app:1")).await.unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_has_an_upper_limit() {
    let registry = Registry::start();
    registry.put_manifest("app", Some("1"), MediaType::OciManifest, vec![b' '; (4 << 20) + 1]);
    let error = client().manifest(&registry.reference("app:1")).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn errors_say_what_was_tried_and_what_the_registry_said() {
    let registry = Registry::start();
    let error = client().manifest(&registry.reference("no/such:tag")).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "failed to pull manifest tag from {}/no/such: not found: MANIFEST_UNKNOWN: said the registry of the test",
            registry.name()
        )
    );
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_was() {
    let registry = Registry::start();
    let blob = registry.put_blob("app", LAYER, noise(30_000));
    // More cuts than attempts: each one gains something.
    for _ in 0..5 {
        registry.fail(Fault::Cut(5_000), |request| request.is("GET", "/blobs/"));
    }
    let bytes = download(&client(), registry.reference("app").repository(), &blob).await.unwrap();
    assert!(bytes == noise(30_000));
    let ranges: Vec<_> = registry.requests().into_iter().map(|request| request.range).collect();
    assert_eq!(ranges.len(), 6);
    assert_eq!((ranges[0].as_deref(), ranges[1].as_deref()), (None, Some("bytes=5000-")));
}

#[tokio::test]
async fn a_cut_download_goes_on_without_ranges_too() {
    let registry = Registry::start();
    let blob = registry.put_blob("app", LAYER, noise(10_000));
    registry.fail(Fault::Cut(3_000), |request| request.range.is_none());
    registry.fail(Fault::NoRanges, |request| request.range.is_some());
    let bytes = download(&client(), registry.reference("app").repository(), &blob).await.unwrap();
    assert!(bytes == noise(10_000));
    assert_eq!(registry.requests().len(), 2);
}

#[tokio::test]
async fn a_download_that_gains_nothing_is_given_up() {
    let registry = Registry::start();
    let blob = registry.put_blob("app", LAYER, noise(1000));
    for _ in 0..3 {
        registry.fail(Fault::Cut(0), |request| request.method == "GET");
    }
    let error = download(&client(), registry.reference("app").repository(), &blob).await.unwrap_err();
    assert!(matches!(error, RegistryError::Transport { .. }), "{error}");
    assert_eq!(registry.requests().len(), 3);
}

#[tokio::test]
async fn a_blob_is_what_its_descriptor_says() {
    let registry = Registry::start();
    let blob = registry.put_blob("app", LAYER, noise(1000));
    let reference = registry.reference("app");
    registry.fail(Fault::Corrupt, |request| request.method == "GET");
    let error = download(&client(), reference.repository(), &blob).await.unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error}");
    for size in [999, 1001] {
        let other = Descriptor { size, ..blob.clone() };
        let error = download(&client(), reference.repository(), &other).await.unwrap_err();
        assert!(matches!(error, RegistryError::SizeMismatch { .. }), "{error}");
    }
}

#[tokio::test]
async fn busy_registries_are_asked_again() {
    let registry = Registry::start();
    let pushed = app(&registry);
    registry.fail(Fault::Status(503, vec![]), |_| true);
    registry.fail(Fault::Status(429, vec![("retry-after", "1".to_owned())]), |_| true);
    assert_eq!(client().manifest(&registry.reference("team/app:1")).await.unwrap().descriptor, pushed);
    assert_eq!(registry.requests().len(), 3);
}

#[tokio::test]
async fn busy_registries_are_not_asked_forever() {
    let registry = Registry::start();
    for _ in 0..3 {
        registry.fail(Fault::Status(429, vec![("retry-after", "7".to_owned())]), |_| true);
    }
    let error = client().manifest(&registry.reference("app:1")).await.unwrap_err();
    assert!(matches!(error, RegistryError::TooManyRequests { retry_after: Some(_), .. }), "{error}");
    assert_eq!(registry.requests().len(), 3);
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_asked_once() {
    let registry = Registry::start();
    let reference = registry.reference("app:1");
    drop(registry);
    let error = client().manifest(&reference).await.unwrap_err();
    assert!(matches!(error, RegistryError::Transport { .. }) && !error.is_transient(), "{error:?}");
}
