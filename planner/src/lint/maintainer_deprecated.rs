//! `MAINTAINER`.

use parser::{Instruction, Spanned};

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, instruction: &Spanned<Instruction>) {
    if let Instruction::Maintainer(maintainer) = &instruction.node {
        let message = "Maintainer instruction is deprecated in favor of using label".to_owned();
        let help = format!("LABEL org.opencontainers.image.authors={:?}", maintainer.author.text);
        linter.report_with_help(Rule::MaintainerDeprecated, instruction.span, message, Some(help));
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn it_can_be_skipped_for_one_instruction() {
        let text = "FROM scratch\nMAINTAINER me\n# check=skip=MaintainerDeprecated\nMAINTAINER you\n";
        assert_eq!(
            findings(Rule::MaintainerDeprecated, text),
            ["2: Maintainer instruction is deprecated in favor of using label"]
        );
    }
}
