//! Did-you-mean for files: what a tree has under nearly the name that a copy asked for.

use store::{Tree, TreePath};

/// How many entries are looked at for a similar name.
const MOST_ENTRIES: usize = 20_000;
/// How many letters a similar name may differ in.
const MOST_DIFFERENCES: usize = 3;

/// The path of the tree that is nearest: the same name elsewhere, or nearly the same path.
pub(crate) fn similar(tree: &Tree, wanted: &str) -> Option<String> {
    let name = wanted.rsplit('/').next()?;
    let mut best: Option<(usize, String)> = None;
    for entry in tree.walk(&tree.root().ok()?).take(MOST_ENTRIES) {
        let Ok(entry) = entry else { break };
        let Some(path) = text(entry.path()) else { continue };
        let same_name = path.rsplit('/').next() == Some(name);
        let distance = if same_name { 1 } else { distance(&path, wanted) };
        if distance > 0
            && distance <= MOST_DIFFERENCES
            && best.as_ref().is_none_or(|(least, _)| distance < *least)
        {
            best = Some((distance, path));
        }
    }
    best.map(|(_, path)| path)
}

fn text(path: &TreePath) -> Option<String> {
    std::str::from_utf8(path.as_bytes()).ok().filter(|path| !path.is_empty()).map(str::to_owned)
}

/// How many letters differ, case aside. Whatever is much longer or shorter is just more than
/// [`MOST_DIFFERENCES`].
fn distance(one: &str, other: &str) -> usize {
    if one.len().abs_diff(other.len()) > MOST_DIFFERENCES * 4 {
        return MOST_DIFFERENCES + 1;
    }
    strsim::levenshtein(&one.to_lowercase(), &other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("src/main.c", "src/main.c"), 0);
        assert_eq!(distance("src/mian.c", "src/main.c"), 2);
        assert_eq!(distance("Makefile", "makefile"), 0);
        assert_eq!(distance("a", "abc"), 2);
        assert!(distance("short", "something completely different") > 3);
    }
}
