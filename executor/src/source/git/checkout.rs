//! From a commit to a tree.

use std::io;
use std::path::Path;

use graph::name::redacted;
use graph::source::GitSource;
use image::ImagePath;
use store::{Attributes, Keep, Kind, Snapshot, Store, Timestamp, Tree};
use tempfile::TempDir;

use super::command::Git;
use crate::source::error::SourceError;

/// An empty directory for a checkout. It is gone when the value is dropped.
pub(super) fn directory(parent: &Path) -> Result<TempDir, SourceError> {
    let failed = |source: io::Error| SourceError::CheckoutDirectory { path: parent.to_owned(), source };
    TempDir::with_prefix_in("git-", parent).map_err(failed)
}

/// Makes a repository and fetches the commit into it, with as little else as the server allows.
pub(super) async fn fetch_commit(git: &Git, remote: &str, commit: &str) -> Result<(), SourceError> {
    let format = if commit.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
    git.run(&["init", "--quiet", format]).await?;
    git.run(&["remote", "add", "--", "origin", remote]).await?;
    if let Err(error) = git.run(&["fetch", "--quiet", "--depth=1", "origin", commit]).await {
        // Some servers give only what a reference names: then everything is needed.
        tracing::debug!(%error, "a commit cannot be fetched alone");
        git.run(&["fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"]).await?;
    }
    Ok(())
}

/// Fetches the commit and checks it out.
pub(super) async fn check_out(git: &Git, remote: &str, source: &GitSource) -> Result<(), SourceError> {
    let commit = source.commit.as_str();
    fetch_commit(git, remote, commit).await?;
    git.run(&["checkout", "--quiet", "--detach", commit]).await?;
    if source.submodules {
        git.run(&["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"]).await?;
    }
    if source.keep_git_directory {
        // What is kept must hold no password.
        git.run(&["remote", "set-url", "origin", &redacted(remote)]).await?;
    }
    Ok(())
}

/// When a commit of the repository was made, in seconds since 1970.
pub(super) async fn commit_time(git: &Git, commit: &str) -> Result<i64, SourceError> {
    let written = git.run(&["log", "-1", "--format=%ct", commit]).await?;
    let seconds = std::str::from_utf8(&written).ok().and_then(|text| text.trim().parse().ok());
    seconds.ok_or_else(|| SourceError::CommitTime { commit: commit.to_owned() })
}

/// Copies what the source wants of the checkout into the store. Files are root's; git knows of their modes only
/// whether they can be executed. All are as old as `time`, or else as the checkout.
pub(super) fn import(
    store: &Store,
    checkout: &Path,
    source: &GitSource,
    time: Option<Timestamp>,
) -> Result<Snapshot, SourceError> {
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
        let mtime = time.unwrap_or_else(|| entry.mtime());
        editor.copy(&entry, &target, &Attributes { mode, mtime, ..entry.attributes() })?;
    }
    editor.finish()?;
    Ok(draft.commit()?)
}
