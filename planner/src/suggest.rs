//! Did you mean …?
//!
//! Here case counts, as it does for variables and images; [`parser::suggest`] is for keywords, where it
//! does not.

use parser::{Dockerfile, Stage};

/// Images that many Dockerfiles are based on.
const COMMON_IMAGES: [&str; 7] = ["alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora"];

/// A stage of the file, or a well-known image, that the name of an image which does not exist may have
/// been meant for.
pub fn similar_base(dockerfile: &Dockerfile, name: &str) -> Option<String> {
    let stages = dockerfile.stages.iter().filter_map(Stage::name);
    closest(name, stages.chain(COMMON_IMAGES)).map(str::to_owned)
}

/// From this many edits on, a word is no longer taken for a misspelling.
const TOO_FAR: usize = 3;

/// How many candidates are looked at: nobody writes a file with more names, and one that has them must
/// not take long.
const MOST_CANDIDATES: usize = 256;

/// The candidate that differs from `word` by the fewest edits, if that are less than three. None
/// also if the word itself is a candidate: then something else is wrong.
pub(crate) fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.filter(|candidate| !candidate.is_empty()).take(MOST_CANDIDATES) {
        // A character has four bytes at most.
        if candidate.len().abs_diff(word.len()) >= 4 * TOO_FAR {
            continue;
        }
        let distance = strsim::levenshtein(word, candidate);
        if distance == 0 {
            return None;
        }
        if distance < best.map_or(TOO_FAR, |(distance, _)| distance) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::{closest, similar_base};

    #[test]
    fn up_to_two_edits_are_near() {
        let near = |word| closest(word, ["build", "test"].into_iter());
        assert_eq!(near("biuld"), Some("build"));
        assert_eq!(near("tes"), Some("test"));
        assert_eq!(near("test"), None);
        assert_eq!(near("release"), None);
        assert_eq!(closest("A", [""].into_iter()), None);
    }

    #[test]
    fn stages_and_well_known_images_are_bases() {
        let dockerfile = crate::testing::parse("FROM scratch AS builder\n");
        assert_eq!(similar_base(&dockerfile, "buidler").as_deref(), Some("builder"));
        assert_eq!(similar_base(&dockerfile, "ubunt").as_deref(), Some("ubuntu"));
        assert_eq!(similar_base(&dockerfile, "example.com/app"), None);
    }
}
