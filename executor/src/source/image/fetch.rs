//! From a chain of layers to a tree.
//!
//! What the store has of the chain is not fetched again. The missing layers are downloaded several
//! at once into the blob store, verified on the way, and unpacked one after the other as they
//! arrive. Every layer that is complete stays, even if a later one fails.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use image::{ChainId, Descriptor, DiffId, Repository};
use registry::Client;
use solver::StepLog;
use store::{Snapshot, Store};
use tokio::sync::mpsc;

use super::layout;
use crate::blocking::blocking;
use crate::session::Session;
use crate::source::error::SourceError;
use crate::source::origins::{ImageOrigin, Place};

/// How many layers are downloaded at once.
const DOWNLOADS: usize = 4;
/// How many parts of a download wait for the disk.
const PARTS: usize = 64;

/// The tree of these layers.
pub(crate) async fn fetch(session: &Session, chain: ChainId, log: &StepLog) -> Result<Snapshot, SourceError> {
    let store = session.executor.store().clone();
    let known = blocking(move || store.snapshot_of_chain(chain)).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let origin = session.origins.image(chain).ok_or(SourceError::NoOrigin { chain })?;
    let progress = |name: &str, current, total| log.transfer(name, current, total);
    layers(session.executor.store(), session.executor.registry(), &origin, progress).await
}

/// Gets and unpacks the layers of an image.
pub(crate) async fn layers(
    store: &Store,
    client: &Client,
    origin: &ImageOrigin,
    progress: impl Fn(&str, u64, Option<u64>) + Send + Sync,
) -> Result<Snapshot, SourceError> {
    let diff_ids: Vec<DiffId> = origin.layers.iter().map(|(diff_id, _)| *diff_id).collect();
    let (mut root, known) = {
        let store = store.clone();
        blocking(move || longest_known(&store, &diff_ids)).await?
    };
    let missing = origin.layers.get(known..).unwrap_or_default();
    let progress = &progress;
    let downloads = missing.iter().cloned().map(|(diff_id, descriptor)| async move {
        download(store, client, origin, &descriptor, progress).await?;
        Ok::<_, SourceError>((diff_id, descriptor))
    });
    let mut arriving = stream::iter(downloads).buffered(DOWNLOADS);
    while let Some((diff_id, descriptor)) = arriving.try_next().await? {
        let (store, below) = (store.clone(), root);
        root = blocking(move || {
            let blob = store.blobs().open(&descriptor.digest)?;
            let unpacked = store.unpack(&below, blob, diff_id)?;
            store.add_layer_blob(diff_id, &descriptor)?;
            Ok::<_, SourceError>(unpacked)
        })
        .await?;
    }
    Ok(root)
}

/// The largest part of the chain that the store has, and how many layers that is.
fn longest_known(store: &Store, diff_ids: &[DiffId]) -> Result<(Snapshot, usize), SourceError> {
    for count in (1..=diff_ids.len()).rev() {
        let chain = ChainId::of(diff_ids.get(..count).unwrap_or_default());
        if let Some(known) = chain.map(|chain| store.snapshot_of_chain(chain)).transpose()?.flatten() {
            return Ok((known, count));
        }
    }
    Ok((store.scratch(), 0))
}

/// Puts a blob into the blob store.
async fn download(
    store: &Store,
    client: &Client,
    origin: &ImageOrigin,
    descriptor: &Descriptor,
    progress: &(impl Fn(&str, u64, Option<u64>) + Send + Sync),
) -> Result<(), SourceError> {
    if store.blobs().contains(&descriptor.digest) {
        return Ok(());
    }
    match &origin.place {
        Place::Registry(repository) => from_registry(store, client, repository, descriptor, progress).await,
        Place::Layout(directory) => {
            let path = layout::blob_path(directory, descriptor.digest);
            let (store, descriptor) = (store.clone(), descriptor.clone());
            blocking(move || from_file(&store, path, &descriptor)).await
        }
    }
}

async fn from_registry(
    store: &Store,
    client: &Client,
    repository: &Repository,
    descriptor: &Descriptor,
    progress: &(impl Fn(&str, u64, Option<u64>) + Send + Sync),
) -> Result<(), SourceError> {
    let name = descriptor.digest.short();
    let mut parts = client.blob(repository, descriptor).await?;
    let (sender, receiver) = mpsc::channel::<Bytes>(PARTS);
    let writing = {
        let (store, descriptor) = (store.clone(), descriptor.clone());
        blocking(move || write(&store, receiver, &descriptor))
    };
    let reading = async {
        let mut received = 0;
        while let Some(part) = parts.try_next().await? {
            received += part.len() as u64;
            progress(&name, received, Some(descriptor.size));
            // A closed channel is a writer that failed, which tells why.
            if sender.send(part).await.is_err() {
                break;
            }
        }
        drop(sender);
        Ok::<_, SourceError>(())
    };
    // If reading fails, the sender is dropped and the writer ends with a digest that does not match;
    // the first error is the one that says what happened.
    let (read, written) = tokio::join!(reading, writing);
    read.and(written)
}

fn write(
    store: &Store,
    mut parts: mpsc::Receiver<Bytes>,
    descriptor: &Descriptor,
) -> Result<(), SourceError> {
    let mut writer = store.blobs().writer()?;
    while let Some(part) = parts.blocking_recv() {
        io::Write::write_all(&mut writer, &part).map_err(SourceError::WriteBlob)?;
    }
    writer.commit(Some(descriptor.digest))?;
    Ok(())
}

fn from_file(store: &Store, path: PathBuf, descriptor: &Descriptor) -> Result<(), SourceError> {
    let mut file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(source) => return Err(SourceError::Layout { path, source }),
    };
    let mut writer = store.blobs().writer()?;
    io::copy(&mut file, &mut writer).map_err(SourceError::WriteBlob)?;
    writer.commit(Some(descriptor.digest))?;
    Ok(())
}
