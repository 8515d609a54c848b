//! `RUN --mount=KEY=VALUE,…`
//!
//! Every value may hold variables, the type too, so a mount is known in two steps: the parser splits the
//! options ([`MountSpec`]); with the variables of the stage they become one of the types of [`Mount`].

mod resolve;

pub use resolve::{MountError, MountFault, ResolvedMount};

use super::Literal;
use crate::diagnostic::{Code, Diagnostic};
use crate::{Span, Word, grammar};

/// A `--mount` flag as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountSpec {
    /// The options in order.
    pub options: Vec<MountOption>,
    /// The value of the flag.
    pub span: Span,
}

/// One option of a `--mount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOption {
    /// The key in lower case.
    pub key: String,
    /// What follows `=`; `None` without `=`.
    pub value: Option<Word>,
    /// Key and value.
    pub span: Span,
}

impl MountSpec {
    /// Splits the value of a flag. What the options say is looked at by [`MountSpec::resolve`], when the
    /// variables are known: as in `BuildKit`, a mount of a stage that is not built may mean nothing.
    pub(super) fn parse(flag: &Literal, escape: char) -> Result<MountSpec, Diagnostic> {
        let fields = grammar::csv(&flag.text).filter(|_| !flag.text.is_empty());
        let Some(fields) = fields else {
            return Err(Diagnostic::error(Code::InvalidMount, flag.span, "failed to parse csv mounts"));
        };
        // Without quotes, escapes and continuations in the flag, its text is the source byte for byte.
        let is_exact = flag.text.len() == flag.span.len();
        let place = |start: usize, end: usize| {
            let at = flag.span.start;
            if is_exact { Span::new(at + start, at + end) } else { flag.span }
        };
        let options = fields.into_iter().map(|(field, range)| {
            let is_bare = field.len() == range.len();
            let (key, value) = match field.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (field.as_str(), None),
            };
            let start = if is_bare { range.start + key.len() + 1 } else { range.start };
            let value = value.map(|value| Word::new(value, place(start, range.end), escape));
            MountOption { key: key.to_lowercase(), value, span: place(range.start, range.end) }
        });
        let spec = MountSpec { options: options.collect(), span: flag.span };
        spec.check()?;
        Ok(spec)
    }

    /// The stage, image or context that the mount names; variables are not allowed in it.
    pub fn from(&self) -> Option<&str> {
        let from = self.options.iter().rev().find(|option| option.key == "from")?;
        from.value.as_ref().map(Word::as_written).filter(|from| !from.is_empty())
    }

    fn check(&self) -> Result<(), Diagnostic> {
        for option in self.options.iter().filter(|option| option.key == "from") {
            let value = option.value.as_ref().map(Word::as_written).unwrap_or_default();
            if value.find('$').is_some_and(|at| at + 1 < value.len()) {
                let message = "'from' doesn't support variable expansion, define alias stage instead";
                let help = "for example `FROM image:$VERSION AS files`, then `from=files`";
                return Err(Diagnostic::error(Code::InvalidMount, option.span, message).with_help(help));
            }
        }
        Ok(())
    }
}

/// What a `--mount` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    /// `type=bind`, the default
    Bind(BindMount),
    /// `type=cache`
    Cache(CacheMount),
    /// `type=tmpfs`
    Tmpfs(TmpfsMount),
    /// `type=secret`
    Secret(SecretMount),
    /// `type=ssh`
    Ssh(SshMount),
}

/// Files of the build context, a stage or an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindMount {
    /// Stage, image or context; the build context where absent.
    pub from: Option<String>,
    /// Path inside [`from`](BindMount::from); its root where absent.
    pub source: Option<String>,
    /// Where to, absolute or relative to the working directory; empty is the working directory itself.
    pub target: String,
    /// False allows writes, which are dropped after the step.
    pub read_only: bool,
}

/// A directory that stays between builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheMount {
    /// Where the first content comes from; empty where absent.
    pub from: Option<String>,
    /// Path inside [`from`](CacheMount::from).
    pub source: Option<String>,
    /// Where to, as in [`BindMount::target`].
    pub target: String,
    /// Which cache; the cleaned target where absent.
    pub id: Option<String>,
    /// Who may use it at the same time.
    pub sharing: Sharing,
    /// Whether writes are refused.
    pub read_only: bool,
    /// Of the directory, when it is made.
    pub attributes: FileAttributes,
}

/// Who may use a cache at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// All at once.
    #[default]
    Shared,
    /// Another directory is used while this one is busy.
    Private,
    /// One waits for the other.
    Locked,
}

/// A file system in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TmpfsMount {
    /// Where to, as in [`BindMount::target`].
    pub target: String,
    /// Limit in bytes.
    pub size: Option<u64>,
    /// Whether writes are refused.
    pub read_only: bool,
}

/// A secret as a file, a variable, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMount {
    /// Which secret: `id`, else `source`, else the last part of the target.
    pub id: String,
    /// The file; `/run/secrets/` and the last part of the id where neither it nor `env` is given.
    pub target: Option<String>,
    /// The variable; where `env=` is empty, the id.
    pub env: Option<String>,
    /// Whether the build fails without it.
    pub required: bool,
    /// Of the file.
    pub attributes: FileAttributes,
}

/// A socket to an SSH agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshMount {
    /// Which agent; `default` where absent.
    pub id: Option<String>,
    /// Where the socket is; `/run/buildkit/ssh_agent.N` where absent.
    pub target: Option<String>,
    /// Whether the build fails without it.
    pub required: bool,
    /// Of the socket.
    pub attributes: FileAttributes,
}

/// Mode and owner, each where it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileAttributes {
    /// `mode=`, octal
    pub mode: Option<u32>,
    /// `uid=`
    pub uid: Option<u32>,
    /// `gid=`
    pub gid: Option<u32>,
}
