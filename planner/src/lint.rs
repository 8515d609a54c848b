//! Lint: what a Dockerfile says that builds, but hardly means what its author wanted.
//!
//! The rules, their names and their messages are those of `BuildKit`'s build checks. There is one
//! file a rule, which holds the condition and its tests. Rules about how the file is written look
//! at the syntax tree of the whole file, used or not (`check_text`); rules about values are
//! called while a stage is lowered, so they see what the instruction sees.
//!
//! Which rules apply is decided in three places, see `options`: the build argument
//! `BUILDKIT_DOCKERFILE_CHECK` or else the directive `# check=`, and a comment of that form above
//! an instruction, for that instruction.

pub(crate) mod options;
mod rule;

pub(crate) mod consistent_instruction_casing;
pub(crate) mod copy_ignored_file;
pub(crate) mod duplicate_stage_name;
pub(crate) mod expose_invalid_format;
pub(crate) mod expose_proto_casing;
pub(crate) mod from_as_casing;
pub(crate) mod from_platform_flag_const_disallowed;
pub(crate) mod invalid_base_image_platform;
pub(crate) mod invalid_default_arg_in_from;
pub(crate) mod invalid_definition_description;
pub(crate) mod json_args_recommended;
pub(crate) mod legacy_key_value_format;
pub(crate) mod maintainer_deprecated;
pub(crate) mod multiple_instructions_disallowed;
pub(crate) mod no_empty_continuation;
pub(crate) mod redundant_target_platform;
pub(crate) mod reserved_stage_name;
pub(crate) mod secrets_used_in_arg_or_env;
pub(crate) mod stage_name_casing;
pub(crate) mod undefined_arg_in_from;
pub(crate) mod undefined_var;
pub(crate) mod workdir_relative_path;

use indexmap::IndexSet;
use parser::ast::Comment;
use parser::{Dockerfile, Span};

pub use rule::Rule;

use options::CheckOptions;

/// One finding of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Warning {
    /// The rule.
    pub rule: Rule,
    /// One line; names the values that the rule is about.
    pub message: String,
    /// The instruction that it is about.
    pub span: Span,
    /// What the author can do about it.
    pub help: Option<String>,
}

/// Collects findings of the rules that apply.
///
/// Stages can be lowered several times, once a platform: equal findings are one.
#[derive(Debug)]
pub(crate) struct Linter {
    file: CheckOptions,
    effective: CheckOptions,
    warnings: IndexSet<Warning>,
}

impl Linter {
    /// A linter with the options of the file.
    pub(crate) fn new(options: CheckOptions) -> Self {
        Self { file: options.clone(), effective: options, warnings: IndexSet::new() }
    }

    /// What is reported from now on belongs to an instruction with these comments above it.
    pub(crate) fn enter(&mut self, comments: &[Comment]) {
        self.effective = self.file.with_comments(comments);
    }

    /// Adds a finding, unless its rule does not apply here.
    pub(crate) fn report(&mut self, rule: Rule, span: Span, message: String) {
        self.report_with_help(rule, span, message, None);
    }

    /// Adds a finding with a hint, unless its rule does not apply here.
    pub(crate) fn report_with_help(&mut self, rule: Rule, span: Span, message: String, help: Option<String>) {
        if self.effective.applies(rule) {
            self.warnings.insert(Warning { rule, message, span, help });
        }
    }

    /// The rules that were violated, if the file's options make an error of that.
    pub(crate) fn violations(&self) -> Option<Vec<Rule>> {
        let mut rules = Vec::new();
        for warning in &self.warnings {
            if !rules.contains(&warning.rule) {
                rules.push(warning.rule);
            }
        }
        (self.file.fails_the_build() && !rules.is_empty()).then_some(rules)
    }

    /// All findings, in the order of the text.
    pub(crate) fn into_warnings(self) -> Vec<Warning> {
        let mut warnings: Vec<Warning> = self.warnings.into_iter().collect();
        warnings.sort_by_key(|warning| warning.span.start);
        warnings
    }
}

/// The rules about how the file is written; stages that are not built are looked at too.
pub(crate) fn check_text(linter: &mut Linter, dockerfile: &Dockerfile) {
    no_empty_continuation::check(linter, dockerfile);
    consistent_instruction_casing::check(linter, dockerfile);
    duplicate_stage_name::check(linter, dockerfile);
    reserved_stage_name::check(linter, dockerfile);
    for stage in &dockerfile.stages {
        linter.enter(&stage.from.comments);
        stage_name_casing::check(linter, &stage.from);
        from_as_casing::check(linter, &stage.from);
        for instruction in &stage.instructions {
            linter.enter(&instruction.comments);
            maintainer_deprecated::check(linter, instruction);
        }
    }
    invalid_definition_description::check(linter, dockerfile);
    linter.enter(&[]);
}

#[cfg(test)]
pub(crate) mod testing {
    //! A Dockerfile in, the findings of one rule out.

    use super::Rule;

    /// The messages of `rule` for a text, each behind the number of its line, when no argument is
    /// given and every image is an empty one.
    pub(crate) fn findings(rule: Rule, text: &str) -> Vec<String> {
        let lines = parser::LineIndex::new(text);
        crate::testing::warnings(text)
            .into_iter()
            .filter(|warning| warning.rule == rule)
            .map(|warning| format!("{}: {}", lines.line(warning.span.start), warning.message))
            .collect()
    }
}
