//! What is shown when something fails: the facts of the error, then a hint, then the exit code.
//!
//! A failed build is shown in BuildKit's form, so that whoever reads it, a person or a script,
//! finds what they know:
//!
//! ```text
//! ------
//!  > [build 2/4] RUN make:
//! make: *** No targets specified and no makefile found.  Stop.
//! ------
//! Dockerfile:3
//! --------------------
//!    2 |     WORKDIR /src
//!    3 | >>> RUN make
//! --------------------
//! → builder shell 4f2a opens what the step left, with --before what it began with
//! ERROR: failed to build: failed to solve: process "/bin/sh -c make" did not complete …
//! ```
//!
//! Libraries state facts. Advice is given here only.

mod kept;

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;

use engine::OpenError;
use engine::SandboxError;
use engine::error::{BuildError, MissingSource, StepCause, StepError};
use engine::kept::KeptError;
use engine::outcome::{DockerfileText, Finding, Location, Outcome};
pub(crate) use kept::run_code;

use crate::advice;
use crate::excerpt::{Excerpts, Shown, excerpt};
use crate::interrupt;

/// The exit code of a command that failed.
pub(crate) const FAILED: u8 = 1;
/// The exit code of a command line that means nothing.
pub(crate) const USAGE: u8 = 2;
/// The exit code of `run` when the container did not start.
pub(crate) const RUN_FAILED: u8 = 125;
/// The exit code of `run` when the program is there and cannot be executed.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// The exit code of `run` when the program is not there.
pub(crate) const NOT_FOUND: u8 = 127;

/// How many errors beside the first are shown with their excerpts, and how many are told at all.
const MOST_EXCERPTS: usize = 9;
const MOST_ERRORS: usize = 99;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for something that cannot be.
    Usage(String),
    /// What a build needs is not there.
    Preparation(String),
    /// A build failed.
    Build(Box<BuildError>),
    /// Some other command failed.
    Command(Box<dyn Error + Send + Sync>),
    /// A container could not be run; the exit code says how far it came.
    Run(String, u8),
    /// Something could not be done with a failed step that is kept; the exit code is that of `run` where a process
    /// was to be shown.
    Kept(Box<KeptError>, u8),
    /// A signal ended it.
    Interrupted(u8),
}

impl Failure {
    /// A failure with its causes.
    pub(crate) fn from_error(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Command(Box::new(error))
    }

    /// A command about a failed step that shows no process.
    pub(crate) fn kept(error: KeptError) -> Self {
        Self::Kept(Box::new(error), FAILED)
    }

    /// A failed attempt with its cause.
    pub(crate) fn because(attempt: &str, error: impl Error) -> Self {
        Self::Command(format!("{attempt}: {}", chain(&error)).into())
    }

    /// The same, of a command that has the exit code of another program: what comes before that has docker's.
    pub(crate) fn of_process(self) -> Self {
        match self {
            Self::Usage(_) | Self::Command(_) => Self::Run(self.to_string(), RUN_FAILED),
            other => other,
        }
    }

    /// The exit code that tells it.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Preparation(_) | Self::Build(_) | Self::Command(_) => FAILED,
            Self::Run(_, code) | Self::Kept(_, code) => *code,
            Self::Interrupted(signal) => interrupt::exit_code(*signal),
        }
    }
}

/// A process that was to be shown in a failed step.
impl From<KeptError> for Failure {
    fn from(error: KeptError) -> Self {
        let code = kept::code(&error);
        Self::Kept(Box::new(error), code)
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::Build(Box::new(error))
    }
}

/// The text of the last line, which begins with `ERROR: ` on the terminal.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Run(message, _) => f.write_str(message),
            Self::Preparation(message) => write!(f, "failed to build: {message}"),
            Self::Build(error) => match &**error {
                BuildError::Dockerfile { dockerfile, findings, .. } => {
                    let excerpts = Excerpts::new(dockerfile);
                    let at = findings.first().map(|finding| place(finding, &excerpts));
                    write!(f, "failed to build: failed to solve: {}{error}", at.unwrap_or_default())
                }
                BuildError::Request(_)
                | BuildError::Limits(_)
                | BuildError::PushWithoutTag
                | BuildError::ContextMissing { .. } => {
                    write!(f, "failed to build: {}", chain(error))
                }
                error => write!(f, "failed to build: failed to solve: {}", chain(error)),
            },
            Self::Command(error) => f.write_str(&chain(&**error)),
            Self::Kept(error, _) => f.write_str(&chain(&**error)),
            Self::Interrupted(_) => f.write_str("canceled"),
        }
    }
}

/// Prints a failure and returns its exit code.
pub(crate) fn print(failure: &Failure) -> ExitCode {
    let _ = io::stderr().lock().write_all(text(failure).as_bytes());
    ExitCode::from(failure.exit_code())
}

/// Prints what the rules for Dockerfiles have to say about a build that succeeded.
pub(crate) fn print_warnings(outcome: &Outcome) {
    let text = remarks(&outcome.warnings, &outcome.notes, &Excerpts::new(&outcome.dockerfile));
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Everything that is shown of a failure.
fn text(failure: &Failure) -> String {
    let mut text = String::new();
    if let Failure::Build(error) = failure {
        text = match &**error {
            BuildError::Dockerfile { dockerfile, findings, warnings } => {
                dockerfile_text(dockerfile, findings, warnings)
            }
            BuildError::Pin { location: Some(at), warnings: lints, .. } => {
                remarks(lints, &[], &Excerpts::new(&at.dockerfile)) + &excerpt(at, None)
            }
            BuildError::Step(step) => step_text(step),
            _ => String::new(),
        };
    }
    for hint in hints(failure) {
        let _ = writeln!(text, "hint: {hint}");
    }
    if let Failure::Build(error) = failure
        && let BuildError::Step(step) = &**error
    {
        text.push_str(&kept::remains(&step.remains));
    }
    let _ = writeln!(text, "ERROR: {failure}");
    text
}

/// All errors, each with its excerpt and hint. The first one comes last: nearest to the line with
/// `ERROR: `, which is about it, and the only one below a line `file:line`, which scripts look for.
fn dockerfile_text(dockerfile: &DockerfileText, findings: &[Finding], lints: &[Finding]) -> String {
    let excerpts = Excerpts::new(dockerfile);
    let mut text = remarks(lints, &[], &excerpts);
    let Some((first, others)) = findings.split_first() else { return text };
    if !others.is_empty() {
        let _ = writeln!(text, "{} in the same file:\n", counted(others.len(), "more error"));
    }
    for (number, finding) in others.iter().take(MOST_ERRORS).enumerate() {
        let _ = writeln!(text, "{}{}", place(finding, &excerpts), finding.message);
        if number < MOST_EXCERPTS {
            text.push_str(&Shown::of(finding).map(|shown| excerpts.lines(shown, 1)).unwrap_or_default());
            push_hint(&mut text, finding);
            text.push('\n');
        }
    }
    if let Some(left) = others.len().checked_sub(MOST_ERRORS).filter(|left| *left > 0) {
        let _ = writeln!(text, "and {}", counted(left, "more error"));
    }
    if let Some(shown) = Shown::of(first) {
        text.push_str(&excerpts.excerpt(shown));
    }
    push_hint(&mut text, first);
    text
}

/// `file:line:column: ` of a finding; nothing for what is about the options.
fn place(finding: &Finding, excerpts: &Excerpts<'_>) -> String {
    let span = finding.focus.or(finding.span);
    span.map(|span| excerpts.position(span) + ": ").unwrap_or_default()
}

fn push_hint(text: &mut String, finding: &Finding) {
    if let Some(help) = &finding.help {
        let _ = writeln!(text, "hint: {help}");
    }
}

fn step_text(step: &StepError) -> String {
    let mut text = String::new();
    if let Some(Location { dockerfile, .. }) = &step.location {
        text = remarks(&step.warnings, &step.notes, &Excerpts::new(dockerfile));
    }
    if !step.log_tail.is_empty() {
        let label = step.label.replace(['\n', '\r'], " ");
        let _ = write!(text, "------\n > {label}:\n{}\n------\n", step.log_tail.join("\n"));
    }
    if let Some(location) = &step.location {
        text.push_str(&excerpt(location, None));
    }
    text
}

/// The warnings as a list, each with its line, and the notes in another form, so that nobody takes them
/// for warnings.
fn remarks(warnings: &[Finding], notes: &[Finding], excerpts: &Excerpts<'_>) -> String {
    let mut text = String::new();
    if !warnings.is_empty() {
        let _ = writeln!(text, "\n {} found:", counted(warnings.len(), "warning"));
    }
    for finding in warnings {
        let rule = finding.rule.map(|rule| format!("{}: ", rule.name())).unwrap_or_default();
        let line = finding.span.map(|span| format!(" (line {})", excerpts.line(span)));
        let _ = writeln!(text, " - {rule}{}{}", finding.message, line.unwrap_or_default());
        // What a rule advises is told by `--check`, and nobody else tells what is not of a rule.
        if finding.rule.is_none() {
            push_hint(&mut text, finding);
        }
    }
    if !notes.is_empty() {
        let _ = writeln!(text, "\n {} (builder build --check explains):", counted(notes.len(), "note"));
    }
    for finding in notes {
        let place = finding.span.map(|span| format!("{}:{}: ", excerpts.file(), excerpts.line(span)));
        let rule = finding.rule.map(|rule| format!(" [{}]", rule.name())).unwrap_or_default();
        let _ = writeln!(text, " - {}{}{rule}", place.unwrap_or_default(), finding.message);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// What is wrong with the Dockerfile, for other forms than text.
pub(crate) fn findings(error: &BuildError) -> Vec<Finding> {
    match error {
        BuildError::Dockerfile { findings, .. } => findings.clone(),
        error => {
            let span = match error {
                BuildError::Pin { location, .. } => location.as_ref().map(|location| location.span),
                _ => None,
            };
            let help = hints_of_build(error).into_iter().next();
            vec![Finding { rule: None, message: chain(error), span, focus: None, labels: Vec::new(), help }]
        }
    }
}

/// Where the machine is in the way.
const ASK_THE_DOCTOR: &str = "builder doctor shows what works on this machine, and what would help";

/// What the user can do about it.
fn hints(failure: &Failure) -> Vec<String> {
    match failure {
        Failure::Build(error) => hints_of_build(error),
        Failure::Command(error) if error.is::<SandboxError>() => vec![ASK_THE_DOCTOR.to_owned()],
        Failure::Kept(error, _) => kept::hints(error),
        Failure::Command(error) if matches!(error.downcast_ref(), Some(OpenError::OtherOwners(_))) => {
            vec![
                "it was made as another user, or before this user had its subordinate ids or after it lost them: \
                 choose another directory with --root, or remove this one"
                    .to_owned(),
            ]
        }
        _ => Vec::new(),
    }
}

fn hints_of_build(error: &BuildError) -> Vec<String> {
    match error {
        BuildError::Pin { similar: Some(similar), .. } => vec![format!("did you mean {similar}?")],
        BuildError::Step(step) => step_hints(step),
        BuildError::Limits(error) => vec![advice::on_limit(&error.obstacle).to_owned()],
        BuildError::ReadDockerfile { display, .. } if display == "Dockerfile" => {
            vec!["the context has no Dockerfile; -f names one that lies elsewhere".to_owned()]
        }
        BuildError::SeveralPlatforms(_) => {
            vec!["--output type=oci,dest=FILE or --push take an image for several platforms".to_owned()]
        }
        _ => Vec::new(),
    }
}

fn step_hints(step: &StepError) -> Vec<String> {
    let hint = match &step.cause {
        Some(StepCause::MissingSource(missing)) => return missing_hints(missing),
        Some(StepCause::Foreign(platform)) => &*format!(
            "programs for {platform} can be emulated: apt-get install qemu-user-static, or register another \
             emulator for {} with binfmt_misc",
            platform.architecture
        ),
        Some(StepCause::ForbiddenDevices(names)) => return vec![advice::on_devices(names)],
        Some(StepCause::NoSandbox) => ASK_THE_DOCTOR,
        Some(StepCause::Exited(ending)) => return advice::on_ending(ending),
        Some(StepCause::Fault(fault)) => return vec![advice::on_fault(fault)],
        None => return Vec::new(),
    };
    vec![hint.to_owned()]
}

fn missing_hints(missing: &MissingSource) -> Vec<String> {
    let MissingSource { pattern, directory, excluded_by, similar } = missing;
    let mut hints = Vec::new();
    if let Some(rule) = excluded_by {
        let file = rule
            .file
            .file_name()
            .map_or_else(|| rule.file.display().to_string(), |name| name.display().to_string());
        hints.push(format!(
            "{pattern:?} exists, and line {} of {file} excludes it: {}",
            rule.line, rule.pattern
        ));
    } else if let Some(directory) = directory {
        hints.push(format!("it was looked for in {}", directory.display()));
    }
    if let Some(similar) = similar {
        hints.push(format!("did you mean {similar:?}?"));
    }
    hints
}

/// An error and its causes in one line. Some errors have the text of their cause in their own:
/// it is not repeated.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::error::{IgnoreRule, Remains};
    use engine::outcome::Rule;
    use parser::Span;

    use super::*;

    const DOCKERFILE: &str = "FROM debian AS build\nWORKDIR /src\nRUN make\nCPOY a b\nCOPY --bog=1 a b\n";

    fn dockerfile() -> Arc<DockerfileText> {
        Arc::new(DockerfileText { display: "Dockerfile".into(), text: DOCKERFILE.into() })
    }

    fn span(part: &str) -> Span {
        let start = DOCKERFILE.find(part).expect("the file has this part");
        Span::new(start, start + part.len())
    }

    fn finding(rule: Option<Rule>, message: &str, instruction: &str, focus: &str) -> Finding {
        let (span, focus) = (Some(span(instruction)), Some(span(focus)));
        Finding { rule, message: message.into(), span, focus, labels: Vec::new(), help: None }
    }

    fn step() -> StepError {
        StepError {
            label: "[build 3/5] RUN make".into(),
            location: Some(Location { dockerfile: dockerfile(), span: span("RUN make") }),
            log_tail: vec!["cc -c main.c".into(), "make: *** [main.o] Error 1".into()],
            warnings: Vec::new(),
            notes: Vec::new(),
            cause: None,
            remains: Remains::default(),
            source: Arc::new(io::Error::other(
                "process \"/bin/sh -c make\" did not complete successfully: exit code: 2",
            )),
        }
    }

    #[test]
    fn an_instruction_that_does_not_exist() {
        let misspelt = finding(None, "unknown instruction: CPOY", "CPOY a b", "CPOY");
        let findings = vec![
            Finding { help: Some("did you mean COPY?".into()), ..misspelt },
            finding(None, "unknown flag: --bog", "COPY --bog=1 a b", "--bog=1"),
        ];
        let warnings =
            vec![finding(Some(Rule::FromAsCasing), "'as' and 'FROM' differ", "FROM debian AS build", "AS")];
        let error = BuildError::Dockerfile { dockerfile: dockerfile(), findings, warnings };
        insta::assert_snapshot!(text(&error.into()), @r"
         1 warning found:
         - FromAsCasing: 'as' and 'FROM' differ (line 1)

        1 more error in the same file:

        Dockerfile:5:6: unknown flag: --bog
        --------------------
           4 |     CPOY a b
           5 | >>> COPY --bog=1 a b
             |          ^^^^^^^
        --------------------

        Dockerfile:4
        --------------------
           1 |     FROM debian AS build
           2 |     WORKDIR /src
           3 |     RUN make
           4 | >>> CPOY a b
             |     ^^^^
           5 |     COPY --bog=1 a b
        --------------------
        hint: did you mean COPY?
        ERROR: failed to build: failed to solve: Dockerfile:4:1: unknown instruction: CPOY
        ");
    }

    #[test]
    fn very_many_errors_are_counted() {
        let error = |number| finding(None, &format!("error {number}"), "CPOY a b", "CPOY");
        let findings = (0..120).map(error).collect();
        let error = BuildError::Dockerfile { dockerfile: dockerfile(), findings, warnings: Vec::new() };
        let text = text(&error.into());
        assert_eq!(text.matches(">>>").count(), 10, "{text}");
        assert!(text.contains("4:1: error 99\nand 20 more errors\nDockerfile:4\n"), "{text}");
    }

    #[test]
    fn a_base_that_cannot_be_resolved() {
        let error = BuildError::Pin {
            name: "docker.io/library/biuld:latest".into(),
            location: Some(Location { dockerfile: dockerfile(), span: span("CPOY a b") }),
            warnings: Vec::new(),
            similar: Some("build".into()),
            source: Arc::new(io::Error::other("docker.io/library/biuld:latest: not found")),
        };
        let text = text(&error.into());
        let end = "hint: did you mean build?\n\
                   ERROR: failed to build: failed to solve: docker.io/library/biuld:latest: not found\n";
        assert!(text.starts_with("Dockerfile:4\n") && text.ends_with(end), "{text}");
    }

    #[test]
    fn a_process_that_fails() {
        insta::assert_snapshot!(text(&BuildError::Step(Box::new(step())).into()), @r#"
        ------
         > [build 3/5] RUN make:
        cc -c main.c
        make: *** [main.o] Error 1
        ------
        Dockerfile:3
        --------------------
           1 |     FROM debian AS build
           2 |     WORKDIR /src
           3 | >>> RUN make
           4 |     CPOY a b
           5 |     COPY --bog=1 a b
        --------------------
        ERROR: failed to build: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
        "#);
    }

    #[test]
    fn remarks_come_before_the_place_of_the_error() {
        let warnings = vec![finding(Some(Rule::FromAsCasing), "casing", "FROM debian AS build", "AS")];
        let notes = vec![finding(Some(Rule::CrlfScript), "CR LF", "RUN make", "RUN make")];
        let step = StepError { warnings, notes, log_tail: Vec::new(), ..step() };
        let text = text(&BuildError::Step(Box::new(step)).into());
        let remarks = text.split("--------------------").next().unwrap_or_default();
        insta::assert_snapshot!(remarks, @r"
         1 warning found:
         - FromAsCasing: casing (line 1)

         1 note (builder build --check explains):
         - Dockerfile:3: CR LF [CrlfScript]

        Dockerfile:3
        ");
    }

    #[test]
    fn a_base_that_is_misspelled() {
        let error = BuildError::Pin {
            name: "debain".into(),
            location: Some(Location { dockerfile: dockerfile(), span: span("FROM debian AS build") }),
            similar: Some("debian".into()),
            warnings: vec![finding(Some(Rule::FromAsCasing), "casing", "FROM debian AS build", "AS")],
            source: Arc::new(io::Error::other("debain: not found")),
        };
        insta::assert_snapshot!(text(&error.into()), @r"
         1 warning found:
         - FromAsCasing: casing (line 1)

        Dockerfile:1
        --------------------
           1 | >>> FROM debian AS build
           2 |     WORKDIR /src
           3 |     RUN make
           4 |     CPOY a b
        --------------------
        hint: did you mean debian?
        ERROR: failed to build: failed to solve: debain: not found
        ");
    }

    #[test]
    fn a_source_that_is_not_there() {
        let excluded_by = IgnoreRule { file: "/src/.dockerignore".into(), line: 3, pattern: "*.txt".into() };
        let missing = MissingSource {
            pattern: "a.txt".into(),
            directory: Some("/src".into()),
            excluded_by: Some(excluded_by),
            similar: Some("b.txt".into()),
        };
        let source = Arc::new(io::Error::other("failed to compute cache key: \"/a.txt\": not found"));
        let step = StepError {
            log_tail: Vec::new(),
            cause: Some(StepCause::MissingSource(missing)),
            source,
            ..step()
        };
        insta::assert_snapshot!(text(&BuildError::Step(Box::new(step)).into()), @r#"
        Dockerfile:3
        --------------------
           1 |     FROM debian AS build
           2 |     WORKDIR /src
           3 | >>> RUN make
           4 |     CPOY a b
           5 |     COPY --bog=1 a b
        --------------------
        hint: "a.txt" exists, and line 3 of .dockerignore excludes it: *.txt
        hint: did you mean "b.txt"?
        ERROR: failed to build: failed to solve: failed to compute cache key: "/a.txt": not found
        "#);
    }

    #[test]
    fn where_the_machine_is_in_the_way_there_is_a_doctor() {
        let source = io::Error::from_raw_os_error(1);
        let failure = Failure::from_error(SandboxError::UserNamespace { blockers: Vec::new(), source });
        insta::assert_snapshot!(text(&failure), @r"
        hint: builder doctor shows what works on this machine, and what would help
        ERROR: cannot enter a user namespace: Operation not permitted (os error 1)
        ");
        let step = StepError { cause: Some(StepCause::NoSandbox), log_tail: Vec::new(), ..step() };
        assert!(text(&BuildError::Step(Box::new(step)).into()).contains("hint: builder doctor shows"));
    }

    #[test]
    fn causes_are_said_once() {
        let source = Arc::new(io::Error::from_raw_os_error(2));
        let failure = Failure::from(BuildError::ReadDockerfile { display: "x/Dockerfile".into(), source });
        insta::assert_snapshot!(text(&failure), @"ERROR: failed to build: failed to solve: failed to read dockerfile: open x/Dockerfile: No such file or directory (os error 2)");
    }

    #[test]
    fn every_failure_has_its_exit_code() {
        let code = |failure: Failure| failure.exit_code();
        assert_eq!(code(Failure::Usage("x".into())), 2);
        assert_eq!(code(Failure::Preparation("x".into())), 1);
        assert_eq!(code(BuildError::PushWithoutTag.into()), 1);
        assert_eq!(code(Failure::Run("x".into(), NOT_FOUND)), 127);
        assert_eq!(code(Failure::Interrupted(2)), 130);
    }
}
