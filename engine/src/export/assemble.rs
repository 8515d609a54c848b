//! From a planned target and the snapshot that was built for it to the config of an image.

use image::{ImageId, Platform, Reference, Timestamp};
use planner::plan::Target;
use store::{NewImage, Snapshot, Store, StoreError};

/// An image that is complete but for the packing of its layers.
#[derive(Clone, Debug)]
pub(crate) struct AssembledImage {
    /// What it is made for.
    pub(crate) platform: Platform,
    /// The config, as the bytes that give the image its id.
    pub(crate) config: Vec<u8>,
    /// The digest of the config.
    pub(crate) id: ImageId,
    /// Its root filesystem.
    pub(crate) root: Snapshot,
}

/// Fills in what only the built layers tell: their diff ids and their times.
///
/// Times come from the snapshots, which remember when they were made. So a build whose every step
/// was found in the cache gives the same image again, to the byte.
pub(crate) fn assemble(
    store: &Store,
    target: &Target,
    root: &Snapshot,
    source_date_epoch: Option<i64>,
) -> Result<AssembledImage, StoreError> {
    let mut config = target.config.clone();
    config.rootfs.diff_ids = store.diff_ids(root)?;

    let layers = root.layers();
    let first_new = layers.len().saturating_sub(target.layers.len());
    let base_entries = target.base.as_ref().map_or(0, |base| base.config.history.len());
    let mut time = config.created;
    for (index, entry) in config.history.iter_mut().enumerate().skip(base_entries) {
        let layer = target.layers.iter().position(|layer| layer.history == index);
        if let Some(snapshot) = layer.and_then(|position| layers.get(first_new + position)) {
            time = Some(Timestamp::from_system(store.created(snapshot)?));
        }
        if let Some(epoch) = source_date_epoch {
            time = Some(Timestamp::from_unix(epoch, 0));
        }
        entry.created = time;
    }
    config.created = match source_date_epoch {
        Some(epoch) => Some(Timestamp::from_unix(epoch, 0)),
        None => time,
    };
    let bytes = config.to_bytes();
    Ok(AssembledImage { platform: config.platform(), id: config.id(), config: bytes, root: root.clone() })
}

/// Puts an image into the local store and gives it its names. No layer is copied.
pub(crate) fn put_into_store(
    store: &Store,
    image: &AssembledImage,
    tags: &[Reference],
) -> Result<(), StoreError> {
    let new = NewImage { config: &image.config, top: &image.root, manifest: None, origin: None };
    store.put_image(&new)?;
    tags.iter().try_for_each(|tag| store.tag(tag, image.id))
}
