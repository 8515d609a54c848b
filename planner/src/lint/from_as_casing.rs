//! `FROM … as …`: both keywords in the same case.

use parser::Spanned;
use parser::ast::From;

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, from: &Spanned<From>) {
    let Some(name) = &from.node.name else { return };
    let (keyword, conjunction) = (&from.keyword.text, &name.keyword.text);
    let matches = if *keyword == keyword.to_lowercase() {
        *conjunction == conjunction.to_lowercase()
    } else if *keyword == keyword.to_uppercase() {
        *conjunction == conjunction.to_uppercase()
    } else {
        true // `From` is the business of ConsistentInstructionCasing
    };
    if !matches {
        let message = format!("'{conjunction}' and '{keyword}' keywords' casing do not match");
        linter.report(Rule::FromAsCasing, from.span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn the_second_keyword_follows_the_first() {
        let text = "FROM scratch as one\nfrom scratch AS two\nFROM scratch AS three\nFrom scratch as four\n";
        assert_eq!(
            findings(Rule::FromAsCasing, text),
            [
                "1: 'as' and 'FROM' keywords' casing do not match",
                "2: 'AS' and 'from' keywords' casing do not match"
            ]
        );
    }
}
