//! The options of a `--mount` with variables replaced, as one of the types of mounts.

use std::collections::BTreeSet;

use super::{
    BindMount, CacheMount, FileAttributes, Mount, MountOption, MountSpec, SecretMount, Sharing, SshMount,
    TmpfsMount,
};
use crate::Span;
use crate::go::parse_bool;
use crate::suggest::did_you_mean;
use crate::word::ExpandError;

/// A mount and the variables that were missed on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedMount {
    /// The mount.
    pub mount: Mount,
    /// The names that were looked up and are not set.
    pub unset: Vec<String>,
}

/// A `--mount` that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct MountError {
    /// What is wrong.
    #[source]
    pub fault: MountFault,
    /// The option, or the whole flag.
    pub span: Span,
}

/// Why a `--mount` means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MountFault {
    /// A value cannot be expanded.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// There is no such type.
    #[error("unsupported mount type {0:?}")]
    UnsupportedType(String),
    /// There is no such option.
    #[error("unexpected key '{key}' in '{field}'")]
    UnknownKey {
        /// The key in lower case.
        key: String,
        /// Key and value.
        field: String,
    },
    /// The option belongs to another type, or stands before the type.
    #[error("unexpected key '{key}' for mount type '{kind}'")]
    KeyOfOtherType {
        /// The key.
        key: String,
        /// The type.
        kind: &'static str,
    },
    /// The option needs a value.
    #[error("invalid field '{0}' must be a key=value pair")]
    NotKeyValue(String),
    /// The value is none of those that the option takes.
    #[error("invalid value for {key}: {value}")]
    InvalidValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// The value is not a number, or too large.
    #[error("invalid value {value} for {key}")]
    InvalidNumber {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// There is no such way of sharing.
    #[error("unsupported sharing value {0:?}")]
    UnsupportedSharing(String),
    /// Mode and owner make no sense for the type.
    #[error("{key} not allowed for {kind:?} type mounts")]
    NoAttributes {
        /// `mode`, `uid` or `gid`.
        key: &'static str,
        /// The type.
        kind: &'static str,
    },
    /// A secret comes from nowhere else.
    #[error("secret mount should not have a from")]
    SecretFrom,
    /// Only caches are shared.
    #[error("secret mount should not define sharing")]
    SecretSharing,
    /// Nothing says which secret it is.
    #[error("invalid secret mount. one of source, target required")]
    SecretWithoutName,
    /// Two options say which secret it is.
    #[error("both source and id can't be set")]
    SecretSourceAndId,
    /// An agent comes from nowhere else.
    #[error("ssh does not support source")]
    SshSource,
    /// Only caches are shared.
    #[error("invalid cache sharing set for {0} mount")]
    SharingNotAllowed(&'static str),
}

const TYPES: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];
const SHARINGS: [&str; 3] = ["shared", "private", "locked"];
const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

impl MountError {
    /// The nearest name that would have been right.
    pub fn help(&self) -> Option<String> {
        match &self.fault {
            MountFault::UnsupportedType(name) => choices(name, &TYPES),
            MountFault::UnsupportedSharing(name) => choices(name, &SHARINGS),
            MountFault::NoAttributes { .. } => {
                Some("mode, uid and gid are for type=cache, secret and ssh".to_owned())
            }
            MountFault::NotKeyValue(key) => Some(format!("write {key}=VALUE")),
            MountFault::UnknownKey { key, .. } => did_you_mean(key, KEYS),
            MountFault::KeyOfOtherType { key, .. } if key == "size" => {
                Some("size belongs to type=tmpfs, which must stand before it".to_owned())
            }
            MountFault::KeyOfOtherType { .. } => {
                Some("required belongs to type=secret and type=ssh, which must stand before it".to_owned())
            }
            _ => None,
        }
    }
}

/// The nearest of the choices, or else all of them.
fn choices(name: &str, choices: &[&str]) -> Option<String> {
    let similar = did_you_mean(name, choices.iter().copied());
    similar.or_else(|| Some(format!("it can be {}", choices.join(", "))))
}

impl MountSpec {
    /// Replaces variables in the options and makes them one of the types of mounts. As in `BuildKit`, an
    /// option of one type counts only after `type=`.
    pub fn resolve(
        &self,
        mut lookup: impl FnMut(&str) -> Option<String>,
    ) -> Result<ResolvedMount, MountError> {
        let mut fields = Fields::default();
        let mut unset = Vec::new();
        for option in &self.options {
            let at_option = |fault| MountError { fault, span: option.span };
            match &option.value {
                None => fields.switch(option).map_err(at_option)?,
                Some(word) => {
                    let expansion = word.expand(&mut lookup).map_err(|error| at_option(error.into()))?;
                    unset.extend(expansion.unset);
                    fields.set(&option.key, expansion.text).map_err(at_option)?;
                }
            }
        }
        let mut told = BTreeSet::new();
        unset.retain(|name: &String| told.insert(name.clone()));
        let mount = fields.into_mount().map_err(|fault| MountError { fault, span: self.span })?;
        Ok(ResolvedMount { mount, unset })
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Bind => "bind",
            Kind::Cache => "cache",
            Kind::Tmpfs => "tmpfs",
            Kind::Secret => "secret",
            Kind::Ssh => "ssh",
        }
    }
}

/// The options read so far, whatever the type will be.
#[derive(Default)]
struct Fields {
    kind: Kind,
    from: Option<String>,
    source: Option<String>,
    target: Option<String>,
    id: Option<String>,
    env: Option<String>,
    read_only: Option<bool>,
    required: bool,
    size: Option<u64>,
    sharing: Option<Sharing>,
    attributes: FileAttributes,
}

impl Fields {
    /// An option without a value.
    fn switch(&mut self, option: &MountOption) -> Result<(), MountFault> {
        match option.key.as_str() {
            "readonly" | "ro" => self.read_only = Some(true),
            "readwrite" | "rw" => self.read_only = Some(false),
            "required" => {
                self.expect_kind("required", &[Kind::Secret, Kind::Ssh])?;
                self.required = true;
            }
            key => return Err(MountFault::NotKeyValue(key.to_owned())),
        }
        Ok(())
    }

    /// An option with a value.
    fn set(&mut self, key: &str, value: String) -> Result<(), MountFault> {
        let present = |value: String| Some(value).filter(|value| !value.is_empty());
        match key {
            "type" => self.kind = kind(value)?,
            "from" => self.from = present(value),
            "source" | "src" => self.source = present(value),
            "target" | "dst" | "destination" => self.target = present(value),
            "id" => self.id = present(value),
            "env" => self.env = Some(value),
            "readonly" | "ro" => self.read_only = Some(boolean(key, &value)?),
            "readwrite" | "rw" => self.read_only = Some(!boolean(key, &value)?),
            "required" => {
                self.expect_kind(key, &[Kind::Secret, Kind::Ssh])?;
                self.required = boolean(key, &value)?;
            }
            "size" => {
                self.expect_kind(key, &[Kind::Tmpfs])?;
                let invalid = || MountFault::InvalidValue { key: key.to_owned(), value: value.clone() };
                self.size = Some(parse_size(&value).ok_or_else(invalid)?);
            }
            "sharing" => {
                self.sharing = Some(match value.to_lowercase().as_str() {
                    "shared" => Sharing::Shared,
                    "private" => Sharing::Private,
                    "locked" => Sharing::Locked,
                    _ => return Err(MountFault::UnsupportedSharing(value)),
                });
            }
            "mode" => self.attributes.mode = Some(number(key, value, 8)?),
            "uid" => self.attributes.uid = Some(number(key, value, 10)?),
            "gid" => self.attributes.gid = Some(number(key, value, 10)?),
            _ => {
                return Err(MountFault::UnknownKey { key: key.to_owned(), field: format!("{key}={value}") });
            }
        }
        Ok(())
    }

    fn expect_kind(&self, key: &str, kinds: &[Kind]) -> Result<(), MountFault> {
        if kinds.contains(&self.kind) {
            return Ok(());
        }
        Err(MountFault::KeyOfOtherType { key: key.to_owned(), kind: self.kind.name() })
    }

    fn into_mount(self) -> Result<Mount, MountFault> {
        self.check()?;
        let Fields { from, source, id, required, size, attributes, .. } = self;
        let target = self.target.clone().unwrap_or_default();
        Ok(match self.kind {
            Kind::Bind => {
                Mount::Bind(BindMount { from, source, target, read_only: self.read_only.unwrap_or(true) })
            }
            Kind::Cache => Mount::Cache(CacheMount {
                from,
                source,
                target,
                id,
                sharing: self.sharing.unwrap_or_default(),
                read_only: self.read_only.unwrap_or(false),
                attributes,
            }),
            Kind::Tmpfs => {
                Mount::Tmpfs(TmpfsMount { target, size, read_only: self.read_only.unwrap_or(false) })
            }
            Kind::Secret => {
                let last = target.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                let id = source.or(id).unwrap_or_else(|| last.to_owned());
                let env = self.env.map(|name| if name.is_empty() { id.clone() } else { name });
                Mount::Secret(SecretMount { id, target: self.target, env, required, attributes })
            }
            Kind::Ssh => Mount::Ssh(SshMount { id, target: self.target, required, attributes }),
        })
    }

    /// What options must not stand together.
    fn check(&self) -> Result<(), MountFault> {
        let kind = self.kind.name();
        if matches!(self.kind, Kind::Bind | Kind::Tmpfs) {
            let FileAttributes { mode, uid, gid } = self.attributes;
            let given = [("mode", mode), ("uid", uid), ("gid", gid)];
            if let Some((key, _)) = given.into_iter().find(|(_, value)| value.is_some()) {
                return Err(MountFault::NoAttributes { key, kind });
            }
        }
        if self.kind == Kind::Secret {
            if self.from.is_some() {
                return Err(MountFault::SecretFrom);
            }
            if self.sharing.is_some() {
                return Err(MountFault::SecretSharing);
            }
            if self.source.is_none() && self.target.is_none() && self.id.is_none() {
                return Err(MountFault::SecretWithoutName);
            }
            if self.source.is_some() && self.id.is_some() {
                return Err(MountFault::SecretSourceAndId);
            }
        }
        if self.kind == Kind::Ssh && self.source.is_some() {
            return Err(MountFault::SshSource);
        }
        if self.sharing.is_some() && self.kind != Kind::Cache {
            return Err(MountFault::SharingNotAllowed(kind));
        }
        Ok(())
    }
}

fn kind(value: String) -> Result<Kind, MountFault> {
    let kinds = [Kind::Bind, Kind::Cache, Kind::Tmpfs, Kind::Secret, Kind::Ssh];
    let folded = value.to_lowercase();
    kinds.into_iter().find(|kind| kind.name() == folded).ok_or(MountFault::UnsupportedType(value))
}

fn boolean(key: &str, value: &str) -> Result<bool, MountFault> {
    let invalid = || MountFault::InvalidValue { key: key.to_owned(), value: value.to_owned() };
    parse_bool(value).ok_or_else(invalid)
}

fn number(key: &str, value: String, radix: u32) -> Result<u32, MountFault> {
    let digits = Some(value.as_str()).filter(|digits| !digits.starts_with('+'));
    let number = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok());
    number.ok_or(MountFault::InvalidNumber { key: key.to_owned(), value })
}

/// A size in bytes: a number and `b`, or `k m g t p` (powers of 1024) with or without `b` or `ib`.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')? + 1;
    let number: f64 = text[..digits].strip_suffix(' ').unwrap_or(&text[..digits]).parse().ok()?;
    let unit = text[digits..].to_lowercase();
    let exponent = match unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit) {
        "" if unit != "ib" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let bytes = number * 1024_f64.powi(exponent);
    if !(0.0..9.0e18).contains(&bytes) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just before")]
    Some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("10"), Some(10));
        assert_eq!(parse_size("1.5k"), Some(1536));
        assert_eq!(parse_size("64 MiB"), Some(64 << 20));
        assert_eq!(parse_size("1gb"), Some(1 << 30));
        assert_eq!(parse_size("10B"), Some(10));
        for bad in ["", "k", "-1", "10x", "10kk", "10ib", "1e30p", "NaN"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
