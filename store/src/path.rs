//! Paths inside trees, as bytes.
//!
//! [`image::ImagePath`] is text from a Dockerfile. What lies in a layer or on a host may have any name that the
//! kernel takes, so paths *found* in a tree are [`TreePath`]s.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use image::ImagePath;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path relative to the root of a tree: bytes, without empty, `.` or `..` components and without a leading
/// slash. The root itself is the empty path.
///
/// Outside this crate only exporters make host paths of it. The order is the order of a sorted depth-first
/// walk: by components, each compared as bytes (so `a/b` comes before `a-b`).
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// The root: the empty path.
    pub fn root() -> Self {
        Self(Vec::new())
    }

    /// Cleans a path lexically: leading, double and trailing slashes and `.` vanish, `..` removes the component
    /// before it. `None` when it would climb above the root or holds a NUL byte.
    pub fn clean(path: &[u8]) -> Option<Self> {
        let mut components: Vec<&[u8]> = Vec::new();
        for component in path.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => drop(components.pop()?),
                name if name.contains(&0) => return None,
                name => components.push(name),
            }
        }
        Some(Self(components.join(&b'/')))
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path with one component more. `name` is a file name: not empty, without slash, neither `.` nor `..`;
    /// anything else is cleaned as [`TreePath::clean`] does, with `..` dropped.
    #[must_use]
    pub fn join(&self, name: &OsStr) -> Self {
        let mut path = self.clone();
        for component in name.as_bytes().split(|&byte| byte == b'/') {
            if !matches!(component, b"" | b"." | b"..") {
                path.push(component);
            }
        }
        path
    }

    /// This path followed by all components of another.
    #[must_use]
    pub fn join_path(&self, below: &TreePath) -> Self {
        let mut path = self.clone();
        if !below.is_root() {
            path.push(&below.0);
        }
        path
    }

    fn push(&mut self, clean: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(clean);
    }

    /// The directory that holds it; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        self.split_last().map(|(parent, _)| parent)
    }

    /// The last component; `None` for the root.
    pub fn file_name(&self) -> Option<&OsStr> {
        self.components().next_back()
    }

    /// Parent and last component; `None` for the root.
    pub fn split_last(&self) -> Option<(Self, &OsStr)> {
        let name = self.file_name()?;
        let end = self.0.len() - name.len();
        Some((Self(self.0.get(..end.saturating_sub(1)).unwrap_or_default().to_vec()), name))
    }

    /// The components, outermost first; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &OsStr> {
        self.0.split(|&byte| byte == b'/').filter(|component| !component.is_empty()).map(OsStr::from_bytes)
    }

    /// Whether it is `other` or lies below it.
    pub fn starts_with(&self, other: &Self) -> bool {
        self.strip_prefix(other).is_some()
    }

    /// The path relative to `base`; `None` when it does not lie there.
    pub fn strip_prefix(&self, base: &Self) -> Option<Self> {
        if base.is_root() {
            return Some(self.clone());
        }
        match self.0.strip_prefix(base.0.as_slice())? {
            [] => Some(Self::root()),
            [b'/', rest @ ..] => Some(Self(rest.to_vec())),
            _ => None,
        }
    }

    /// The bytes, without a leading slash; empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same place as an absolute path *inside* the root, as a process in a container would name it.
    pub fn to_absolute(&self) -> PathBuf {
        Path::new("/").join(self.relative())
    }

    /// Relative form for joining to a layer directory; empty for the root.
    pub(crate) fn relative(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }
}

impl From<&ImagePath> for TreePath {
    fn from(path: &ImagePath) -> Self {
        let mut tree_path = Self::root();
        for component in path.components() {
            tree_path.push(component.as_bytes());
        }
        tree_path
    }
}

impl Ord for TreePath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.components().cmp(other.components())
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// UTF-8 as it is, control characters, backslashes and other bytes as `\xNN`. No leading slash.
impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_ascii_control() || character == '\\' {
                    write!(f, "\\x{:02x}", u32::from(character))?;
                } else {
                    write!(f, "{character}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{self}")
    }
}

/// The form of `Display`, which loses nothing.
impl Serialize for TreePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        unescape(&text)
            .and_then(|bytes| Self::clean(&bytes))
            .ok_or_else(|| serde::de::Error::custom(format_args!("not a path inside a tree: {text:?}")))
    }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.strip_prefix('x')?.get(..2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(part.get(3..)?.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &[u8]) -> Option<String> {
        TreePath::clean(text).map(|path| path.to_string())
    }

    #[test]
    fn cleaning_is_lexical_and_never_climbs_out() {
        assert_eq!(clean(b"/a//b/./c/").as_deref(), Some("a/b/c"));
        assert_eq!(clean(b"a/../b").as_deref(), Some("b"));
        assert_eq!(clean(b"./").as_deref(), Some(""));
        assert_eq!(clean(b"a/../../b"), None);
        assert_eq!(clean(b".."), None);
        assert_eq!(clean(b"a\0b"), None);
    }

    #[test]
    fn order_is_the_order_of_a_walk() {
        let mut paths: Vec<_> = [&b"a-b"[..], b"a/b", b"a", b"", b"a/b/c", b"a.b"]
            .into_iter()
            .filter_map(TreePath::clean)
            .collect();
        paths.sort();
        let text: Vec<_> = paths.iter().map(TreePath::to_string).collect();
        assert_eq!(text, ["", "a", "a/b", "a/b/c", "a-b", "a.b"]);
    }

    #[test]
    fn names_that_are_not_text_survive_their_text_form() {
        let path = TreePath::clean(b"d\\ir/\xff\xfe\n\xc3\xa4").unwrap();
        assert_eq!(path.to_string(), "d\\x5cir/\\xff\\xfe\\x0a\u{e4}");
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<TreePath>(&json).unwrap(), path);
        assert!(serde_json::from_str::<TreePath>("\"\\\\q\"").is_err());
    }

    #[test]
    fn parts() {
        let path = TreePath::clean(b"usr/lib/x").unwrap();
        assert_eq!(path.parent().unwrap().to_string(), "usr/lib");
        assert_eq!(path.file_name().unwrap(), "x");
        assert_eq!(TreePath::clean(b"x").unwrap().parent(), Some(TreePath::root()));
        assert_eq!(TreePath::root().parent(), None);
        let base = TreePath::clean(b"usr").unwrap();
        assert_eq!(path.strip_prefix(&base).unwrap().to_string(), "lib/x");
        assert!(!TreePath::clean(b"usrlocal").unwrap().starts_with(&base));
        assert_eq!(base.join_path(&TreePath::root()), base);
    }
}
