//! `FROM $NAME` that is no valid image name unless somebody gives a value to the argument.

use image::Reference;
use parser::Dockerfile;

use super::{Linter, Rule};
use crate::environment::Environment;
use crate::scope;

/// `defaults` are the global arguments as they are without any `--build-arg`.
pub(crate) fn check(linter: &mut Linter, dockerfile: &Dockerfile, defaults: &Environment) {
    for stage in &dockerfile.stages {
        let base = &stage.from.node.base;
        let Ok(expanded) = scope::expand(base, defaults) else { return };
        if expanded.text.parse::<Reference>().is_err() {
            let message = format!(
                "Default value for ARG {} results in empty or invalid base image name",
                base.as_written()
            );
            linter.report(Rule::InvalidDefaultArgInFrom, stage.from.span, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn a_tag_may_not_be_empty() {
        assert_eq!(
            findings(Rule::InvalidDefaultArgInFrom, "ARG TAG\nFROM busybox:$TAG\n"),
            ["2: Default value for ARG busybox:$TAG results in empty or invalid base image name"]
        );
        assert!(findings(Rule::InvalidDefaultArgInFrom, "ARG TAG=1\nFROM busybox:$TAG\n").is_empty());
    }
}
