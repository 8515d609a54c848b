//! Repositories: `ADD https://…/repository.git#reference:directory`.
//!
//! Everything is done by the `git` program: it knows all protocols, proxies and keys of its user. See
//! [`command`] for how it is kept from asking questions and from reading what does not belong to the build.
//!
//! Pinning asks the remote for the commit. Fetching makes a checkout in a temporary directory of the store,
//! copies what is wanted of it into a draft, and removes the checkout; nothing is kept for the next build but the
//! snapshot.

mod checkout;
mod command;

use graph::name::{GitName, GitPin};
use graph::source::GitSource;
use store::Snapshot;

use self::command::Git;
use crate::blocking::blocking;
use crate::session::Session;
use crate::source::error::SourceError;

/// Resolves a reference to a commit.
pub(crate) async fn pin(session: &Session, name: &GitName) -> Result<GitPin, SourceError> {
    let commit = match name.reference.as_deref() {
        Some(reference) if is_object_id(reference) => reference.to_owned(),
        reference => look_up(&name.remote, reference.unwrap_or("HEAD")).await?,
    };
    if let Some(expected) = name.checksum.as_deref().filter(|expected| !commit.starts_with(*expected)) {
        return Err(SourceError::CommitMismatch { expected: expected.to_owned(), found: commit });
    }
    session.origins.remember_commit(&commit, &name.remote);
    Ok(GitPin { commit })
}

/// A whole object id, SHA-1 or SHA-256.
fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

async fn look_up(remote: &str, reference: &str) -> Result<String, SourceError> {
    // `reference*` in all forms: `^{}` is what an annotated tag leads to.
    let peeled = format!("{reference}^{{}}");
    let listed = Git::anywhere().run(&["ls-remote", "--", remote, reference, &peeled]).await?;
    let listed = String::from_utf8_lossy(&listed);
    let commit = choose(&listed, reference).map(str::to_owned);
    commit.filter(|commit| is_object_id(commit)).ok_or_else(|| SourceError::ReferenceNotFound {
        remote: remote.to_owned(),
        reference: reference.to_owned(),
    })
}

/// The commit of a reference in what `ls-remote` lists: the exact name, else a branch, else a tag.
fn choose<'a>(listed: &'a str, reference: &str) -> Option<&'a str> {
    let find = |name: &str| {
        listed
            .lines()
            .find_map(|line| line.split_once('\t').filter(|(_, found)| *found == name))
            .map(|(id, _)| id)
    };
    let tag = format!("refs/tags/{reference}");
    find(&format!("{reference}^{{}}"))
        .or_else(|| find(reference))
        .or_else(|| find(&format!("refs/heads/{reference}")))
        .or_else(|| find(&format!("{tag}^{{}}")))
        .or_else(|| find(&tag))
}

/// A tree with the files of a commit.
pub(crate) async fn fetch(session: &Session, source: &GitSource) -> Result<Snapshot, SourceError> {
    let store = session.executor.store().clone();
    let remote = session.origins.remote_of(&source.commit);
    let remote = remote.ok_or_else(|| SourceError::NoRemote { commit: source.commit.clone() })?;
    let parent = store.root().join("tmp");
    let directory = blocking(move || checkout::directory(&parent)).await?;
    checkout::check_out(&Git::in_directory(directory.path()), &remote, source).await?;
    let source = source.clone();
    blocking(move || checkout::import(&store, directory.path(), &source)).await
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn branches_come_before_tags_and_annotated_tags_are_followed() {
        let listed = "a\trefs/heads/v1\nb\trefs/tags/v1\nc\trefs/tags/v1^{}\nd\trefs/tags/v2\n\
                      e\trefs/tags/v3\nf\trefs/tags/v3^{}\ng\trefs/heads/x/v4\n";
        for (reference, expected) in [
            ("v1", Some("a")),
            ("refs/tags/v1", Some("c")),
            ("v2", Some("d")),
            ("v3", Some("f")),
            ("refs/heads/v1", Some("a")),
            ("v4", None),
        ] {
            assert_eq!(choose(listed, reference), expected, "{reference}");
        }
    }
}
