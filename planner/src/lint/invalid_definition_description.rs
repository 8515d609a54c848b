//! A comment above an ARG or a named stage that describes something else (experimental).

use parser::ast::Comment;
use parser::{Dockerfile, Instruction, Span};

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, dockerfile: &Dockerfile) {
    for arg in &dockerfile.global_args {
        let names: Vec<&str> = arg.node.definitions.iter().map(|one| one.name.as_written()).collect();
        check_one(linter, "ARG", &names, &arg.comments, arg.span);
    }
    for stage in &dockerfile.stages {
        if let Some(name) = stage.name() {
            check_one(linter, "FROM", &[name], &stage.from.comments, stage.from.span);
        }
        for instruction in &stage.instructions {
            if let Instruction::Arg(arg) = &instruction.node {
                let names: Vec<&str> = arg.definitions.iter().map(|one| one.name.as_written()).collect();
                check_one(linter, "ARG", &names, &instruction.comments, instruction.span);
            }
        }
    }
}

fn check_one(linter: &mut Linter, instruction: &str, names: &[&str], comments: &[Comment], span: Span) {
    let Some(comment) = comments.last() else { return };
    let first_word = comment.text.split(' ').next().unwrap_or_default();
    if names.contains(&first_word) {
        return;
    }
    let name = match names {
        [] => return,
        [name] => name,
        _ => "<arg_key>",
    };
    linter.enter(comments);
    let message = format!("Comment for {instruction} should follow the format: `# {name} <description>`");
    linter.report(Rule::InvalidDefinitionDescription, span, message);
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    const TEXT: &str =
        "# wrong\nARG A=1\n# B is described\nARG B=1\n# base\nFROM scratch AS stage\n# x\nARG C D\n";

    #[test]
    fn the_first_word_is_the_name() {
        let text = format!("# check=experimental=InvalidDefinitionDescription\n{TEXT}");
        assert_eq!(
            findings(Rule::InvalidDefinitionDescription, &text),
            [
                "3: Comment for ARG should follow the format: `# A <description>`",
                "7: Comment for FROM should follow the format: `# stage <description>`",
                "9: Comment for ARG should follow the format: `# <arg_key> <description>`",
            ]
        );
    }

    #[test]
    fn it_has_to_be_asked_for() {
        assert!(findings(Rule::InvalidDefinitionDescription, TEXT).is_empty());
    }
}
