//! `--iidfile` and `--metadata-file`: what a build made, for programs.

use std::path::Path;

use engine::Outcome;
use serde_json::json;

use crate::report::Failure;

/// Writes the id of the image, without a newline.
pub(super) fn write_image_id(path: &Path, outcome: &Outcome) -> Result<(), Failure> {
    let id = outcome.images.first().map(|image| image.id.to_string()).unwrap_or_default();
    write(path, &id)
}

/// Writes a description in the form of buildx.
pub(super) fn write_metadata(path: &Path, outcome: &Outcome) -> Result<(), Failure> {
    write(path, &format!("{:#}\n", metadata(outcome)))
}

fn metadata(outcome: &Outcome) -> serde_json::Value {
    let mut metadata = serde_json::Map::new();
    if let Some(image) = outcome.images.first() {
        metadata.insert("containerimage.config.digest".into(), json!(image.id.to_string()));
        if let Some(manifest) = &image.manifest {
            metadata.insert("containerimage.descriptor".into(), json!(manifest));
            metadata.insert("containerimage.digest".into(), json!(manifest.digest));
        }
    }
    if !outcome.tags.is_empty() {
        let names: Vec<String> = outcome.tags.iter().map(ToString::to_string).collect();
        metadata.insert("image.name".into(), json!(names.join(",")));
    }
    metadata.into()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::because(&format!("cannot write {}", path.display()), error))
}
