//! [`ImagePath`]: a path inside an image, and [`PathPattern`]: a pattern for such paths.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An absolute path inside an image, cleaned: components separated by one `/`, none of them empty,
/// `.` or `..`.
///
/// It has no conversion to a path of the host: only the store opens one, confined to the root of a
/// tree. Cleaning is lexical, as Go's `path.Clean` does it, so `/link/..` is `/` whatever `link`
/// points to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ImagePath(String);

impl ImagePath {
    /// `/`.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// A path from text; relative text is relative to the root.
    pub fn new(text: &str) -> Self {
        Self::root().join(text)
    }

    /// This path with another one appended, or that one if it is absolute.
    #[must_use]
    pub fn join(&self, text: &str) -> Self {
        let mut components: Vec<&str> =
            if text.starts_with('/') { Vec::new() } else { self.components().collect() };
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    components.pop();
                }
                name => components.push(name),
            }
        }
        Self(format!("/{}", components.join("/")))
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// The directory that this path is in; none for the root.
    pub fn parent(&self) -> Option<Self> {
        let (parent, name) = self.0.rsplit_once('/')?;
        match (parent, name) {
            ("", "") => None,
            ("", _) => Some(Self::root()),
            (parent, _) => Some(Self(parent.to_owned())),
        }
    }

    /// The last component; none for the root.
    pub fn file_name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// The components from the root on; none for the root itself.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|component| !component.is_empty())
    }

    /// Whether this path is the other one or lies below it.
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        ancestor.is_root()
            || self.0.strip_prefix(&ancestor.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The text, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ImagePath {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<ImagePath> for String {
    fn from(path: ImagePath) -> Self {
        path.0
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path or a pattern that selects paths of a tree, as the Dockerfile has it.
///
/// What its letters mean depends on where it is used: sources of a copy are in the language of Go's
/// `filepath.Match`, exclusions in that of `.dockerignore`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PathPattern(String);

impl PathPattern {
    /// A pattern from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::ImagePath;

    #[test]
    fn paths_are_cleaned() {
        for (text, clean) in [
            ("", "/"),
            ("/", "/"),
            ("a", "/a"),
            ("/a//b/./c/", "/a/b/c"),
            ("/a/../b", "/b"),
            ("../../x", "/x"),
            ("/..", "/"),
            ("/a/b/..", "/a"),
        ] {
            assert_eq!(ImagePath::new(text).as_str(), clean, "{text:?}");
        }
    }

    #[test]
    fn joining_is_relative_unless_absolute() {
        let base = ImagePath::new("/work/dir");
        assert_eq!(base.join("a/b").as_str(), "/work/dir/a/b");
        assert_eq!(base.join("../a").as_str(), "/work/a");
        assert_eq!(base.join("/a").as_str(), "/a");
        assert_eq!(base.join(".").as_str(), "/work/dir");
        assert_eq!(base.join("../../../../top").as_str(), "/top");
    }

    #[test]
    fn parents_and_names() {
        let path = ImagePath::new("/a/b");
        assert_eq!(path.parent(), Some(ImagePath::new("/a")));
        assert_eq!(ImagePath::new("/a").parent(), Some(ImagePath::root()));
        assert_eq!(ImagePath::root().parent(), None);
        assert_eq!(path.file_name(), Some("b"));
        assert_eq!(ImagePath::root().file_name(), None);
        assert!(path.starts_with(&ImagePath::new("/a")) && path.starts_with(&ImagePath::root()));
        assert!(!ImagePath::new("/ab").starts_with(&ImagePath::new("/a")));
    }
}
