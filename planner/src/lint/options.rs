//! Which rules apply: `skip=A,B;error=true;experimental=C`.

use std::collections::{BTreeMap, BTreeSet};

use parser::Dockerfile;
use parser::ast::Comment;
use parser::go::parse_bool;

use super::Rule;
use crate::error::Problem;

/// The options of a `# check=` directive, of a comment of that form, or of the build argument
/// `BUILDKIT_DOCKERFILE_CHECK`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CheckOptions {
    skip: Names,
    experimental: Names,
    error: bool,
}

/// Some rules, by name; names that no rule has are no mistake, since rules come and go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Names {
    all: bool,
    listed: BTreeSet<String>,
}

/// A text that is no list of options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckOptionsError {
    /// The option does not exist, or has no value.
    #[error("invalid check option {0:?}")]
    Unknown(String),
    /// `error=` takes a truth value.
    #[error("failed to parse check option {0:?}: not a boolean")]
    NotBoolean(String),
}

/// The options of a file: the build argument, or else the directive.
pub(crate) fn of_file(
    dockerfile: &Dockerfile,
    build_args: &BTreeMap<String, String>,
) -> Result<CheckOptions, Box<Problem>> {
    match (build_args.get("BUILDKIT_DOCKERFILE_CHECK"), &dockerfile.directives.check) {
        (Some(text), _) => {
            CheckOptions::parse(text).map_err(|error| Box::new(Problem::of_options(error.into())))
        }
        (None, Some(directive)) => CheckOptions::of_directive(&directive.value)
            .map_err(|error| Box::new(Problem::at(directive.span, error.into()))),
        (None, None) => Ok(CheckOptions::default()),
    }
}

impl CheckOptions {
    /// Reads options; an empty text is none.
    pub(crate) fn parse(text: &str) -> Result<Self, CheckOptionsError> {
        let mut options = Self::default();
        if text.trim().is_empty() {
            return Ok(options);
        }
        for option in text.trim().splitn(3, ';') {
            let Some((key, value)) = option.split_once('=') else {
                return Err(CheckOptionsError::Unknown(option.to_owned()));
            };
            match key.trim() {
                "skip" => options.skip = Names::parse(value),
                "experimental" => options.experimental = Names::parse(value),
                "error" => {
                    let not_boolean = || CheckOptionsError::NotBoolean(option.to_owned());
                    options.error = parse_bool(value.trim()).ok_or_else(not_boolean)?;
                }
                key => return Err(CheckOptionsError::Unknown(key.to_owned())),
            }
        }
        Ok(options)
    }

    /// Reads the value of a directive: as `BuildKit` does, up to the first blank.
    pub(crate) fn of_directive(value: &str) -> Result<Self, CheckOptionsError> {
        Self::parse(value.split(' ').next().unwrap_or_default())
    }

    /// These options with those of the first `# check=` among the comments above an instruction.
    /// One that cannot be read changes nothing.
    pub(crate) fn with_comments(&self, comments: &[Comment]) -> Self {
        let directive = comments.iter().find_map(|comment| {
            let (key, value) = comment.text.split_once('=')?;
            let is_check = key.trim().eq_ignore_ascii_case("check") && !value.trim().is_empty();
            is_check.then(|| value.trim())
        });
        match directive.map(Self::of_directive) {
            Some(Ok(options)) => Self {
                skip: self.skip.union(&options.skip),
                experimental: self.experimental.union(&options.experimental),
                error: self.error,
            },
            _ => self.clone(),
        }
    }

    /// Whether findings of the rule are reported.
    pub(crate) fn applies(&self, rule: Rule) -> bool {
        if rule.is_experimental() { self.experimental.contains(rule) } else { !self.skip.contains(rule) }
    }

    /// Whether a finding fails the build.
    pub(crate) fn fails_the_build(&self) -> bool {
        self.error
    }
}

impl Names {
    fn parse(text: &str) -> Self {
        match text.trim() {
            "all" => Self { all: true, listed: BTreeSet::new() },
            text => Self { all: false, listed: text.split(',').map(|name| name.trim().to_owned()).collect() },
        }
    }

    fn contains(&self, rule: Rule) -> bool {
        self.all || self.listed.contains(rule.name())
    }

    fn union(&self, other: &Self) -> Self {
        Self { all: self.all || other.all, listed: self.listed.union(&other.listed).cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use parser::Span;

    use super::*;

    #[test]
    fn options_name_rules() {
        let options = CheckOptions::parse(" skip=StageNameCasing, UndefinedVar;error=true ").unwrap();
        assert!(options.fails_the_build());
        assert!(!options.applies(Rule::StageNameCasing));
        assert!(!options.applies(Rule::UndefinedVar));
        assert!(options.applies(Rule::FromAsCasing));
        assert!(!options.applies(Rule::InvalidDefinitionDescription));
        let options = CheckOptions::parse("skip=all;experimental=all").unwrap();
        assert!(!options.applies(Rule::FromAsCasing));
        assert!(options.applies(Rule::InvalidDefinitionDescription));
    }

    #[test]
    fn other_options_are_mistakes() {
        assert_eq!(CheckOptions::parse("skip").unwrap_err().to_string(), r#"invalid check option "skip""#);
        assert_eq!(
            CheckOptions::parse("fail=true").unwrap_err().to_string(),
            r#"invalid check option "fail""#
        );
        assert!(CheckOptions::parse("error=maybe").is_err());
        assert_eq!(CheckOptions::parse("  "), Ok(CheckOptions::default()));
    }

    #[test]
    fn a_comment_adds_for_one_instruction() {
        let comment = |text: &str| Comment { text: text.to_owned(), span: Span::new(0, 0) };
        let file = CheckOptions::parse("skip=FromAsCasing").unwrap();
        let options = file.with_comments(&[comment("why"), comment("check=skip=UndefinedVar because")]);
        assert!(!options.applies(Rule::UndefinedVar));
        assert!(!options.applies(Rule::FromAsCasing));
        assert_eq!(file.with_comments(&[comment("check=nonsense")]), file);
    }
}
