//! All instructions in upper case, or all in lower case: the majority decides.

use parser::{Dockerfile, Span};

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, dockerfile: &Dockerfile) {
    let keywords: Vec<(&str, Span)> = dockerfile
        .stages
        .iter()
        .flat_map(|stage| {
            let from = (stage.from.keyword.text.as_str(), stage.from.span);
            let rest = stage.instructions.iter().map(|one| (one.keyword.text.as_str(), one.span));
            std::iter::once(from).chain(rest)
        })
        .collect();
    let lower = keywords.iter().filter(|(keyword, _)| *keyword == keyword.to_lowercase()).count();
    let upper = keywords.iter().filter(|(keyword, _)| *keyword == keyword.to_uppercase()).count();
    for (keyword, span) in keywords {
        let (expected, name) = if lower > upper {
            (keyword.to_lowercase(), "lowercase")
        } else {
            (keyword.to_uppercase(), "uppercase")
        };
        if keyword != expected {
            let message =
                format!("Command '{keyword}' should match the case of the command majority ({name})");
            linter.report(Rule::ConsistentInstructionCasing, span, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn the_majority_decides() {
        let found = |text| findings(Rule::ConsistentInstructionCasing, text);
        assert_eq!(
            found("FROM scratch\nenv A=1\nENV B=2\nLabel c=3\n"),
            [
                "2: Command 'env' should match the case of the command majority (uppercase)",
                "4: Command 'Label' should match the case of the command majority (uppercase)",
            ]
        );
        assert_eq!(
            found("from scratch\nenv A=1\nLABEL c=3\n"),
            ["3: Command 'LABEL' should match the case of the command majority (lowercase)"]
        );
        assert!(found("from scratch\nenv A=1\n").is_empty());
    }
}
