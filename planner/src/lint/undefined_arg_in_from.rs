//! `FROM $NAME` where no global ARG declares the name.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use parser::Span;

use super::{Linter, Rule};
use crate::suggest;

/// `unset` are the variables that were looked up in vain, `declared` all global arguments.
pub(crate) fn check(linter: &mut Linter, unset: &BTreeSet<String>, declared: &BTreeSet<String>, span: Span) {
    for name in unset.difference(declared) {
        let mut message = format!("FROM argument '{name}' is not declared");
        if let Some(similar) = suggest::closest(name, declared.iter().map(String::as_str)) {
            let _ = write!(message, " (did you mean {similar}?)");
        }
        linter.report(Rule::UndefinedArgInFrom, span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn declared_ones_need_no_value() {
        let text = "ARG KNOWN\nFROM busybox${KNOWN}${KNOWM}\n";
        assert_eq!(
            findings(Rule::UndefinedArgInFrom, text),
            ["2: FROM argument 'KNOWM' is not declared (did you mean KNOWN?)"]
        );
    }
}
