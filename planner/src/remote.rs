//! What a text names that is not on this machine: URLs and git repositories.
//!
//! `ADD`, build contexts and named contexts share this grammar:
//!
//! ```text
//! https://host/repository.git#branch:directory     the fragment form
//! https://host/repository.git?tag=v1&subdir=docs   the query form
//! git@host:repository.git#branch                   ssh, as scp writes it
//! ```
//!
//! An `http` or `https` URL names a repository only if its path ends in `.git`.

use graph::name::{GitName, is_commit_id};
use graph::source::{GitSource, GitTimes};

/// A git repository, and what of it is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitReference {
    /// What git clones from.
    pub remote: String,
    /// Branch, tag, full reference name or commit.
    pub reference: Option<String>,
    /// What the commit id must begin with.
    pub checksum: Option<String>,
    /// The directory that is wanted, relative; empty for all of the repository.
    pub subdirectory: String,
    /// Whether `.git` is kept, where the text says so.
    pub keep_git_directory: Option<bool>,
    /// Whether submodules are checked out, where the text says so.
    pub submodules: Option<bool>,
    /// How old files are.
    pub times: GitTimes,
    /// Whether the checksum is the commit, whatever the remote says of the reference.
    pub by_commit: bool,
    /// `github.com/user/repository` without a scheme: a path may look like that too, so only a
    /// build context may be written this way.
    pub looks_local: bool,
}

/// What is wrong with the query of a git reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitReferenceError {
    /// A key that needs a value has none.
    #[error("query {0:?} has no value")]
    NoValue(String),
    /// A key is given twice.
    #[error("query {0:?} has multiple values")]
    SeveralValues(String),
    /// No such key.
    #[error("unexpected query {0:?}")]
    UnknownKey(String),
    /// The value is not one that the key takes.
    #[error("invalid {key} value: {value:?}")]
    InvalidValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// `fetch-by-commit` without the commit.
    #[error("fetch-by-commit requires a full commit SHA as checksum or ref")]
    NoCommit,
    /// The reference is given twice, differently.
    #[error("ref conflicts: {0:?} vs {1:?}")]
    ReferenceConflict(String, String),
    /// The directory is given twice, differently.
    #[error("subdir conflicts: {0:?} vs {1:?}")]
    DirectoryConflict(String, String),
    /// Both a branch and a tag are wanted.
    #[error("branch conflicts with tag")]
    BranchAndTag,
}

impl GitReference {
    /// Reads a git reference; `None` if the text names something else.
    pub fn parse(text: &str) -> Option<Result<Self, GitReferenceError>> {
        let (text, looks_local) = match text.strip_prefix("github.com/") {
            Some(rest) => (format!("https://github.com/{rest}"), true),
            None => (text.to_owned(), false),
        };
        let (address, fragment) = cut(&text, '#');
        let (address, query) = cut(address, '?');
        if let Some((scheme, rest)) = address.split_once("://") {
            let path = rest.split_once('/').map_or("", |(_, path)| path);
            match scheme.to_ascii_lowercase().as_str() {
                "git" | "ssh" => {}
                "http" | "https" if looks_local || path.strip_suffix(".git").is_some() => {}
                _ => return None,
            }
        } else if !is_scp_address(address) {
            return None;
        }
        let remote = if looks_local { address.trim_start_matches("https://") } else { address };
        let mut parsed = Self { remote: remote.to_owned(), looks_local, ..Self::default() };
        if let Some(fragment) = fragment {
            let fragment = percent_decoded(fragment);
            let (reference, directory) = cut(&fragment, ':');
            parsed.reference = (!reference.is_empty()).then(|| reference.to_owned());
            parsed.subdirectory = relative(directory.unwrap_or_default());
        }
        Some(parsed.with_query(query.unwrap_or_default()))
    }

    fn with_query(mut self, query: &str) -> Result<Self, GitReferenceError> {
        let mut seen = Vec::new();
        let (mut tag, mut branch) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = cut(pair, '=');
            let (key, value) = (percent_decoded(key), percent_decoded(value.unwrap_or_default()));
            if seen.contains(&key) {
                return Err(GitReferenceError::SeveralValues(key));
            }
            let is_flag = matches!(key.as_str(), "submodules" | "keep-git-dir" | "fetch-by-commit");
            if value.is_empty() && !is_flag {
                return Err(GitReferenceError::NoValue(key));
            }
            match key.as_str() {
                "ref" => self.set_reference(value)?,
                "tag" => tag = Some(prefixed("refs/tags/", value)),
                "branch" => branch = Some(prefixed("refs/heads/", value)),
                "subdir" => self.set_subdirectory(&value)?,
                "checksum" | "commit" => self.checksum = Some(value),
                "keep-git-dir" => self.keep_git_directory = Some(boolean(&key, value)?),
                "submodules" => self.submodules = Some(boolean(&key, value)?),
                "fetch-by-commit" => self.by_commit = boolean(&key, value)?,
                "mtime" => self.times = times(&key, value)?,
                _ => return Err(GitReferenceError::UnknownKey(key)),
            }
            seen.push(key);
        }
        match (tag, branch) {
            (Some(_), Some(_)) => return Err(GitReferenceError::BranchAndTag),
            (Some(name), None) | (None, Some(name)) => self.set_reference(name)?,
            (None, None) => {}
        }
        let commit = self.checksum.as_ref().or(self.reference.as_ref());
        if self.by_commit && !commit.is_some_and(|commit| is_commit_id(commit)) {
            return Err(GitReferenceError::NoCommit);
        }
        Ok(self)
    }

    /// What has to be pinned of it.
    pub fn name(&self) -> GitName {
        // Without a scheme the address would be a path for git.
        let scheme = if self.looks_local { "https://" } else { "" };
        GitName {
            remote: format!("{scheme}{}", self.remote),
            reference: self.reference.clone(),
            checksum: self.checksum.clone(),
            by_commit: self.by_commit,
        }
    }

    /// The checkout that is wanted, once the commit is known.
    pub fn source(&self, commit: String) -> GitSource {
        GitSource {
            commit,
            subdirectory: self.subdirectory.clone(),
            keep_git_directory: self.keep_git_directory.unwrap_or(false),
            submodules: self.submodules.unwrap_or(true),
            times: self.times,
        }
    }

    fn set_reference(&mut self, reference: String) -> Result<(), GitReferenceError> {
        match self.reference.take() {
            Some(before) if before != reference => {
                Err(GitReferenceError::ReferenceConflict(before, reference))
            }
            _ => {
                self.reference = Some(reference);
                Ok(())
            }
        }
    }

    fn set_subdirectory(&mut self, directory: &str) -> Result<(), GitReferenceError> {
        let directory = relative(directory);
        if !self.subdirectory.is_empty() && self.subdirectory != directory {
            let before = std::mem::take(&mut self.subdirectory);
            return Err(GitReferenceError::DirectoryConflict(before, directory));
        }
        self.subdirectory = directory;
        Ok(())
    }
}

/// Whether the text is an `http` or `https` URL. A git reference may look like one; ask
/// [`GitReference::parse`] first.
pub fn is_http_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// The last part of a URL's path, which names the downloaded file.
pub(crate) fn url_file_name(url: &str) -> Option<String> {
    let (address, _) = cut(url, '#');
    let (address, _) = cut(address, '?');
    let path = address.split_once("://")?.1.split_once('/')?.1;
    let path = percent_decoded(path);
    crate::paths::file_name(&path).map(str::to_owned)
}

/// `user@host:path`, the address that scp and git understand without a scheme.
fn is_scp_address(address: &str) -> bool {
    let is_name = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    address
        .split_once('@')
        .and_then(|(user, rest)| Some((user, rest.split_once(':')?)))
        .is_some_and(|(user, (host, path))| is_name(user, "-_.") && is_name(host, "-.") && !path.is_empty())
}

fn cut(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn relative(directory: &str) -> String {
    crate::paths::clean(&format!("/{directory}")).trim_start_matches('/').to_owned()
}

fn prefixed(prefix: &str, name: String) -> String {
    if name.starts_with(prefix) { name } else { format!("{prefix}{name}") }
}

fn times(key: &str, value: String) -> Result<GitTimes, GitReferenceError> {
    match value.as_str() {
        "checkout" => Ok(GitTimes::Checkout),
        "commit" => Ok(GitTimes::Commit),
        _ => Err(GitReferenceError::InvalidValue { key: key.to_owned(), value }),
    }
}

fn boolean(key: &str, value: String) -> Result<bool, GitReferenceError> {
    if value.is_empty() {
        return Ok(true);
    }
    parser::go::parse_bool(&value).ok_or(GitReferenceError::InvalidValue { key: key.to_owned(), value })
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> GitReference {
        GitReference::parse(text).expect(text).expect(text)
    }

    #[test]
    fn fragments_name_reference_and_directory() {
        let git = parse("https://github.com/foo/bar.git#baz/qux:/quux/../quuz/");
        assert_eq!(git.remote, "https://github.com/foo/bar.git");
        assert_eq!(git.reference.as_deref(), Some("baz/qux"));
        assert_eq!(git.subdirectory, "quuz");
        assert_eq!(parse("git://host/r").reference, None);
        assert_eq!(parse("git@host:user/r.git#:sub").subdirectory, "sub");
        assert_eq!(parse("ssh://git@host:22/r#v1").reference.as_deref(), Some("v1"));
    }

    #[test]
    fn queries_say_the_same_in_words() {
        let git = parse("https://h/r.git?tag=v1&subdir=docs&keep-git-dir=1&submodules=false&checksum=abc");
        assert_eq!(git.remote, "https://h/r.git");
        assert_eq!(git.reference.as_deref(), Some("refs/tags/v1"));
        assert_eq!((git.subdirectory.as_str(), git.checksum.as_deref()), ("docs", Some("abc")));
        assert_eq!((git.keep_git_directory, git.submodules), (Some(true), Some(false)));
        assert_eq!(parse("https://h/r.git?branch=refs/heads/x").reference.as_deref(), Some("refs/heads/x"));
        assert_eq!(parse("https://h/r.git?mtime=commit").times, GitTimes::Commit);
        assert!(
            parse(&format!("https://h/r.git?fetch-by-commit&ref=v1&checksum={}", "a".repeat(40))).by_commit
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let error = |text: &str| GitReference::parse(text).expect(text).unwrap_err().to_string();
        assert_eq!(error("https://h/r.git?ref=a#b"), r#"ref conflicts: "b" vs "a""#);
        assert_eq!(error("https://h/r.git?branch=a&tag=b"), "branch conflicts with tag");
        assert_eq!(error("https://h/r.git?ref="), r#"query "ref" has no value"#);
        assert_eq!(error("https://h/r.git?depth=1"), r#"unexpected query "depth""#);
        assert_eq!(error("https://h/r.git?ref=a&ref=a"), r#"query "ref" has multiple values"#);
        assert_eq!(error("https://h/r.git?submodules=x"), r#"invalid submodules value: "x""#);
        assert_eq!(error("https://h/r.git?mtime=now"), r#"invalid mtime value: "now""#);
        assert!(
            error("https://h/r.git?fetch-by-commit&checksum=abc").starts_with("fetch-by-commit requires")
        );
    }

    #[test]
    fn other_texts_name_no_repository() {
        for text in
            ["https://h/file.tar.gz", "./dir", "../r.git", "dir/file", "ftp://h/r.git", "a:b", "", "@:"]
        {
            assert_eq!(GitReference::parse(text), None, "{text}");
        }
        let github = parse("github.com/user/repository#main");
        assert!(github.looks_local);
        assert_eq!(github.remote, "github.com/user/repository");
        assert_eq!(github.name().remote, "https://github.com/user/repository");
    }

    #[test]
    fn urls_name_files() {
        assert_eq!(url_file_name("http://h/a/b%20c.tar?x=/y#z").as_deref(), Some("b c.tar"));
        assert_eq!(url_file_name("http://h/"), None);
        assert_eq!(url_file_name("http://h"), None);
    }
}
