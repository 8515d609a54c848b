//! `FROM --platform=linux/amd64`, unless the name of the stage says that this is what it is for.

use image::Platform;
use parser::Span;

use super::{Linter, Rule};
use crate::scope::Expanded;

pub(crate) fn check(
    linter: &mut Linter,
    stage: Option<&str>,
    expanded: &Expanded,
    platform: &Platform,
    span: Span,
) {
    let is_constant = expanded.used.is_empty() && expanded.unset.is_empty();
    let named_after_it =
        stage.is_some_and(|name| name.contains(&platform.os) || name.contains(&platform.architecture));
    if is_constant && !named_after_it {
        let message = format!("FROM --platform flag should not use constant value {:?}", expanded.text);
        linter.report(Rule::FromPlatformFlagConstDisallowed, span, message);
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn a_stage_may_be_named_after_its_platform() {
        let text =
            "FROM --platform=linux/amd64 scratch AS one\nFROM --platform=linux/amd64 scratch AS app-amd64\n";
        assert_eq!(
            findings(Rule::FromPlatformFlagConstDisallowed, text),
            [r#"1: FROM --platform flag should not use constant value "linux/amd64""#]
        );
    }
}
