//! The input is the lines of an ignore file; its last line is a path.
#![no_main]

use image::pattern::{Exclusions, NamePattern, has_wildcard};

libfuzzer_sys::fuzz_target!(|input: &str| {
    let (patterns, path) = fuzz::last_line(input);
    fuzz::soundness::check_ignore(patterns, path);
    patterns.lines().for_each(|pattern| check_name(pattern, path));
    if let Ok(exclusions) = Exclusions::new(patterns.lines()) {
        let excluded = exclusions.excludes(path.as_bytes());
        assert!(!excluded || !exclusions.is_empty());
    }
});

/// A pattern without wildcards matches itself only, and what is escaped is no wildcard.
fn check_name(pattern: &str, name: &str) {
    let found = NamePattern::new(pattern).map(|compiled| compiled.matches(name.as_bytes()));
    if !has_wildcard(pattern) {
        assert_eq!(found, Ok(pattern == name), "{pattern:?} and {name:?}");
    }
    let escaped: String = name.chars().flat_map(|letter| ['\\', letter]).collect();
    let found = NamePattern::new(&escaped).map(|compiled| compiled.matches(name.as_bytes()));
    assert_eq!(found, Ok(true), "{escaped:?}");
}
