//! Paths as instructions write them, as text: what is absolute, what follows what.
//!
//! `BuildKit` keeps the spelling of an absolute path where users can see it again (`WORKDIR //x/`
//! stays that in the config), and only cleans what it joins. So text is handled here, and
//! [`image::ImagePath`], which is always clean, is made of it where the graph needs a path.

pub(crate) use parser::go::clean;

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
