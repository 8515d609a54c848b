//! Did-you-mean for files: what a tree has under nearly the name that a copy asked for.

use image::pattern::{NamePattern, has_wildcard};
use store::{Tree, TreePath};

/// How many entries are looked at for a similar name.
const MOST_ENTRIES: usize = 20_000;
/// How many letters a similar name may differ in.
const MOST_DIFFERENCES: usize = 3;

/// The path of the tree that is nearest: the same name elsewhere, or nearly the same path. `wanted` may have
/// wildcards.
pub fn similar(tree: &Tree, wanted: &str) -> Option<String> {
    let name = NamePattern::new(wanted.rsplit('/').next()?).ok()?;
    // The very name in another place is nearer than another name; that a wildcard matches there says less.
    let same_name_counts = if has_wildcard(wanted) { MOST_DIFFERENCES } else { 1 };
    let mut best: Option<(usize, String)> = None;
    for entry in tree.walk(&tree.root().ok()?).take(MOST_ENTRIES) {
        let Ok(entry) = entry else { break };
        let Some(path) = text(entry.path()) else { continue };
        let same_name = path.rsplit('/').next().is_some_and(|last| name.matches(last.as_bytes()));
        let mut distance = distance(&path, wanted);
        if same_name {
            distance = distance.min(same_name_counts);
        }
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

/// How many letters of a path differ from a pattern, case aside, where `*` stands for any letters of a name.
/// Whatever is much longer or shorter is just more than [`MOST_DIFFERENCES`].
fn distance(path: &str, pattern: &str) -> usize {
    if !pattern.contains('*') && path.len().abs_diff(pattern.len()) > MOST_DIFFERENCES * 4 {
        return MOST_DIFFERENCES + 1;
    }
    let (path, pattern) = (path.to_lowercase(), pattern.to_lowercase());
    let pattern: Vec<char> = pattern.chars().collect();
    // Levenshtein's table, a row at a time; what `*` takes costs nothing.
    let mut row = vec![0];
    for (column, expected) in pattern.iter().enumerate() {
        row.push(row[column] + usize::from(*expected != '*'));
    }
    for (index, letter) in path.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, expected) in pattern.iter().enumerate() {
            let is_star = *expected == '*';
            let added = usize::from(!is_star || letter == '/');
            let changed = diagonal + if is_star { added } else { usize::from(letter != *expected) };
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + usize::from(!is_star)).min(diagonal + added);
        }
    }
    row[pattern.len()]
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
        assert_eq!(distance("a-long-name.js", "*.jss"), 1);
        assert_eq!(distance("src/main.c", "scr/*.c"), 2);
        assert!(distance("d/e/f/g/main.c", "*.c") > 3);
        assert!(distance("short", "something completely different") > 3);
    }
}
