//! Results become images, archives and directories.
//!
//! ```text
//! target + snapshot ─ assemble → AssembledImage (config, id)
//!     ├ store      the config and a pointer to the snapshot: no bytes of layers move
//!     ├ manifest   layers packed into blobs, once an encoding → PackedImage
//!     │   ├ oci       an image layout, as archive or directory
//!     │   ├ docker    an image layout with Docker's manifest.json
//!     │   └ registry  blobs, then the manifest under its names
//!     ├ tar        the root filesystem as one archive
//!     └ local      the root filesystem as files
//! ```
//!
//! Archives are written beside their destination and renamed when they are complete, so nobody
//! sees half of one.

mod assemble;
mod docker;
mod layout;
mod local;
mod manifest;
mod oci;
mod output;
mod registry;
mod tar;

use std::path::Path;

use image::Platform;

pub(crate) use assemble::{AssembledImage, assemble, put_into_store};
pub(crate) use layout::blob_path;
pub(crate) use local::write_entry;
pub(crate) use manifest::{PackedImage, pack, repack};
pub(crate) use output::{OutputError, write as write_archive};

use crate::engine::Engine;
use crate::error::BuildError;
use crate::outcome::BuiltImage;
use crate::progress::{InternalStep, Progress};
use crate::request::{BuildRequest, Destination, Export};
use layout::Layout;

/// Runs a synchronous action on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(action: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(action).await {
        Ok(value) => value,
        // The runtime cancels no blocking action that has begun; so this is the action's own panic.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Gives the images to all exporters of the request.
pub(crate) async fn run(
    engine: &Engine,
    request: &BuildRequest,
    images: Vec<AssembledImage>,
    force_index: bool,
    progress: &Progress,
) -> Result<Vec<BuiltImage>, BuildError> {
    let mut exports = request.exports.clone();
    if exports.is_empty() {
        exports.push(Export::Store);
    }
    let mut built: Vec<BuiltImage> = images
        .iter()
        .map(|image| BuiltImage { platform: image.platform.clone(), id: image.id, manifest: None })
        .collect();
    let mut packed = None;
    if exports.iter().any(needs_manifest) {
        let step = progress.begin("exporting layers");
        let (store, to_pack, names) = (engine.store.clone(), images.clone(), request.tags.clone());
        let packing = blocking(move || {
            let packed = to_pack.iter().map(|image| pack(&store, image)).collect::<Result<Vec<_>, _>>()?;
            let layout = Layout::new(&store, &packed, &names, force_index)?;
            Ok::<_, store::StoreError>((packed, layout))
        });
        let result =
            step.end(packing.await).map_err(|source| BuildError::failed("pack the layers", source))?;
        for (image, packed) in built.iter_mut().zip(&result.0) {
            image.manifest = Some(packed.descriptor.clone());
        }
        packed = Some(result);
    }
    for export in &exports {
        let step = progress.begin(label(export));
        let exporter = Exporter { engine, request, images: &images, packed: packed.as_ref(), step: &step };
        let result = exporter.run(export).await;
        step.end(result)?;
    }
    Ok(built)
}

/// Where the files of one platform of several are: `linux_arm64`.
fn platform_directory(platform: &Platform) -> String {
    platform.to_string().replace('/', "_")
}

fn needs_manifest(export: &Export) -> bool {
    matches!(export, Export::Oci(_) | Export::OciDirectory(_) | Export::Docker(_) | Export::Registry)
}

fn label(export: &Export) -> String {
    let archive = |destination: &Destination| output::name(destination);
    match export {
        Export::Store => "exporting to image".to_owned(),
        Export::Oci(destination) => format!("exporting to oci image format: {}", archive(destination)),
        Export::OciDirectory(path) => format!("exporting to oci image format: {}", path.display()),
        Export::Docker(destination) => format!("exporting to docker image format: {}", archive(destination)),
        Export::Tar(destination) => format!("exporting to tarball: {}", archive(destination)),
        Export::Local(path) => format!("exporting to client directory: {}", path.display()),
        Export::Registry => "pushing".to_owned(),
        Export::CacheOnly => "keeping the result in the cache".to_owned(),
    }
}

/// What an exporter works with.
struct Exporter<'a> {
    engine: &'a Engine,
    request: &'a BuildRequest,
    images: &'a [AssembledImage],
    packed: Option<&'a (Vec<PackedImage>, Layout)>,
    step: &'a InternalStep,
}

impl Exporter<'_> {
    async fn run(&self, export: &Export) -> Result<(), BuildError> {
        let names = &self.request.tags;
        let attempt = || label(export);
        let failed = |source| BuildError::failed(attempt(), source);
        match (export, self.packed) {
            (Export::Store, _) => self.put_into_store().await,
            (Export::Tar(destination), _) => {
                let (images, destination) = (self.images.to_vec(), destination.clone());
                blocking(move || tar::write(&images, &destination)).await.map_err(failed)
            }
            (Export::Local(directory), _) => self.write_directories(directory).await.map_err(failed),
            (Export::Oci(destination), Some((_, layout))) => {
                let (store, layout, destination) =
                    (self.engine.store.clone(), layout.clone(), destination.clone());
                blocking(move || oci::write_archive(&store, &layout, &destination)).await.map_err(failed)
            }
            (Export::OciDirectory(path), Some((_, layout))) => {
                let (store, layout, path) = (self.engine.store.clone(), layout.clone(), path.clone());
                blocking(move || layout.write_directory(&store, &path)).await.map_err(failed)
            }
            (Export::Docker(destination), Some((images, layout))) => {
                let [image] = images.as_slice() else { return Err(BuildError::SeveralPlatforms("docker")) };
                let (image, names) = (image.clone(), names.clone());
                let (store, layout, destination) =
                    (self.engine.store.clone(), layout.clone(), destination.clone());
                blocking(move || docker::write(&store, &image, &names, &layout, &destination))
                    .await
                    .map_err(failed)
            }
            (Export::Registry, Some((images, layout))) => {
                if names.is_empty() {
                    return Err(BuildError::PushWithoutTag);
                }
                let Engine { store, registry, .. } = self.engine;
                let pushed = registry::write(store, registry, images, layout, names, self.step).await;
                pushed.map_err(|source| BuildError::failed("push", source))
            }
            // Nothing is asked for; or nothing was made although it is needed, which does not happen.
            (
                Export::CacheOnly
                | Export::Oci(_)
                | Export::OciDirectory(_)
                | Export::Docker(_)
                | Export::Registry,
                _,
            ) => Ok(()),
        }
    }

    async fn put_into_store(&self) -> Result<(), BuildError> {
        let [image] = self.images else { return Err(BuildError::SeveralPlatforms("image")) };
        let (store, image, names) = (self.engine.store.clone(), image.clone(), self.request.tags.clone());
        let put = blocking(move || put_into_store(&store, &image, &names)).await;
        put.map_err(|source| BuildError::failed("put the image into the local store", source))
    }

    /// One platform goes into the directory itself, several into one each: `linux_arm64`.
    async fn write_directories(&self, directory: &Path) -> Result<(), output::OutputError> {
        for image in self.images {
            let directory = match self.images {
                [_] => directory.to_owned(),
                _ => directory.join(platform_directory(&image.platform)),
            };
            let root = image.root.clone();
            blocking(move || local::write(&root, &directory)).await?;
        }
        Ok(())
    }
}
