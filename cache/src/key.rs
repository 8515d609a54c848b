//! What a step is known by across builds.
//!
//! A [`CacheKey`] is the digest of a [`KeyImage`]: the operation, and for each input either the
//! input's own key or the digest of what is read of it. So a key names a whole history. Its
//! encoding is text, one line each:
//!
//! ```text
//! builder-cache-key 1
//! [1,{"exec":{"args":["/bin/sh","-c","make"],…}}]         graph::Op::encode, without line breaks
//! key sha256:…                                            input 0, by how it was made
//! content sha256:…                                        input 1, by what is read of it
//! ```
//!
//! # What enters a key, and what does not
//!
//! | in the key | not in the key |
//! |---|---|
//! | the kind of operation and the version of its encoding | the name of a stage, comments, line numbers |
//! | `RUN`: arguments, environment with every `ARG` in scope, working directory, user, host name, platform | resource limits of the build, proxy variables |
//! | `RUN`: network and security mode, `ulimit`s, `--cgroup-parent`, the names of `--add-host` | the addresses of `--add-host`, the log |
//! | `RUN`: kind, target and options of each mount, the text of heredoc scripts | what is in a cache mount |
//! | `RUN`: ids of secrets and ssh agents | their values |
//! | `COPY`: destination, owner, mode, patterns, inline text | |
//! | images: the chain id of the layers | tag, registry, manifest, image config (what matters of it is in later steps) |
//! | git: the commit and what is taken of it; HTTP: digest, file name, `Last-Modified` | the URL |
//! | inputs by definition: the input's own key | |
//! | inputs by content: path, type, permission bits, owner, bytes, link target, xattrs of what is selected | modification time, inode, order of the directory |
//!
//! The first column is made of structure: every field of a [`graph::Op`] is encoded and nothing
//! else is. Which attributes of a file are left out because the operation replaces them (`--chmod`,
//! `--chown`) is up to who makes the [`ContentKey`].

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use graph::Op;
use image::Digest;
use serde::{Deserialize, Serialize};
use store::SnapshotId;

use crate::ContentKey;

/// The version of the text that keys are digests of. Raised, it makes every record unreachable.
const ENCODING: &str = "builder-cache-key 1";

/// The identity of a step's result across builds.
///
/// It is not a [`graph::VertexId`]: that one tells vertices of one graph apart, knows the local
/// context by name only, and is no key to anything on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CacheKey(pub Digest);

impl CacheKey {
    /// The key of a result that was made although this key had one already.
    ///
    /// A step that is run again on demand (`--no-cache-filter`) may give something else, and what
    /// was built on the old result must not be found for the new one.
    #[must_use]
    pub fn refreshed(self, result: SnapshotId) -> Self {
        Self(Digest::of(format!("builder-cache-key refreshed\nkey {self}\nresult {result}\n").as_bytes()))
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for CacheKey {
    type Err = <Digest as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What an input contributes to the key of the step that reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputKey {
    /// How it was made.
    Key(CacheKey),
    /// What is read of it, however it was made.
    Content(ContentKey),
}

/// The structured pre-image of a [`CacheKey`].
///
/// It is kept with the record, so that a later miss can be explained by comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyImage {
    /// What is done.
    pub op: Op,
    /// What it is done with, in the order of the vertex's inputs.
    pub inputs: Vec<InputKey>,
}

impl KeyImage {
    /// The digest of the encoding. Of an input's content only the digest is in it, not the list
    /// of files.
    pub fn key(&self) -> CacheKey {
        let mut text = format!("{ENCODING}\n").into_bytes();
        text.extend(self.op.encode());
        let mut inputs = String::from("\n");
        for input in &self.inputs {
            // Writing to a string cannot fail.
            let _ = match input {
                InputKey::Key(key) => writeln!(inputs, "key {key}"),
                InputKey::Content(content) => writeln!(inputs, "content {}", content.digest),
            };
        }
        text.extend(inputs.into_bytes());
        CacheKey(Digest::of(&text))
    }
}

#[cfg(test)]
mod tests {
    use graph::Source;

    use super::*;

    fn image(inputs: Vec<InputKey>) -> KeyImage {
        KeyImage { op: Op::Merge, inputs }
    }

    fn content(text: &str) -> InputKey {
        InputKey::Content(ContentKey::new(Digest::of(text.as_bytes()), vec![]))
    }

    /// Keys are stored and shared: if this fails, everybody's cache is lost.
    #[test]
    fn the_encoding_is_stable() {
        let version = graph::op::ENCODING;
        let text = format!("builder-cache-key 1\n[{version},{{\"source\":\"scratch\"}}]\n");
        let scratch = KeyImage { op: Op::Source(Source::Scratch), inputs: vec![] };
        assert_eq!(scratch.key(), CacheKey(Digest::of(text.as_bytes())));
        let (one, x) = (CacheKey(Digest::of(b"one")), Digest::of(b"x"));
        let text = format!("builder-cache-key 1\n[{version},\"merge\"]\nkey {one}\ncontent {x}\n");
        let merge = image(vec![InputKey::Key(one), content("x")]);
        assert_eq!(merge.key(), CacheKey(Digest::of(text.as_bytes())));
    }

    #[test]
    fn a_key_and_a_content_of_the_same_digest_are_different() {
        let digest = Digest::of(b"x");
        assert_ne!(image(vec![InputKey::Key(CacheKey(digest))]).key(), image(vec![content("x")]).key());
    }

    #[test]
    fn order_and_number_of_inputs_count() {
        let (a, b) = (content("a"), content("b"));
        let both = image(vec![a.clone(), b.clone()]).key();
        assert_ne!(both, image(vec![b, a.clone()]).key());
        assert_ne!(both, image(vec![a]).key());
    }

    #[test]
    fn a_refreshed_key_depends_on_the_result() {
        let key = image(vec![]).key();
        assert_ne!(key.refreshed(SnapshotId::SCRATCH), key);
        let other = "0123456789abcdef0123456789abcdef".parse().unwrap();
        assert_ne!(key.refreshed(SnapshotId::SCRATCH), key.refreshed(other));
    }
}
