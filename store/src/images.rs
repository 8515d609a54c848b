//! Images and their tags.
//!
//! An image is its config: the config is a blob, and the image's id is that blob's digest. The database adds the
//! snapshot that has the image's layers, the tags, and where the layers are known to exist in compressed form, so
//! that pushing an image back to where it came from moves nothing.

use std::time::SystemTime;

use image::{Descriptor, DiffId, Digest, ImageId, Reference, Repository};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::database::{first_text, now, parse, parse_json, time};
use crate::error::{DatabaseAttempt, StoreError};
use crate::snapshot::{Snapshot, SnapshotId};
use crate::store::Store;

/// What [`Store::put_image`] stores.
#[derive(Debug)]
pub struct NewImage<'a> {
    /// The config, as the exact bytes that give the image its id.
    pub config: &'a [u8],
    /// The snapshot with the image's layers; scratch for an image without layers.
    pub top: &'a Snapshot,
    /// The manifest that the image came with, or was exported as.
    pub manifest: Option<(Descriptor, &'a [u8])>,
    /// Where the image came from, if that is a registry.
    pub origin: Option<Origin<'a>>,
}

/// The repository that an image came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The compressed forms of the layers that it has.
    pub layers: &'a [(DiffId, Descriptor)],
}

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRecord {
    /// Digest of the config, which is a blob of the store.
    pub id: ImageId,
    /// The snapshot with its layers.
    pub top: SnapshotId,
    /// Its names, sorted.
    pub tags: Vec<Reference>,
    /// When it was stored here first. The time in the config may be fixed for reproducibility.
    pub stored: SystemTime,
    /// The manifest it came with, which is a blob of the store.
    pub manifest: Option<Descriptor>,
}

/// A compressed layer that a repository is known to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteLayer {
    /// The blob there.
    pub descriptor: Descriptor,
    /// Where.
    pub repository: Repository,
}

impl Store {
    /// Stores an image; one that exists keeps its tags and its time. Waits until its layers are on the disk.
    pub fn put_image(&self, image: &NewImage<'_>) -> Result<ImageRecord, StoreError> {
        let id = ImageId(self.blobs().put(image.config)?);
        let manifest = match &image.manifest {
            Some((descriptor, bytes)) => {
                let found = self.blobs().put(bytes)?;
                if found != descriptor.digest {
                    return Err(StoreError::DigestMismatch { expected: descriptor.digest, found });
                }
                Some(to_json(descriptor)?)
            }
            None => None,
        };
        self.sync()?;
        self.database().write(|transaction| {
            transaction
                .execute(
                    "INSERT INTO images (id, top, stored, manifest) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (id) DO UPDATE
                     SET top = excluded.top, manifest = coalesce(excluded.manifest, manifest)",
                    params![id.to_string(), image.top.id().to_string(), now(), manifest],
                )
                .database("record an image")?;
            image.origin.iter().try_for_each(|origin| {
                let mut layers = origin.layers.iter();
                layers.try_for_each(|(diff_id, descriptor)| {
                    insert_remote_layer(transaction, *diff_id, descriptor, origin.repository)
                })
            })
        })?;
        self.image(id)?.ok_or(StoreError::ImageMissing(id))
    }

    /// Remembers that a repository has this compressed form of a layer, as after a push.
    pub fn add_remote_layer(
        &self,
        diff_id: DiffId,
        descriptor: &Descriptor,
        repository: &Repository,
    ) -> Result<(), StoreError> {
        insert_remote_layer(&self.database().connection(), diff_id, descriptor, repository)
    }

    /// Where compressed forms of a layer are known to be.
    pub fn remote_layers(&self, diff_id: DiffId) -> Result<Vec<RemoteLayer>, StoreError> {
        let attempt = "look up where a layer is";
        let connection = self.database().connection();
        let mut statement = connection
            .prepare_cached(
                "SELECT repository, descriptor FROM remote_layers WHERE diff_id = ?1 ORDER BY repository, descriptor",
            )
            .database(attempt)?;
        let rows = statement
            .query_map([diff_id.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .database(attempt)?;
        let mut layers = Vec::new();
        for row in rows {
            let (repository, descriptor) = row.database(attempt)?;
            let reference: Reference = parse("repository", &repository)?;
            layers.push(RemoteLayer {
                descriptor: parse_json("descriptor", &descriptor)?,
                repository: reference.repository().clone(),
            });
        }
        Ok(layers)
    }

    /// The image of that id.
    pub fn image(&self, id: ImageId) -> Result<Option<ImageRecord>, StoreError> {
        let attempt = "look up an image";
        let connection = self.database().connection();
        let columns = connection
            .query_row("SELECT top, stored, manifest FROM images WHERE id = ?1", [id.to_string()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<String>>(2)?))
            })
            .optional()
            .database(attempt)?;
        let Some((top, stored, manifest)) = columns else { return Ok(None) };
        let mut statement = connection
            .prepare_cached("SELECT reference FROM tags WHERE image = ?1 ORDER BY reference")
            .database(attempt)?;
        let tags = statement.query_map([id.to_string()], first_text).database(attempt)?;
        let mut references = Vec::new();
        for tag in tags {
            references.push(parse("reference", &tag.database(attempt)?)?);
        }
        Ok(Some(ImageRecord {
            id,
            top: parse("snapshot id", &top)?,
            tags: references,
            stored: time(stored),
            manifest: manifest.map(|json| parse_json("descriptor", &json)).transpose()?,
        }))
    }

    /// All images, the one stored last first.
    pub fn images(&self) -> Result<Vec<ImageRecord>, StoreError> {
        let ids = self.image_ids("SELECT id FROM images ORDER BY stored DESC, id", [])?;
        ids.into_iter().filter_map(|id| self.image(id).transpose()).collect()
    }

    /// Bytes of the regular files of all its layers.
    pub fn image_size(&self, image: &ImageRecord) -> Result<u64, StoreError> {
        let top = self.snapshot(image.top)?.ok_or(StoreError::SnapshotMissing(image.top))?;
        top.layers().iter().map(|layer| self.size(layer)).sum()
    }

    /// Finds an image by what a user types: its id, a tag (`latest` where none is given), a repository with a
    /// manifest digest, or the beginning of an id, in this order.
    ///
    /// [`StoreError::AmbiguousImageId`] when several images begin so.
    pub fn find_image(&self, name_or_id: &str) -> Result<Option<ImageRecord>, StoreError> {
        let digits = name_or_id.strip_prefix("sha256:").unwrap_or(name_or_id);
        if let Ok(digest) = format!("sha256:{digits}").parse::<Digest>() {
            return self.image(ImageId(digest));
        }
        if let Ok(reference) = name_or_id.parse::<Reference>()
            && let Some(image) = self.resolve_tag(&reference)?
        {
            return Ok(Some(image));
        }
        if digits.is_empty()
            || !digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        {
            return Ok(None);
        }
        let begins =
            "SELECT id FROM images WHERE id >= 'sha256:' || ?1 AND id < 'sha256:' || ?1 || 'g' ORDER BY id";
        match self.image_ids(begins, [digits])?.as_slice() {
            [] => Ok(None),
            [id] => self.image(*id),
            several => {
                Err(StoreError::AmbiguousImageId { prefix: digits.to_owned(), matches: several.to_vec() })
            }
        }
    }

    /// The image of that name. With a digest, the image must have come with the manifest of that digest, under
    /// any tag of the same repository.
    pub fn resolve_tag(&self, reference: &Reference) -> Result<Option<ImageRecord>, StoreError> {
        if let Some(digest) = reference.digest() {
            let found = self.images()?.into_iter().find(|image| {
                image.manifest.as_ref().is_some_and(|manifest| manifest.digest == digest)
                    && image.tags.iter().any(|tag| tag.repository() == reference.repository())
            });
            return Ok(found);
        }
        let id = self
            .database()
            .connection()
            .query_row("SELECT image FROM tags WHERE reference = ?1", [tag_name(reference)], first_text)
            .optional()
            .database("look up a tag")?;
        match id {
            Some(id) => self.image(parse("image id", &id)?),
            None => Ok(None),
        }
    }

    /// Names an image; a name that another image has moves. Without tag and digest the tag is `latest`.
    pub fn tag(&self, reference: &Reference, image: ImageId) -> Result<(), StoreError> {
        self.database().write(|transaction| {
            let exists = transaction
                .query_row("SELECT 1 FROM images WHERE id = ?1", [image.to_string()], |_| Ok(()))
                .optional()
                .database("look up an image")?;
            if exists.is_none() {
                return Err(StoreError::ImageMissing(image));
            }
            transaction
                .execute(
                    "INSERT INTO tags (reference, image) VALUES (?1, ?2)
                     ON CONFLICT (reference) DO UPDATE SET image = excluded.image",
                    params![tag_name(reference), image.to_string()],
                )
                .database("record a tag")?;
            Ok(())
        })
    }

    /// Removes a name and returns the image that had it. The image stays.
    pub fn untag(&self, reference: &Reference) -> Result<Option<ImageId>, StoreError> {
        let id = self
            .database()
            .connection()
            .query_row(
                "DELETE FROM tags WHERE reference = ?1 RETURNING image",
                [tag_name(reference)],
                first_text,
            )
            .optional()
            .database("remove a tag")?;
        id.map(|id| parse("image id", &id)).transpose()
    }

    /// Forgets an image and its names, which are returned. Its bytes stay until they are collected.
    pub fn delete_image(&self, id: ImageId) -> Result<Vec<Reference>, StoreError> {
        let Some(image) = self.image(id)? else { return Err(StoreError::ImageMissing(id)) };
        self.database().write(|transaction| {
            transaction
                .execute("DELETE FROM tags WHERE image = ?1", [id.to_string()])
                .database("remove the tags")?;
            transaction
                .execute("DELETE FROM images WHERE id = ?1", [id.to_string()])
                .database("remove an image")?;
            Ok(())
        })?;
        Ok(image.tags)
    }

    fn image_ids(&self, query: &str, parameters: impl rusqlite::Params) -> Result<Vec<ImageId>, StoreError> {
        let connection = self.database().connection();
        let mut statement = connection.prepare_cached(query).database("list the images")?;
        let rows = statement.query_map(parameters, first_text).database("list the images")?;
        rows.map(|id| parse("image id", &id.database("list the images")?)).collect()
    }
}

fn insert_remote_layer(
    connection: &Connection,
    diff_id: DiffId,
    descriptor: &Descriptor,
    repository: &Repository,
) -> Result<(), StoreError> {
    connection
        .execute(
            "INSERT OR IGNORE INTO remote_layers (diff_id, repository, descriptor) VALUES (?1, ?2, ?3)",
            params![diff_id.to_string(), repository.to_string(), to_json(descriptor)?],
        )
        .database("record where a layer is")?;
    Ok(())
}

/// A tag as the database has it: the full form.
fn tag_name(reference: &Reference) -> String {
    reference.clone().with_default_tag().to_string()
}

/// A value of `image` for a text column.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Corrupt { what: "descriptor", value: error.to_string() })
}
