//! Paths as instructions write them, as text: what is absolute, what follows what.
//!
//! `BuildKit` keeps the spelling of an absolute path where users can see it again (`WORKDIR //x/`
//! stays that in the config), and only cleans what it joins. So text is handled here, and
//! [`image::ImagePath`], which is always clean, is made of it where the graph needs a path.

/// Go's `path.Clean` for slash-separated paths: no `.`, no `..` that can be resolved, no `//`.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// `path` as it is if it is absolute, else what it names seen from `directory`. An empty path is
/// the directory itself.
pub(crate) fn resolve(directory: &str, path: &str) -> String {
    let directory = if directory.starts_with('/') { directory.to_owned() } else { format!("/{directory}") };
    if path.is_empty() {
        directory
    } else if path.starts_with('/') {
        path.to_owned()
    } else {
        clean(&format!("{directory}/{path}"))
    }
}

/// The last component of a cleaned path; `None` for a root and for nothing.
pub(crate) fn file_name(path: &str) -> Option<&str> {
    let name = path.trim_end_matches('/').rsplit('/').next()?;
    (!name.is_empty() && name != "." && name != "..").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_follows_go() {
        for (path, expected) in [
            ("", "."),
            ("/", "/"),
            ("//x///y/../z/./", "/x/z"),
            ("a/../..", ".."),
            ("../a", "../a"),
            ("/../a", "/a"),
            ("a//b/", "a/b"),
            ("./", "."),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn absolute_paths_keep_their_spelling() {
        assert_eq!(resolve("/a", "//x/./"), "//x/./");
        assert_eq!(resolve("/a", "b/../c/"), "/a/c");
        assert_eq!(resolve("", "b"), "/b");
        assert_eq!(resolve("/a", ""), "/a");
        assert_eq!(resolve("/a", "../../.."), "/");
    }

    #[test]
    fn file_names() {
        assert_eq!(file_name("/a/b/"), Some("b"));
        assert_eq!(file_name("/"), None);
        assert_eq!(file_name(""), None);
        assert_eq!(file_name("a"), Some("a"));
    }
}
