//! `FROM --platform=$TARGETPLATFORM`, which is the default.

use parser::Span;

use super::{Linter, Rule};
use crate::scope::Expanded;

/// `target` is the value of `$TARGETPLATFORM`.
pub(crate) fn check(
    linter: &mut Linter,
    written: &str,
    expanded: &Expanded,
    target: Option<&str>,
    span: Span,
) {
    let only_target = expanded.used.len() == 1 && expanded.used.contains("TARGETPLATFORM");
    if only_target && expanded.unset.is_empty() && Some(expanded.text.as_str()) == target {
        let message = format!(
            "Setting platform to predefined {written} in FROM is redundant as this is the default behavior"
        );
        linter.report(Rule::RedundantTargetPlatform, span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn both_spellings_are_reported() {
        let text = "FROM --platform=${TARGETPLATFORM} scratch AS a\nFROM --platform=$BUILDPLATFORM scratch\n";
        assert_eq!(
            findings(Rule::RedundantTargetPlatform, text),
            [
                "1: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior"
            ]
        );
    }
}
