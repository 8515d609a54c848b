//! What the fuzz targets share: the judge of the parser's random tests.
#![forbid(unsafe_code)]

#[path = "../../parser/tests/soundness/mod.rs"]
pub mod soundness;

/// The last line of an input, and what stands above it: two texts in one.
pub fn last_line(input: &str) -> (&str, &str) {
    input.rsplit_once('\n').map_or(("", input), |(above, last)| (above, last))
}
