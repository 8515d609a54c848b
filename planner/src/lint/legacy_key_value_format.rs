//! `ENV key value` and `LABEL key value`.

use parser::Span;
use parser::ast::KeyValueForm;

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, keyword: &str, form: KeyValueForm, span: Span) {
    if form == KeyValueForm::Legacy {
        let message =
            format!(r#""{keyword} key=value" should be used instead of legacy "{keyword} key value" format"#);
        linter.report(Rule::LegacyKeyValueFormat, span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn both_instructions_have_the_old_form() {
        assert_eq!(
            findings(Rule::LegacyKeyValueFormat, "FROM scratch\nENV A b c\nENV D=e\nLABEL f g\n"),
            [
                r#"2: "ENV key=value" should be used instead of legacy "ENV key value" format"#,
                r#"4: "LABEL key=value" should be used instead of legacy "LABEL key value" format"#,
            ]
        );
    }
}
