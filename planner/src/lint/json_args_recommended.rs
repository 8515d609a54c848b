//! `CMD text` and `ENTRYPOINT text` run below a shell, which passes no signals on.

use parser::Span;

use super::{Linter, Rule};

/// `keyword` as it was written. An explicit SHELL says that the shell form is meant.
pub(crate) fn check(linter: &mut Linter, keyword: &str, shell_is_set: bool, span: Span) {
    if !shell_is_set {
        let message = format!(
            "JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals"
        );
        linter.report(Rule::JSONArgsRecommended, span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn shell_forms_are_reported() {
        let text = "FROM scratch\nCMD a b\nENTRYPOINT [\"c\"]\nSHELL [\"/bin/sh\", \"-ec\"]\nENTRYPOINT c\n";
        assert_eq!(
            findings(Rule::JSONArgsRecommended, text),
            ["2: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"]
        );
    }
}
