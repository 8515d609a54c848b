//! Two stages of one name: the later one hides the earlier one.

use std::collections::HashSet;

use parser::Dockerfile;

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, dockerfile: &Dockerfile) {
    let mut names = HashSet::new();
    for stage in &dockerfile.stages {
        if let Some(name) = stage.name()
            && !names.insert(name)
        {
            let message = format!("Duplicate stage name {name:?}, stage names should be unique");
            linter.report(Rule::DuplicateStageName, stage.from.span, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    #[test]
    fn case_makes_no_difference() {
        let text = "FROM scratch AS a\nFROM scratch AS b\nFROM scratch AS A\n";
        assert_eq!(
            findings(Rule::DuplicateStageName, text),
            [r#"3: Duplicate stage name "a", stage names should be unique"#]
        );
    }
}
