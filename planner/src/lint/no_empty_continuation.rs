//! An empty line inside a continuation.

use parser::ast::CopySource;
use parser::{Dockerfile, Instruction, Span, Spanned};

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, dockerfile: &Dockerfile) {
    for arg in &dockerfile.global_args {
        check_one(linter, arg, None);
    }
    for stage in &dockerfile.stages {
        check_one(linter, &stage.from, None);
        for instruction in &stage.instructions {
            check_one(linter, instruction, first_heredoc(&instruction.node));
        }
    }
}

fn check_one<T>(linter: &mut Linter, instruction: &Spanned<T>, heredoc: Option<usize>) {
    let Some(last) = instruction.empty_continuations.last() else { return };
    // As BuildKit does, it is reported where the continued line ends; that is an empty line where
    // nothing follows that could end it.
    let end = heredoc.map_or(instruction.span.end, |start| start.saturating_sub(1)).max(last.start);
    linter.report(Rule::NoEmptyContinuation, Span::new(end, end), "Empty continuation line".to_owned());
}

fn first_heredoc(instruction: &Instruction) -> Option<usize> {
    let first = |sources: &[CopySource]| {
        sources.iter().find_map(|source| match source {
            CopySource::Inline(file) => Some(file.heredoc.span.start),
            CopySource::Path(_) => None,
        })
    };
    match instruction {
        Instruction::Run(run) => run.heredocs.first().map(|heredoc| heredoc.span.start),
        Instruction::Copy(copy) => first(&copy.sources),
        Instruction::Add(add) => first(&add.sources),
        Instruction::Onbuild(onbuild) => first_heredoc(&onbuild.instruction.as_ref()?.node),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn the_end_of_the_instruction_is_reported() {
        let text = "FROM scratch\nLABEL a=1 \\\n\n  b=2\nLABEL c=3 \\\n# comment\n  d=4\n";
        assert_eq!(findings(Rule::NoEmptyContinuation, text), ["4: Empty continuation line"]);
    }

    #[test]
    fn the_end_may_be_an_empty_line_or_lie_before_a_heredoc() {
        let text = "FROM scratch\nCMD x\\\n\n \n";
        assert_eq!(findings(Rule::NoEmptyContinuation, text), ["4: Empty continuation line"]);
        let text = "FROM scratch\nONBUILD \\\n\n COPY <<A /a\nbody\nA\n";
        assert_eq!(findings(Rule::NoEmptyContinuation, text), ["4: Empty continuation line"]);
    }
}
