//! Repositories: `ADD https://…/repository.git#reference:directory`.
//!
//! Everything is done by the `git` program: it knows all protocols, proxies and keys of its user. See
//! [`command`] for how it is kept from asking questions and from reading what does not belong to the build, and
//! [`access`] for what opens a remote to it.
//!
//! Pinning asks the remote for the commit. Fetching makes a checkout in a temporary directory of the store,
//! copies what is wanted of it into a draft, and removes the checkout; nothing is kept for the next build but the
//! snapshot.

mod access;
mod checkout;
mod command;

use graph::name::{GitName, GitPin, is_commit_id, redacted};
use graph::source::{GitSource, GitTimes};
use store::{Snapshot, Timestamp};

use self::access::Access;
use self::command::Git;
use crate::blocking::blocking;
use crate::session::Session;
use crate::source::error::SourceError;

/// Resolves a reference to a commit.
pub(crate) async fn pin(session: &Session, name: &GitName) -> Result<GitPin, SourceError> {
    let found = match (&name.reference, &name.checksum) {
        (_, Some(commit)) if name.by_commit && is_commit_id(commit) => Found::commit(commit),
        (Some(reference), _) if is_commit_id(reference) => Found::commit(reference),
        (reference, _) => look_up(session, &name.remote, reference.as_deref().unwrap_or("HEAD")).await?,
    };
    if let Some(expected) = name.checksum.as_deref().filter(|expected| !found.matches(expected)) {
        let found = std::iter::once(found.commit).chain(found.tag).collect();
        return Err(SourceError::CommitMismatch { expected: expected.to_owned(), found });
    }
    session.origins.remember_commit(&found.commit, &name.remote);
    Ok(GitPin { commit: found.commit })
}

/// When a commit was made, in seconds since 1970. That is asked for rarely, so it is worth a fetch of its own.
pub(crate) async fn time(session: &Session, remote: &str, commit: &str) -> Result<i64, SourceError> {
    let parent = session.executor.store().root().join("tmp");
    let directory = blocking(move || checkout::directory(&parent)).await?;
    let git = Git::in_directory(directory.path(), Access::to(session, remote).await?);
    checkout::fetch_commit(&git, remote, commit).await?;
    checkout::commit_time(&git, commit).await
}

/// What a reference leads to.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    commit: String,
    /// The object of the annotated tag that the reference is.
    tag: Option<String>,
}

impl Found {
    fn commit(commit: &str) -> Self {
        Self { commit: commit.to_owned(), tag: None }
    }

    /// Whether a checksum, which may be cut short, is that of the commit or of the tag.
    fn matches(&self, checksum: &str) -> bool {
        self.commit.starts_with(checksum) || self.tag.as_ref().is_some_and(|tag| tag.starts_with(checksum))
    }
}

async fn look_up(session: &Session, remote: &str, reference: &str) -> Result<Found, SourceError> {
    // `reference*` in all forms: `^{}` is what an annotated tag leads to.
    let peeled = format!("{reference}^{{}}");
    let git = Git::anywhere(Access::to(session, remote).await?);
    let listed = git.run(&["ls-remote", "--", remote, reference, &peeled]).await?;
    let found = choose(&String::from_utf8_lossy(&listed), reference);
    found.filter(|found| is_commit_id(&found.commit)).ok_or_else(|| SourceError::ReferenceNotFound {
        remote: redacted(remote).into_owned(),
        reference: reference.to_owned(),
    })
}

/// The commit of a reference in what `ls-remote` lists: the exact name, else a branch, else a tag.
fn choose(listed: &str, reference: &str) -> Option<Found> {
    let find = |name: &str| {
        listed
            .lines()
            .find_map(|line| line.split_once('\t').filter(|(_, found)| *found == name))
            .map(|(id, _)| id.to_owned())
    };
    let names = [reference.to_owned(), format!("refs/heads/{reference}"), format!("refs/tags/{reference}")];
    names.iter().find_map(|name| {
        let object = find(name)?;
        Some(match find(&format!("{name}^{{}}")) {
            Some(commit) => Found { commit, tag: Some(object) },
            None => Found { commit: object, tag: None },
        })
    })
}

/// A tree with the files of a commit.
pub(crate) async fn fetch(session: &Session, source: &GitSource) -> Result<Snapshot, SourceError> {
    let store = session.executor.store().clone();
    let remote = session.origins.remote_of(&source.commit);
    let remote = remote.ok_or_else(|| SourceError::NoRemote { commit: source.commit.clone() })?;
    let parent = store.root().join("tmp");
    let directory = blocking(move || checkout::directory(&parent)).await?;
    let git = Git::in_directory(directory.path(), Access::to(session, &remote).await?);
    checkout::check_out(&git, &remote, source).await?;
    let time = match source.times {
        GitTimes::Checkout => None,
        GitTimes::Commit => Some(checkout::commit_time(&git, &source.commit).await?),
    };
    let source = source.clone();
    blocking(move || checkout::import(&store, directory.path(), &source, time.map(Timestamp::from_seconds)))
        .await
}

#[cfg(test)]
mod tests {
    use super::{Found, choose};

    #[test]
    fn branches_come_before_tags_and_annotated_tags_are_followed() {
        let listed = "a\trefs/heads/v1\nb\trefs/tags/v1\nc\trefs/tags/v1^{}\nd\trefs/tags/v2\n\
                      e\trefs/tags/v3\nf\trefs/tags/v3^{}\ng\trefs/heads/x/v4\n";
        for (reference, expected) in [
            ("v1", Some(("a", None))),
            ("refs/tags/v1", Some(("c", Some("b")))),
            ("v2", Some(("d", None))),
            ("v3", Some(("f", Some("e")))),
            ("refs/heads/v1", Some(("a", None))),
            ("v4", None),
        ] {
            let found = choose(listed, reference);
            let found = found.as_ref().map(|found| (found.commit.as_str(), found.tag.as_deref()));
            assert_eq!(found, expected, "{reference}");
        }
    }

    #[test]
    fn a_checksum_may_be_that_of_the_tag() {
        let found = Found { commit: "abc".to_owned(), tag: Some("def".to_owned()) };
        assert!(found.matches("ab") && found.matches("def") && !found.matches("b"));
    }
}
