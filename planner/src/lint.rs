//! Lint: what a Dockerfile says that builds, but hardly means what its author wanted.
//!
//! Most rules, their names and their messages are those of `BuildKit`'s build checks, and give
//! warnings. The others are our own and give notes, which count for nothing ([`Level`]). There is one
//! file a rule, which holds the condition and its tests. Rules about how the file is written look
//! at the syntax tree of the whole file, used or not (`check_text`); rules about values are
//! called while a stage is lowered, so they see what the instruction sees. Rules about files of the
//! context are the engine's: for them there are [`LocalSource`]s.
//!
//! Which rules apply is decided in three places, see `options`: the build argument
//! `BUILDKIT_DOCKERFILE_CHECK` or else the directive `# check=`, and a comment of that form above
//! an instruction, for that instruction. `skip` holds for warnings and notes, `error` for warnings.

mod local_source;
pub(crate) mod options;
mod rule;

pub(crate) mod arg_busts_cache;
pub(crate) mod consistent_instruction_casing;
pub(crate) mod copy_ignored_file;
pub(crate) mod crlf_script;
pub(crate) mod duplicate_stage_name;
pub(crate) mod excluded_source;
pub(crate) mod expose_invalid_format;
pub(crate) mod expose_proto_casing;
pub(crate) mod from_as_casing;
pub(crate) mod from_platform_flag_const_disallowed;
pub(crate) mod heredoc_without_errexit;
pub(crate) mod invalid_base_image_platform;
pub(crate) mod invalid_default_arg_in_from;
pub(crate) mod invalid_definition_description;
pub(crate) mod json_args_recommended;
pub(crate) mod legacy_key_value_format;
pub(crate) mod maintainer_deprecated;
pub(crate) mod malformed_json_form;
pub(crate) mod multiple_instructions_disallowed;
pub(crate) mod no_empty_continuation;
pub(crate) mod redundant_target_platform;
pub(crate) mod reserved_stage_name;
pub(crate) mod secrets_used_in_arg_or_env;
pub(crate) mod stage_name_casing;
pub(crate) mod undefined_arg_in_from;
pub(crate) mod undefined_var;
pub(crate) mod workdir_relative_path;

use std::collections::BTreeMap;

use indexmap::IndexSet;
use parser::ast::Comment;
use parser::{Code, Diagnostic, Dockerfile, Span};

pub use local_source::LocalSource;
pub use rule::{Level, Rule};

use options::CheckOptions;

/// One finding of a rule: a warning or a note, as the rule has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Remark {
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
    remarks: IndexSet<Remark>,
}

impl Linter {
    /// A linter with the options of the file.
    pub(crate) fn new(options: CheckOptions) -> Self {
        Self { file: options.clone(), effective: options, remarks: IndexSet::new() }
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
            self.remarks.insert(Remark { rule, message, span, help });
        }
    }

    /// The options that hold for what is reported now.
    pub(crate) fn options(&self) -> &CheckOptions {
        &self.effective
    }

    /// The rules of which there are warnings, if the file's options make an error of that.
    pub(crate) fn violations(&self) -> Option<Vec<Rule>> {
        let mut rules = Vec::new();
        for rule in self.of_level(Level::Warning).map(|remark| remark.rule) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        (self.file.fails_the_build() && !rules.is_empty()).then_some(rules)
    }

    /// The warnings so far, in the order of the text.
    pub(crate) fn warnings(&self) -> Vec<Remark> {
        self.sorted(Level::Warning)
    }

    /// The notes so far, in the order of the text.
    pub(crate) fn notes(&self) -> Vec<Remark> {
        self.sorted(Level::Note)
    }

    fn sorted(&self, level: Level) -> Vec<Remark> {
        let mut remarks: Vec<Remark> = self.of_level(level).cloned().collect();
        remarks.sort_by_key(|remark| remark.span.start);
        remarks
    }

    fn of_level(&self, level: Level) -> impl Iterator<Item = &Remark> {
        self.remarks.iter().filter(move |remark| remark.rule.level() == level)
    }
}

/// The rules about how the file is written; stages that are not built are looked at too.
pub(crate) fn check_text(linter: &mut Linter, dockerfile: &Dockerfile) {
    no_empty_continuation::check(linter, dockerfile);
    consistent_instruction_casing::check(linter, dockerfile);
    duplicate_stage_name::check(linter, dockerfile);
    reserved_stage_name::check(linter, dockerfile);
    check_instructions(linter, dockerfile);
}

/// The rules about how an instruction is written that need no other one.
fn check_instructions(linter: &mut Linter, dockerfile: &Dockerfile) {
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

/// The warnings for a file that could not be read in full, beside its errors. They are those that `BuildKit`
/// has by then: it reads lines first, and then instructions up to the first one that is wrong.
pub fn warnings_before(
    errors: &[Diagnostic],
    dockerfile: &Dockerfile,
    build_args: &BTreeMap<String, String>,
) -> Vec<Remark> {
    let Ok(options) = options::of_file(dockerfile, build_args) else { return Vec::new() };
    if errors.iter().any(|error| is_about_lines(error.code)) {
        return Vec::new();
    }
    let end = errors.iter().map(|error| error.span.start).min().unwrap_or(usize::MAX);
    let mut linter = Linter::new(options);
    check_instructions(&mut linter, dockerfile);
    linter.remarks.retain(|remark| remark.span.start < end);
    no_empty_continuation::check(&mut linter, dockerfile);
    linter.warnings()
}

/// Whether `BuildKit` finds a mistake before it reads any instruction.
fn is_about_lines(code: Code) -> bool {
    matches!(
        code,
        Code::EmptyFile
            | Code::LineTooLong
            | Code::InvalidEscape
            | Code::DuplicateDirective
            | Code::UnterminatedHeredoc
            | Code::InvalidKeyValue
            | Code::JsonNotStrings
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linter(options: &str) -> Linter {
        let mut linter = Linter::new(CheckOptions::parse(options).unwrap());
        for rule in [Rule::CrlfScript, Rule::FromAsCasing, Rule::CrlfScript, Rule::StageNameCasing] {
            linter.report(rule, Span::new(0, 1), String::new());
        }
        linter
    }

    #[test]
    fn notes_are_no_violations() {
        let strict = linter("error=true");
        assert_eq!(strict.violations(), Some(vec![Rule::FromAsCasing, Rule::StageNameCasing]));
        assert_eq!((strict.warnings().len(), strict.notes().len()), (2, 1), "equal findings are one");
        assert_eq!(linter("skip=FromAsCasing,StageNameCasing;error=true").violations(), None);
        assert_eq!(linter("").violations(), None);
    }

    /// The rules that have warnings for a text with errors.
    fn before_error(text: &str) -> Vec<&'static str> {
        let parsed = parser::parse(text);
        let remarks = warnings_before(&parsed.diagnostics, &parsed.dockerfile, &BTreeMap::new());
        remarks.iter().map(|remark| remark.rule.name()).collect()
    }

    #[test]
    fn what_comes_before_an_error_has_warnings() {
        let text = "FROM scratch as A\nMAINTAINER x\nCPOY a b\nMAINTAINER y\nENV a=1 \\\n\n b=2\n";
        assert_eq!(
            before_error(text),
            ["StageNameCasing", "FromAsCasing", "MaintainerDeprecated", "NoEmptyContinuation"]
        );
        assert!(before_error("# check=skip=all\nFROM scratch as a\nCPOY a b\n").is_empty());
        assert!(before_error("FROM scratch as a\nENV a\n").is_empty(), "lines are read first");
    }

    #[test]
    fn notes_are_skipped_as_warnings_are() {
        assert!(linter("skip=CrlfScript").notes().is_empty());
        assert!(linter("skip=all").notes().is_empty());
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A Dockerfile in, the findings of one rule out.

    use parser::ignore::IgnoreFile;

    use super::Rule;
    use crate::context::IgnoreRules;

    /// The rules of a `.dockerignore` with this text.
    pub(crate) fn ignore_rules(text: &str) -> IgnoreRules {
        let (file, diagnostics) = IgnoreFile::parse(text);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        IgnoreRules { name: ".dockerignore".to_owned(), file }
    }

    /// The messages of `rule` for a text, each behind the number of its line, when no argument is
    /// given and every image is an empty one.
    pub(crate) fn findings(rule: Rule, text: &str) -> Vec<String> {
        let lines = parser::LineIndex::new(text);
        crate::testing::remarks(text, &crate::testing::options())
            .into_iter()
            .filter(|remark| remark.rule == rule)
            .map(|remark| format!("{}: {}", lines.line(remark.span.start), remark.message))
            .collect()
    }
}
