//! `builder images`.

use std::process::ExitCode;

use engine::images::ImageSummary;
use image::{Reference, Timestamp};

use super::Session;
use crate::report::Failure;
use crate::table::table;
use crate::units;

/// List images of the local store, the newest first
#[derive(Debug, clap::Args)]
pub(crate) struct ImagesArgs {
    /// Show ids only
    #[arg(short, long)]
    quiet: bool,
    /// Show ids in full
    #[arg(long)]
    no_trunc: bool,
    /// Only images of this name, "name" or "name:tag"
    #[arg(value_name = "REPOSITORY[:TAG]")]
    filter: Option<String>,
}

/// Prints a table.
pub(crate) fn run(arguments: &ImagesArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let filter: Option<Reference> = match &arguments.filter {
        None => None,
        Some(text) => {
            Some(text.parse().map_err(|error| Failure::Usage(format!("invalid filter {text:?}: {error}")))?)
        }
    };
    let images = session.engine()?.images().map_err(Failure::from_error)?;
    super::print(&text(images, filter.as_ref(), arguments, super::now()))
}

fn text(
    mut images: Vec<ImageSummary>,
    filter: Option<&Reference>,
    arguments: &ImagesArgs,
    now: Timestamp,
) -> String {
    images.sort_by_key(|image| (std::cmp::Reverse(image.created), image.id));
    let mut rows = Vec::new();
    for image in &images {
        let id = if arguments.no_trunc { image.id.to_string() } else { image.id.0.short() };
        let row = |repository: String, tag: &str| {
            [repository, tag.to_owned(), id.clone(), age(image.created, now), units::size(image.size)]
        };
        match filter {
            None if image.tags.is_empty() => rows.push(row("<none>".to_owned(), "<none>")),
            _ => {
                let tags = image.tags.iter().filter(|tag| filter.is_none_or(|filter| is_of(tag, filter)));
                rows.extend(tags.map(|tag| row(repository(tag), tag.tag().unwrap_or("<none>"))));
            }
        }
    }
    if arguments.quiet {
        let mut ids: Vec<String> = rows.into_iter().map(|[_, _, id, ..]| id + "\n").collect();
        ids.dedup();
        return ids.concat();
    }
    table(["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"], &rows)
}

/// Whether a filter, with or without a tag, means this name.
fn is_of(name: &Reference, filter: &Reference) -> bool {
    name.repository() == filter.repository() && (filter.tag().is_none() || name.tag() == filter.tag())
}

/// The name without its tag, as a user would type it.
fn repository(name: &Reference) -> String {
    let familiar = name.familiar();
    let tag = name.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    familiar.strip_suffix(&tag).unwrap_or(&familiar).to_owned()
}

/// How long ago something was made. Times before 2000 are made up, for images that shall be
/// reproducible.
pub(super) fn age(created: Option<Timestamp>, now: Timestamp) -> String {
    const YEAR_2000: i64 = 946_684_800;
    match created {
        Some(created) if created.unix_seconds() >= YEAR_2000 => {
            units::ago(now.unix_seconds() - created.unix_seconds())
        }
        _ => "N/A".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use image::{Digest, ImageId, Platform};

    use super::*;

    fn image(content: &str, tags: &[&str], created: i64, size: u64) -> ImageSummary {
        ImageSummary {
            id: ImageId(Digest::of(content.as_bytes())),
            tags: tags.iter().map(|tag| tag.parse().expect("a name")).collect(),
            created: Some(Timestamp::from_unix(created, 0)),
            size,
            platform: Platform::host(),
        }
    }

    fn listed(filter: Option<&str>, quiet: bool) -> String {
        let images = vec![
            image("a", &["debian:bookworm-slim", "registry.example:5000/base:1"], 1_000_000_000, 74_800_000),
            image("b", &[], 0, 12),
            image("c", &["demo:latest"], 1_000_090_000, 80_000_000),
        ];
        let filter: Option<Reference> = filter.map(|text| text.parse().expect("a name"));
        let arguments = ImagesArgs { quiet, no_trunc: false, filter: None };
        text(images, filter.as_ref(), &arguments, Timestamp::from_unix(1_000_100_000, 0))
    }

    #[test]
    fn every_name_has_a_line() {
        insta::assert_snapshot!(listed(None, false), @r"
        REPOSITORY                   TAG             IMAGE ID       CREATED        SIZE
        demo                         latest          2e7d2c03a950   3 hours ago    80MB
        debian                       bookworm-slim   ca978112ca1b   28 hours ago   74.8MB
        registry.example:5000/base   1               ca978112ca1b   28 hours ago   74.8MB
        <none>                       <none>          3e23e8160039   N/A            12B
        ");
    }

    #[test]
    fn a_filter_means_a_repository_or_one_name() {
        insta::assert_snapshot!(listed(Some("registry.example:5000/base"), false), @r"
        REPOSITORY                   TAG       IMAGE ID       CREATED        SIZE
        registry.example:5000/base   1         ca978112ca1b   28 hours ago   74.8MB
        ");
        assert_eq!(listed(Some("demo:other"), true), "");
        assert_eq!(listed(Some("demo"), true).len(), 13);
    }

    #[test]
    fn an_image_with_two_names_has_one_id() {
        assert_eq!(listed(None, true).lines().count(), 3);
    }
}
