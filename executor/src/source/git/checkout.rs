//! From a commit to a tree.

use std::io;
use std::path::Path;

use graph::source::GitSource;
use image::ImagePath;
use store::{Attributes, Keep, Kind, Snapshot, Store, Tree};
use tempfile::TempDir;

use super::command::Git;
use crate::source::error::SourceError;

/// An empty directory for a checkout. It is gone when the value is dropped.
pub(super) fn directory(parent: &Path) -> Result<TempDir, SourceError> {
    let failed = |source: io::Error| SourceError::CheckoutDirectory { path: parent.to_owned(), source };
    TempDir::with_prefix_in("git-", parent).map_err(failed)
}

/// Fetches the commit, and as little else as the server allows, and checks it out.
pub(super) async fn check_out(git: &Git, remote: &str, source: &GitSource) -> Result<(), SourceError> {
    let commit = source.commit.as_str();
    let format = if commit.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
    git.run(&["init", "--quiet", format]).await?;
    git.run(&["remote", "add", "--", "origin", remote]).await?;
    let shallow = git.run(&["fetch", "--quiet", "--depth=1", "origin", commit]).await;
    if let Err(error) = shallow {
        // Some servers give only what a reference names: then everything is needed.
        tracing::debug!(%error, "a commit cannot be fetched alone");
        git.run(&["fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"]).await?;
    }
    git.run(&["checkout", "--quiet", "--detach", commit]).await?;
    if source.submodules {
        git.run(&["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"]).await?;
    }
    Ok(())
}

/// Copies what the source wants of the checkout into the store. Files are root's; git knows of their modes only
/// whether they can be executed.
pub(super) fn import(store: &Store, checkout: &Path, source: &GitSource) -> Result<Snapshot, SourceError> {
    let keeps_git = source.keep_git_directory;
    let tree = Tree::host(checkout, move |path, _| {
        let is_git = path.file_name().is_some_and(|name| name == ".git");
        if is_git && !keeps_git { Keep::No } else { Keep::Yes }
    })?;
    let path = ImagePath::new(&source.subdirectory);
    let Some(top) = tree.resolve(&path, true)?.filter(store::Entry::is_directory) else {
        return Err(SourceError::NoSubdirectory { commit: source.commit.clone(), path });
    };
    let draft = store.draft(&store.scratch())?;
    let mut editor = draft.editor();
    for entry in tree.walk(&top) {
        let entry = entry?;
        // The root takes the time of the directory: what is copied of it is as old as the checkout.
        let target = entry.path().strip_prefix(top.path()).unwrap_or_default();
        let is_executable = *entry.kind() == Kind::Directory || entry.mode() & 0o100 != 0;
        let mode = if is_executable { 0o755 } else { 0o644 };
        editor.copy(&entry, &target, &Attributes { mode, ..entry.attributes() })?;
    }
    editor.finish()?;
    Ok(draft.commit()?)
}
