//! A base image for another platform than the one that is built for.

use image::Platform;
use parser::Span;

use super::{Linter, Rule};

pub(crate) fn check(linter: &mut Linter, name: &str, expected: &Platform, actual: &Platform, span: Span) {
    if expected.os != actual.os || expected.architecture != actual.architecture {
        let message = format!(
            "Base image {name} was pulled with platform {:?}, expected {:?} for current build",
            actual.to_string(),
            expected.to_string()
        );
        linter.report(Rule::InvalidBaseImagePlatform, span, message);
    }
}

#[cfg(test)]
mod tests {
    use parser::Span;

    use super::*;
    use crate::lint::options::CheckOptions;
    use crate::lint::testing::findings;

    #[test]
    fn a_comment_does_not_switch_it_off() {
        let text = "# check=skip=InvalidBaseImagePlatform\n#\n";
        assert!(findings(Rule::InvalidBaseImagePlatform, &format!("{text}FROM arm-only\n")).is_empty());
        let text = "FROM scratch\n# check=skip=InvalidBaseImagePlatform\nFROM arm-only\n";
        assert_eq!(findings(Rule::InvalidBaseImagePlatform, text).len(), 1);
    }

    #[test]
    fn variants_make_no_difference() {
        let mut linter = Linter::new(CheckOptions::default());
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        let span = Span::new(0, 1);
        check(&mut linter, "busybox", &platform("linux/arm/v7"), &platform("linux/arm/v6"), span);
        check(&mut linter, "busybox", &platform("linux/amd64"), &platform("linux/arm64"), span);
        let messages: Vec<String> = linter.warnings().into_iter().map(|warning| warning.message).collect();
        assert_eq!(
            messages,
            [
                r#"Base image busybox was pulled with platform "linux/arm64", expected "linux/amd64" for current build"#
            ]
        );
    }
}
