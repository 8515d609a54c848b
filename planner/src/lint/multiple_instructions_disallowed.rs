//! Several CMD, ENTRYPOINT or HEALTHCHECK in a stage.

use parser::Span;

use super::{Linter, Rule};

/// `earlier` is the instruction of the same type before this one, which is the one that is
/// ignored and so the one that is reported.
pub(crate) fn check(linter: &mut Linter, keyword: &str, earlier: Option<Span>) {
    if let Some(span) = earlier {
        let message = format!(
            "Multiple {keyword} instructions should not be used in the same stage because only the last one will be used"
        );
        linter.report(Rule::MultipleInstructionsDisallowed, span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn all_but_the_last_are_reported() {
        let text = "FROM scratch AS a\nCMD [\"a\"]\nCMD [\"b\"]\nFROM a\nCMD [\"c\"]\n";
        assert_eq!(
            findings(Rule::MultipleInstructionsDisallowed, text),
            [
                "2: Multiple CMD instructions should not be used in the same stage because only the last one will be used"
            ]
        );
    }
}
