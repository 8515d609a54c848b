//! `$NAME` where no variable of that name is set.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use parser::Span;

use super::{Linter, Rule};
use crate::environment::Environment;
use crate::suggest;

/// `unset` are the variables that were looked up in vain and were not declared by an ARG either.
pub(crate) fn check(linter: &mut Linter, unset: &BTreeSet<String>, known: &Environment, span: Span) {
    for name in unset {
        let mut message = format!("Usage of undefined variable '${name}'");
        if let Some(similar) = suggest::closest(name, known.names()) {
            let _ = write!(message, " (did you mean ${similar}?)");
        }
        linter.report(Rule::UndefinedVar, span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn similar_names_are_suggested() {
        let text = "FROM scratch\nARG FOO=1 DECLARED\nLABEL a=$FO b=${NOPE:-x} c=$PATH d=$DECLARED\n";
        assert_eq!(
            findings(Rule::UndefinedVar, text),
            [
                "3: Usage of undefined variable '$FO' (did you mean $FOO?)",
                // A substitute does not count as a definition.
                "3: Usage of undefined variable '$NOPE'",
            ]
        );
    }
}
