//! Copying files and making directories: `COPY`, `ADD`, `WORKDIR`.

use std::fmt;
use std::str::FromStr;

use image::{ImagePath, PathPattern};
use serde::{Deserialize, Serialize};

use crate::vertex::InputIndex;

/// An operation on files that needs no process. Input 0 is the tree that is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOp {
    /// Files from other inputs, or from the Dockerfile itself, are put into the tree.
    Copy(Copy),
    /// A directory and its missing parents are made.
    MakeDirectory(MakeDirectory),
}

/// `WORKDIR`: a directory that is made if it is missing; an existing one stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeDirectory {
    /// The directory.
    pub path: ImagePath,
    /// The permission bits of what is made.
    pub mode: u32,
    /// The owner of what is made; none is root.
    pub owner: Option<Owner>,
}

/// `COPY` and `ADD`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// What is copied, in order; a later source wins over an earlier one.
    pub sources: Vec<CopySource>,
    /// Where to.
    pub destination: Destination,
    /// The owner of everything copied; none keeps the owner of the source (files of the local
    /// context belong to root already).
    pub owner: Option<Owner>,
    /// A change of the permission bits of everything copied.
    pub mode: Option<ModeChange>,
    /// Patterns of `--exclude`, in the syntax of `.dockerignore`, relative to each source.
    pub excludes: Vec<PathPattern>,
    /// Whether the parents of each source are made below the destination (`--parents`).
    pub parents: bool,
}

/// Where copied files go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// The path, already relative to nothing.
    pub path: ImagePath,
    /// Whether the path names the directory to copy into, as a trailing slash says.
    pub is_directory: bool,
    /// Whether symbolic links of the tree are followed; `--link` does not.
    pub follows_links: bool,
}

/// One source of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopySource {
    /// What a pattern selects in an input.
    Tree {
        /// The input.
        input: InputIndex,
        /// A path or a pattern, relative to the input's root; empty for the root itself. Where the copy
        /// makes parents, a component `.` parts what is left out of the path from what is kept.
        pattern: PathPattern,
        /// What happens with archives.
        unpack: Unpack,
    },
    /// A file whose text is in the Dockerfile (`COPY <<EOF /file`).
    Inline {
        /// Its name, used when the destination is a directory.
        name: String,
        /// Its text.
        content: String,
    },
}

/// What happens with a source that is an archive.
#[derive(Clone, std::marker::Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unpack {
    /// It is copied as the file that it is.
    Never,
    /// Its entries are copied, if it is a tar archive in a known compression.
    Archives,
}

/// `user[:group]`, by name or number, looked up in the tree that is written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(pub String);

/// A change of permission bits: `--chmod`.
///
/// `0755` and `u=rwX,go=rX` are the two forms; the second is the language of BSD's setmode(3), as in `BuildKit`.
/// It differs from GNU's in details: `=` clears the set-id bits of directories, too; the sticky bit changes
/// only by `t`; `X` asks for the mode before all changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeChange {
    /// These bits, whatever the source has; at most `0o7777`.
    Octal(u32),
    /// Actions that are applied in order to the bits of the source.
    Symbolic(Vec<ModeAction>),
}

/// One action of a symbolic mode: the `go+rX` of `u=rw,go+rX`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeAction {
    /// Which bits it can change: a union of `0o4700` (user), `0o2070` (group) and `0o0007` (others), and
    /// `0o1000` where it speaks of the sticky bit.
    pub who: u32,
    /// How the bits are combined with the ones there are.
    pub operator: ModeOperator,
    /// Bits for all three classes; those of `who` count.
    pub bits: u32,
    /// `X`: execute bits for directories and for files that somebody could execute before.
    pub conditional_execute: bool,
    /// `u`, `g` or `o` as a permission: the bits that this class has (shift of 6, 3 or 0).
    pub copied_from: Option<u32>,
}

/// How the bits of an action are combined with the ones there are.
#[derive(Clone, std::marker::Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeOperator {
    /// `+`
    Add,
    /// `-`
    Remove,
    /// `=`
    Set,
}

/// A text that is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModeError {
    /// Digits that are no octal number up to 7777.
    #[error("invalid chmod parameter: '{0}'. it should be octal string and between 0 and 07777")]
    Octal(String),
    /// A text that is no list of symbolic clauses either.
    #[error("invalid chmod parameter: '{0}'. it should be an octal number or clauses like u=rwX,go+r")]
    Symbolic(String),
}

impl FromStr for ModeChange {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return match u32::from_str_radix(text, 8) {
                Ok(bits) if bits <= 0o7777 => Ok(Self::Octal(bits)),
                _ => Err(ModeError::Octal(text.to_owned())),
            };
        }
        let mut actions = Vec::new();
        for clause in text.split(',') {
            actions.extend(clause_actions(clause).ok_or_else(|| ModeError::Symbolic(text.to_owned()))?);
        }
        Ok(Self::Symbolic(actions))
    }
}

impl ModeChange {
    /// The permission bits that a source of `bits` gets.
    pub fn apply(&self, bits: u32, is_directory: bool) -> u32 {
        match self {
            Self::Octal(octal) => *octal,
            Self::Symbolic(actions) => {
                let can_be_executed = is_directory || bits & 0o111 != 0;
                actions.iter().fold(bits & 0o7777, |bits, action| action.apply(bits, can_be_executed))
            }
        }
    }
}

/// The actions of `go+r-w`, which all are about the same classes.
fn clause_actions(clause: &str) -> Option<Vec<ModeAction>> {
    let operators = clause.find(['+', '-', '='])?;
    let (classes, mut rest) = clause.split_at(operators);
    let mut who = 0;
    for class in classes.chars() {
        who |= match class {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o0007,
            'a' => 0o6777,
            _ => return None,
        };
    }
    if classes.is_empty() {
        who = 0o6777;
    }
    let mut actions = Vec::new();
    while !rest.is_empty() {
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |at| at + 1);
        actions.push(ModeAction::parse(who, &rest[..end])?);
        rest = &rest[end..];
    }
    Some(actions)
}

impl ModeAction {
    fn parse(who: u32, text: &str) -> Option<Self> {
        let mut letters = text.chars();
        let operator = match letters.next()? {
            '+' => ModeOperator::Add,
            '-' => ModeOperator::Remove,
            '=' => ModeOperator::Set,
            _ => return None,
        };
        let mut action = Self { who, operator, bits: 0, conditional_execute: false, copied_from: None };
        // Others alone have no set-id bit and no sticky bit: they are not meant, then.
        let is_special = who & !0o0007 != 0;
        for letter in letters {
            match letter {
                'r' => action.bits |= 0o444,
                'w' => action.bits |= 0o222,
                'x' => action.bits |= 0o111,
                's' if is_special => action.bits |= 0o6000,
                't' if is_special => {
                    action.bits |= 0o1000;
                    action.who |= 0o1000;
                }
                's' | 't' => {}
                'X' if operator == ModeOperator::Remove => action.bits |= 0o111,
                'X' => action.conditional_execute = true,
                'u' => action.copied_from = Some(6),
                'g' => action.copied_from = Some(3),
                'o' => action.copied_from = Some(0),
                _ => return None,
            }
        }
        Some(action)
    }

    fn apply(&self, bits: u32, can_be_executed: bool) -> u32 {
        let mut wanted = self.bits;
        if self.conditional_execute && can_be_executed {
            wanted |= 0o111;
        }
        if let Some(shift) = self.copied_from {
            let class = (bits >> shift) & 0o7;
            wanted |= class << 6 | class << 3 | class;
        }
        match self.operator {
            ModeOperator::Add => bits | (wanted & self.who),
            ModeOperator::Remove => bits & !(wanted & self.who),
            ModeOperator::Set => {
                // A class that is copied has no set-id bits, so those there are stay.
                let replaced = if self.copied_from.is_some() { self.who & 0o777 } else { self.who };
                (bits & !replaced) | (wanted & self.who)
            }
        }
    }
}

/// As it is written after `--chmod=`; symbolic actions are listed one by one, `a` as `ugo`.
impl fmt::Display for ModeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Octal(bits) => write!(f, "{bits:04o}"),
            Self::Symbolic(actions) => {
                for (number, action) in actions.iter().enumerate() {
                    write!(f, "{}{action}", if number == 0 { "" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for ModeAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes = [('u', 0o700), ('g', 0o070), ('o', 0o007)];
        for (letter, bits) in classes {
            if self.who & bits != 0 {
                write!(f, "{letter}")?;
            }
        }
        f.write_str(match self.operator {
            ModeOperator::Add => "+",
            ModeOperator::Remove => "-",
            ModeOperator::Set => "=",
        })?;
        for (letter, bits) in [('r', 0o444), ('w', 0o222), ('x', 0o111), ('s', 0o6000), ('t', 0o1000)] {
            if self.bits & bits != 0 {
                write!(f, "{letter}")?;
            }
        }
        if self.conditional_execute {
            f.write_str("X")?;
        }
        match self.copied_from {
            Some(6) => f.write_str("u"),
            Some(3) => f.write_str("g"),
            Some(_) => f.write_str("o"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ModeChange;

    fn applied(change: &str, bits: u32, is_directory: bool) -> String {
        let change: ModeChange = change.parse().expect(change);
        format!("{:04o}", change.apply(bits, is_directory))
    }

    #[test]
    fn octal_replaces_everything() {
        assert_eq!(applied("755", 0o4600, false), "0755");
        assert_eq!(applied("07777", 0, false), "7777");
        assert_eq!(applied("0", 0o777, true), "0000");
    }

    #[test]
    fn symbolic_clauses_build_on_each_other() {
        assert_eq!(applied("u=rwX,go=rX", 0o644, false), "0644");
        assert_eq!(applied("u=rwX,go=rX", 0o700, false), "0755");
        assert_eq!(applied("u=rwX,go=rX", 0o600, true), "0755");
        assert_eq!(applied("a+x,o-r", 0o644, false), "0751");
        assert_eq!(applied("g+s,u+s", 0o644, false), "6644");
        assert_eq!(applied("+t", 0o755, true), "1755");
        assert_eq!(applied("g=u", 0o640, false), "0660");
        assert_eq!(applied("o=u-w", 0o640, false), "0644");
        assert_eq!(applied("=", 0o777, false), "0000");
        assert_eq!(applied("u=rwX,go=rX", 0o1777, true), "1755");
        assert_eq!(applied("go=rX", 0o3777, true), "1755");
        assert_eq!(applied("o+s,o+t", 0o644, false), "0644");
        assert_eq!(applied("a-t", 0o1755, true), "0755");
        assert_eq!(applied("u+x,go+X", 0o644, false), "0744");
        assert_eq!(applied("a-X", 0o755, false), "0644");
        assert_eq!(applied("g=u", 0o2640, false), "2660");
    }

    #[test]
    fn changes_are_shown_as_they_are_written() {
        let shown = |text: &str| text.parse::<ModeChange>().expect(text).to_string();
        assert_eq!(shown("755"), "0755");
        assert_eq!(shown("u=rwX,go=rX"), "u=rwX,go=rX");
        assert_eq!(shown("+x-w,g+st,o=u"), "ugo+x,ugo-w,g+st,o=u");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["17777", "888", "8", "0x1", "rwx", "u", "z+x", "u+q", "u+x,,g+x", ""] {
            assert!(text.parse::<ModeChange>().is_err(), "{text}");
        }
        let octal = "17777".parse::<ModeChange>().unwrap_err().to_string();
        assert!(octal.contains("between 0 and 07777"), "{octal}");
    }
}
