//! A stage called `scratch` or `context`.

use parser::Dockerfile;

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, dockerfile: &Dockerfile) {
    for stage in &dockerfile.stages {
        if let Some(name @ ("scratch" | "context")) = stage.name() {
            let message = format!("Stage name should not use the same name as reserved stage {name:?}");
            linter.report(Rule::ReservedStageName, stage.from.span, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn both_words_are_reserved() {
        let text = "FROM busybox AS scratch\nFROM busybox AS context\nFROM busybox AS other\n";
        assert_eq!(
            findings(Rule::ReservedStageName, text),
            [
                r#"1: Stage name should not use the same name as reserved stage "scratch""#,
                r#"2: Stage name should not use the same name as reserved stage "context""#,
            ]
        );
    }
}
