//! JSON forms of paths and arguments, which are bytes: text where they are UTF-8, else an array of bytes.
//!
//! Used as `#[serde(with = "wire::one")]` and so on; serde's own form of a path refuses what is not UTF-8.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::{Deserialize, Serialize};

#[derive(Serialize)]
#[serde(untagged)]
enum Borrowed<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Owned {
    Text(String),
    Bytes(Vec<u8>),
}

impl<'a> From<&'a OsStr> for Borrowed<'a> {
    fn from(value: &'a OsStr) -> Self {
        value.to_str().map_or_else(|| Self::Bytes(value.as_bytes()), Self::Text)
    }
}

impl From<Owned> for OsString {
    fn from(value: Owned) -> Self {
        match value {
            Owned::Text(text) => text.into(),
            Owned::Bytes(bytes) => Self::from_vec(bytes),
        }
    }
}

/// A single path or argument.
pub(crate) mod one {
    use super::{Borrowed, Deserialize, OsStr, OsString, Owned, Serialize};

    pub(crate) fn serialize<S: serde::Serializer>(
        value: &impl AsRef<OsStr>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        Borrowed::from(value.as_ref()).serialize(to)
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: From<OsString>,
        D: serde::Deserializer<'de>,
    {
        Ok(OsString::from(Owned::deserialize(from)?).into())
    }
}

/// A list of paths or arguments.
pub(crate) mod list {
    use super::{Borrowed, Deserialize, OsStr, OsString, Owned};

    pub(crate) fn serialize<S: serde::Serializer>(
        values: &[impl AsRef<OsStr>],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(|value| Borrowed::from(value.as_ref())))
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
    where
        T: From<OsString>,
        D: serde::Deserializer<'de>,
    {
        let values = Vec::<Owned>::deserialize(from)?;
        Ok(values.into_iter().map(|value| OsString::from(value).into()).collect())
    }
}

/// A list of name-value pairs.
pub(crate) mod pairs {
    use super::{Borrowed, Deserialize, OsString, Owned};

    pub(crate) fn serialize<S: serde::Serializer>(
        values: &[(OsString, OsString)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(
            values
                .iter()
                .map(|(name, value)| (Borrowed::from(name.as_os_str()), Borrowed::from(value.as_os_str()))),
        )
    }

    pub(crate) fn deserialize<'de, D>(from: D) -> Result<Vec<(OsString, OsString)>, D::Error>
    where
        D: serde::Deserializer<'de>,
    {
        let values = Vec::<(Owned, Owned)>::deserialize(from)?;
        Ok(values.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
