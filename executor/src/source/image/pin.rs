//! From the name of an image to its config.
//!
//! The store's own tags come first, unless the build asks for the registry.

use graph::name::{ImageLocation, ImageName, ImagePin};
use image::{Platform, Reference};

use super::{Resolved, layout, parse, remote};
use crate::blocking::blocking;
use crate::session::{ImagePolicy, Session};
use crate::source::error::SourceError;
use crate::source::origins::{ImageOrigin, Place};

/// Resolves an image for one platform, and remembers where its layers are.
pub(crate) async fn pin(session: &Session, name: &ImageName) -> Result<ImagePin, SourceError> {
    match &name.location {
        ImageLocation::Reference(reference) => pin_reference(session, reference, &name.platform).await,
        ImageLocation::OciLayout(text) => {
            let (text, platform) = (text.clone(), name.platform.clone());
            let (directory, resolved) = blocking(move || layout::resolve(&text, &platform)).await?;
            remember(session, Place::Layout(directory), &resolved);
            Ok(resolved.pin())
        }
    }
}

async fn pin_reference(
    session: &Session,
    reference: &Reference,
    platform: &Platform,
) -> Result<ImagePin, SourceError> {
    if session.options.images == ImagePolicy::PreferLocal
        && let Some(pin) = pin_local(session, reference, platform).await?
    {
        return Ok(pin);
    }
    let resolved = remote::resolve(session.executor.registry(), reference, platform).await?;
    remember(session, Place::Registry(reference.repository().clone()), &resolved);
    Ok(resolved.pin())
}

/// The image of the store that has the name, if one has and it serves the platform. One without a
/// registry behind it is taken for any platform: it is what the user has.
async fn pin_local(
    session: &Session,
    reference: &Reference,
    platform: &Platform,
) -> Result<Option<ImagePin>, SourceError> {
    let (store, reference, platform) =
        (session.executor.store().clone(), reference.clone(), platform.clone());
    blocking(move || {
        let Some(record) = store.resolve_tag(&reference)? else { return Ok(None) };
        let bytes = store.blobs().read(&record.id.0)?;
        let config: image::ImageConfig = parse(&bytes, &reference.to_string(), "config", record.id.0)?;
        if record.manifest.is_some() && platform.match_rank(&config.platform()).is_none() {
            return Ok(None);
        }
        let resolved = record.manifest.map(|manifest| manifest.digest);
        Ok(Some(ImagePin { resolved, config }))
    })
    .await
}

fn remember(session: &Session, place: Place, resolved: &Resolved) {
    if let Some(chain) = resolved.chain() {
        let origin = ImageOrigin { place, layers: resolved.layers.clone() };
        session.origins.remember_image(chain, origin);
    }
}
