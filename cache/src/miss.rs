//! Why a step missed.

use std::fmt;
use std::time::SystemTime;

use graph::vertex::InputIndex;
use image::ChainId;

/// Why there was no result for a step. The [`fmt::Display`] is one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Nothing like it was built at its position before.
    NeverBuilt,
    /// It was built, but something changed since; never empty, what the step itself does first.
    Changed(Vec<Change>),
    /// It was built, but the result was removed.
    Evicted {
        /// When, or when that was found out.
        at: SystemTime,
    },
    /// The build was asked not to use the cache for it.
    Bypassed,
}

/// One difference to an earlier build of the same step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What is done.
    Operation(OperationChange),
    /// The files that are read of an input.
    Content {
        /// The input.
        input: InputIndex,
        /// The first of them, by path.
        files: Vec<FileChange>,
        /// How many they are in all. 0 if the earlier list is not known any more.
        total: usize,
    },
    /// How an input was made.
    Input(InputIndex),
}

/// One difference between two operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationChange {
    /// It is something else altogether.
    Kind,
    /// The image that a stage begins with.
    Image {
        /// Its layers before.
        before: ChainId,
        /// Its layers now.
        after: ChainId,
    },
    /// The command of a `RUN`.
    Arguments {
        /// The arguments before.
        before: Vec<String>,
        /// The arguments now.
        after: Vec<String>,
    },
    /// A variable of a `RUN`, by `ENV` or `ARG`.
    Variable {
        /// Its name.
        name: String,
        /// Its value before, if it had one.
        before: Option<String>,
        /// Its value now, if it has one.
        after: Option<String>,
        /// Whether the command has the name in it. Programs that it calls may still read it.
        mentioned: bool,
    },
    /// Any other field.
    Field {
        /// Its path in the encoding of operations, such as `exec.cwd` or `file.copy.owner`.
        name: String,
        /// Its value before, as JSON; empty if it was not there.
        before: String,
        /// Its value now.
        after: String,
    },
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// How it differs.
    pub how: FileDifference,
}

/// How a file differs: the first of these that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileDifference {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is of another type.
    Kind,
    /// Its bytes, link target or extended attributes.
    Content,
    /// Its permission bits.
    Mode {
        /// The bits before.
        before: u32,
        /// The bits now.
        after: u32,
    },
    /// Its user or group.
    Owner {
        /// User and group before.
        before: (u32, u32),
        /// User and group now.
        after: (u32, u32),
    },
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverBuilt => f.write_str("not built before"),
            Self::Evicted { .. } => f.write_str("its result was removed from the cache"),
            Self::Bypassed => f.write_str("the cache is bypassed"),
            Self::Changed(changes) => {
                let Some((first, others)) = changes.split_first() else { return f.write_str("changed") };
                first.fmt(f)?;
                if others.is_empty() { Ok(()) } else { write!(f, " (and {} more)", others.len()) }
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(change) => change.fmt(f),
            Self::Input(InputIndex(0)) => f.write_str("the step before it changed"),
            Self::Input(InputIndex(number)) => write!(f, "input {number} changed"),
            Self::Content { files, total, .. } => {
                let Some((first, _)) = files.split_first() else {
                    return f.write_str("the files that it reads changed");
                };
                first.fmt(f)?;
                if *total > 1 { write!(f, " (and {} more)", total - 1) } else { Ok(()) }
            }
        }
    }
}

impl fmt::Display for OperationChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("another instruction was here before"),
            Self::Image { before, after } => {
                write!(f, "the base image changed: {} -> {}", short(before), short(after))
            }
            Self::Arguments { .. } => f.write_str("the command changed"),
            Self::Variable { name, before, after, mentioned } => {
                if is_confidential(name) {
                    write!(f, "{name} changed")?;
                } else {
                    match (before, after) {
                        (Some(before), Some(after)) => {
                            write!(f, "{name} {} -> {}", clip(before), clip(after))?;
                        }
                        (None, Some(after)) => write!(f, "{name}={} is new", clip(after))?,
                        _ => write!(f, "{name} is not set any more")?,
                    }
                }
                if *mentioned { Ok(()) } else { f.write_str(" (the command does not mention it)") }
            }
            Self::Field { name, before, after } => match (before.as_str(), after.as_str()) {
                ("", after) => write!(f, "{name} {} is new", clip(after)),
                (before, "") => write!(f, "{name} {} is gone", clip(before)),
                (before, after) => write!(f, "{name} {} -> {}", clip(before), clip(after)),
            },
        }
    }
}

impl fmt::Display for FileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.how {
            FileDifference::Added => write!(f, "{path} is new"),
            FileDifference::Removed => write!(f, "{path} is gone"),
            FileDifference::Kind => write!(f, "{path} is of another type"),
            FileDifference::Content => write!(f, "{path} changed"),
            FileDifference::Mode { before, after } => write!(f, "{path} mode {before:04o} -> {after:04o}"),
            FileDifference::Owner { before, after } => {
                write!(f, "{path} owner {}:{} -> {}:{}", before.0, before.1, after.0, after.1)
            }
        }
    }
}

/// Whether a variable is likely to hold a secret, which must not be printed to a log.
fn is_confidential(name: &str) -> bool {
    const WORDS: [&str; 9] =
        ["password", "passwd", "pswd", "secret", "token", "credential", "apikey", "api_key", "private_key"];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
        || name.split('_').any(|part| part == "auth" || part == "key")
}

/// The first characters of a value, without line breaks.
fn clip(value: &str) -> String {
    const LONGEST: usize = 40;
    let mut clipped: String =
        value.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.chars().nth(LONGEST).is_some() {
        clipped.push('…');
    }
    clipped
}

fn short(chain: &ChainId) -> String {
    format!("sha256:{}", chain.0.short())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, before: Option<&str>, after: Option<&str>, mentioned: bool) -> String {
        let (before, after) = (before.map(str::to_owned), after.map(str::to_owned));
        let change = OperationChange::Variable { name: name.to_owned(), before, after, mentioned };
        Miss::Changed(vec![Change::Operation(change)]).to_string()
    }

    #[test]
    fn variables_are_shown_unless_they_look_secret() {
        let unmentioned = variable("GIT_SHA", Some("1a"), Some("2b"), false);
        assert_eq!(unmentioned, "GIT_SHA 1a -> 2b (the command does not mention it)");
        assert_eq!(variable("X", None, Some("1"), true), "X=1 is new");
        assert_eq!(variable("X", Some("1"), None, true), "X is not set any more");
        assert_eq!(variable("NPM_TOKEN", Some("hunter2"), Some("hunter3"), true), "NPM_TOKEN changed");
        assert_eq!(variable("DEPLOY_KEY", Some("hunter2"), None, true), "DEPLOY_KEY changed");
        assert_eq!(variable("KEYBOARD", Some("de"), Some("us"), true), "KEYBOARD de -> us");
    }

    #[test]
    fn a_long_value_is_one_short_line() {
        let line = variable("X", Some(&"a\nb".repeat(50)), Some("c"), true);
        assert!(!line.contains('\n') && line.chars().count() < 60, "{line}");
    }
}
