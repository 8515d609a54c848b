//! Blobs, images, tags and cache mounts.

use std::io::Write;

use crate::disk::{attributes, path, store};
use image::{Descriptor, Digest, ImageId, MediaType, Reference};
use store::{CacheSeed, NewImage, Origin, Sharing, Store, StoreError};

fn put(store: &Store, config: &str) -> ImageId {
    let (scratch, config) = (store.scratch(), config.as_bytes());
    let image = NewImage { config, top: &scratch, manifest: None, origin: None };
    store.put_image(&image).expect("a config can be stored").id
}

fn reference(text: &str) -> Reference {
    text.parse().expect("a reference")
}

#[test]
fn blobs_are_what_they_are_called() {
    let (_root, store) = store();
    let blobs = store.blobs();
    let digest = blobs.put(b"content").unwrap();
    assert_eq!(blobs.read(&digest).unwrap(), b"content");
    assert_eq!(blobs.size(&digest).unwrap(), Some(7));

    let mut writer = blobs.writer().unwrap();
    writer.write_all(b"other").unwrap();
    let error = writer.commit(Some(digest)).unwrap_err();
    assert!(matches!(error, StoreError::DigestMismatch { expected, .. } if expected == digest), "{error}");
    let other = Digest::of(b"other");
    assert!(!blobs.contains(&other));
    assert_eq!(blobs.size(&other).unwrap(), None);
    assert!(matches!(blobs.open(&other), Err(StoreError::BlobMissing(missing)) if missing == other));
    assert_eq!(std::fs::read_dir(store.root().join("tmp")).unwrap().count(), 0);

    std::fs::remove_file(blobs.path(&digest)).unwrap();
    std::fs::write(blobs.path(&digest), "damaged").unwrap();
    assert!(matches!(blobs.read(&digest), Err(StoreError::DigestMismatch { .. })));
}

#[test]
fn images_are_found_by_name_id_and_prefix() {
    let (_root, store) = store();
    let (one, two) = (put(&store, "{\"one\":1}"), put(&store, "{\"two\":2}"));
    store.tag(&reference("hello"), one).unwrap();
    store.tag(&reference("localhost:5000/team/hello:v2"), one).unwrap();
    let find = |text: &str| store.find_image(text).unwrap().map(|image| image.id);
    assert_eq!(find("hello"), Some(one));
    assert_eq!(find("docker.io/library/hello:latest"), Some(one));
    assert_eq!(find("hello:v2"), None);
    assert_eq!(find(&one.to_string()), Some(one));
    assert_eq!(find(&two.0.hex()), Some(two));
    assert_eq!(find(&two.0.hex()[..12]), Some(two));
    assert_eq!(find(&format!("sha256:{}", &two.0.hex()[..12])), Some(two));
    assert_eq!(find("sha256:"), None);
    assert_eq!(find("not-an-id"), None);

    store.tag(&reference("hello"), two).unwrap();
    assert_eq!(find("hello"), Some(two), "a tag moves");
    let tags: Vec<_> = store.image(one).unwrap().unwrap().tags.iter().map(Reference::familiar).collect();
    assert_eq!(tags, ["localhost:5000/team/hello:v2"]);
    assert_eq!(store.untag(&reference("hello:latest")).unwrap(), Some(two));
    assert_eq!(store.untag(&reference("hello:latest")).unwrap(), None);
    assert_eq!(store.images().unwrap().len(), 2, "an image without a name stays");
    assert_eq!(store.delete_image(one).unwrap().len(), 1);
    assert!(matches!(store.delete_image(one), Err(StoreError::ImageMissing(id)) if id == one));
    assert!(matches!(store.tag(&reference("x"), one), Err(StoreError::ImageMissing(_))));
}

#[test]
fn an_ambiguous_prefix_names_its_images() {
    let (_root, store) = store();
    let mut ids: Vec<ImageId> = (0..17).map(|number| put(&store, &format!("{{\"n\":{number}}}"))).collect();
    ids.sort();
    // Of 17 images, two begin with the same of 16 digits.
    let pair = ids.windows(2).find(|pair| pair[0].0.hex()[..1] == pair[1].0.hex()[..1]).unwrap();
    let prefix = pair[0].0.hex()[..1].to_owned();
    match store.find_image(&prefix).unwrap_err() {
        StoreError::AmbiguousImageId { matches, .. } => {
            assert!(matches.contains(&pair[0]) && matches.contains(&pair[1]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_remembers_where_it_came_from() {
    let (_root, store) = store();
    let manifest = b"{\"manifest\":true}";
    let descriptor = Descriptor::of(MediaType::OciManifest, manifest);
    let layer = Descriptor::of(MediaType::OciLayer(image::Compression::Gzip), b"layer");
    let diff_id = image::DiffId(Digest::of(b"plain"));
    let from = reference("registry.example/team/app:1");
    let scratch = store.scratch();
    let new = NewImage {
        config: b"{}",
        top: &scratch,
        manifest: Some((descriptor.clone(), manifest)),
        origin: Some(Origin { repository: from.repository(), layers: &[(diff_id, layer.clone())] }),
    };
    let image = store.put_image(&new).unwrap();
    store.tag(&from, image.id).unwrap();
    let remote = store.remote_layers(diff_id).unwrap();
    assert_eq!(remote.len(), 1);
    assert_eq!((&remote[0].descriptor, &remote[0].repository), (&layer, from.repository()));
    let by_digest = reference(&format!("registry.example/team/app@{}", descriptor.digest));
    assert_eq!(store.resolve_tag(&by_digest).unwrap().unwrap().id, image.id);
    let elsewhere = reference(&format!("registry.example/other@{}", descriptor.digest));
    assert!(store.resolve_tag(&elsewhere).unwrap().is_none());

    let again = NewImage { config: b"{}", top: &scratch, manifest: None, origin: None };
    assert_eq!(store.put_image(&again).unwrap().manifest, Some(descriptor), "what is known stays known");
    let wrong = Descriptor::of(MediaType::OciManifest, b"other");
    let lying = NewImage { manifest: Some((wrong, manifest)), ..new };
    assert!(matches!(store.put_image(&lying), Err(StoreError::DigestMismatch { .. })));
}

#[test]
fn a_shared_cache_is_made_while_another_user_has_it() {
    let (_root, store) = store();
    let seed = CacheSeed { attributes: attributes(0o755, 1), content: None };
    let first = store.cache_mount("id", Sharing::Shared, &seed).unwrap().unwrap();
    // As far as a second user got that began when there was no data yet.
    std::fs::remove_dir(first.directory()).unwrap();
    let second = store.cache_mount("id", Sharing::Shared, &seed).unwrap().unwrap();
    assert!(second.directory().is_dir());
}

#[test]
fn cache_mounts_are_seeded_once_and_shared_as_asked() {
    let (_root, store) = store();
    let content = crate::disk::snapshot(&store, &store.scratch(), |editor| {
        editor.make_directory_all(&path("seed/sub"), &attributes(0o755, 1)).unwrap();
        editor.write_file(&path("seed/sub/file"), &b"seed"[..], &attributes(0o644, 1)).unwrap();
    });
    let entry = content.tree().get(&path("seed")).unwrap();
    let seed = CacheSeed { attributes: attributes(0o711, 1), content: entry };
    let first = store.cache_mount("/root/.cache", Sharing::Shared, &seed).unwrap().unwrap();
    assert_eq!(std::fs::read(first.directory().join("sub/file")).unwrap(), b"seed");
    std::fs::write(first.directory().join("sub/file"), "used").unwrap();
    let second = store.cache_mount("/root/.cache", Sharing::Shared, &seed).unwrap().unwrap();
    assert_eq!(second.directory(), first.directory());
    assert_eq!(std::fs::read(second.directory().join("sub/file")).unwrap(), b"used");
    let private = store.cache_mount("/root/.cache", Sharing::Private, &seed).unwrap().unwrap();
    assert_ne!(private.directory(), first.directory(), "somebody else has the first one");
    let directory = first.directory().to_owned();
    drop((first, second));
    let again = store.cache_mount("/root/.cache", Sharing::Private, &seed).unwrap().unwrap();
    assert_eq!(again.directory(), directory);
    let other = store.cache_mount("/root/.cache2", Sharing::Locked, &seed).unwrap().unwrap();
    assert_ne!(other.directory(), directory);
    for sharing in [Sharing::Locked, Sharing::Shared] {
        assert!(store.cache_mount("/root/.cache2", sharing, &seed).unwrap().is_none(), "it is in use");
    }
}
