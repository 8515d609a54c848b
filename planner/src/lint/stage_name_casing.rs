//! `FROM … AS Name`: stages are found by their lower-case name.

use parser::Spanned;
use parser::ast::From;

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, from: &Spanned<From>) {
    if let Some(name) = &from.node.name
        && name.written.text != name.written.text.to_lowercase()
    {
        let message = format!("Stage name '{}' should be lowercase", name.written.text);
        linter.report(Rule::StageNameCasing, from.span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn capitals_are_reported() {
        let text = "FROM scratch AS Upper\nFROM scratch AS lower-1\n";
        assert_eq!(findings(Rule::StageNameCasing, text), ["1: Stage name 'Upper' should be lowercase"]);
    }
}
