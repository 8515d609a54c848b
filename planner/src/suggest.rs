//! Did you mean …?

/// The candidate that differs from `word` by the fewest edits, if that are less than three. None
/// also if the word itself is a candidate: then something else is wrong.
pub(crate) fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = strsim::levenshtein(word, candidate);
        if distance == 0 {
            return None;
        }
        if distance < best.map_or(3, |(distance, _)| distance) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn up_to_two_edits_are_near() {
        let near = |word| closest(word, ["build", "test"].into_iter());
        assert_eq!(near("biuld"), Some("build"));
        assert_eq!(near("tes"), Some("test"));
        assert_eq!(near("test"), None);
        assert_eq!(near("release"), None);
    }
}
