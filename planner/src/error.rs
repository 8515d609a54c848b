//! Why there is no plan.

use std::fmt;

use graph::file::ModeError;
use image::digest::DigestError;
use image::platform::PlatformError;
use image::reference::ReferenceError;
use image::signal::InvalidSignal;
use parser::Span;
use parser::ast::{From, Instruction, Spanned};
use parser::ignore::PatternError;
use parser::instruction::MountError;
use parser::word::{ExpandError, ExpandFault};

use crate::focus;
pub use crate::lint::options::CheckOptionsError;
use crate::lint::{Remark, Rule};
pub use crate::lower::PortError;
use crate::options::Entitlement;
use crate::remote::GitReferenceError;

/// Why there is no plan: all that is wrong as far as it could be told, at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// What is wrong, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// The warnings of the lint rules until then.
    pub warnings: Vec<Remark>,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [] => f.write_str("no plan could be made"),
            [problem] => problem.fault.fmt(f),
            [problem, rest @ ..] => write!(f, "{} (and {} more)", problem.fault, rest.len()),
        }
    }
}

// The text of a fault tells its causes too, so there is no source to tell them again.
impl std::error::Error for PlanError {}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The instruction that it is about; none if it is about the options.
    pub span: Option<Span>,
    /// The part of the instruction, where it is known.
    pub focus: Option<Span>,
    /// What is wrong.
    pub fault: Fault,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn at(span: Span, fault: Fault) -> Self {
        let (focus, help) = (fault.focus(), fault.help());
        Self { span: Some(span), focus, fault, help }
    }

    /// A fault of a FROM.
    pub(crate) fn of_from(from: &Spanned<From>, fault: Fault) -> Self {
        let focus = focus::in_from(&from.node, &fault);
        Self::at(from.span, fault).with_focus(focus)
    }

    /// A fault of another instruction.
    pub(crate) fn of_instruction(instruction: &Spanned<Instruction>, fault: Fault) -> Self {
        let focus = focus::in_instruction(&instruction.node, &fault);
        Self::at(instruction.span, fault).with_focus(focus)
    }

    fn with_focus(self, focus: Option<Span>) -> Self {
        Self { focus: self.focus.or(focus), ..self }
    }

    pub(crate) fn of_options(fault: Fault) -> Self {
        let help = fault.help();
        Self { span: None, focus: None, fault, help }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What can be wrong.
///
/// Texts hold the key phrases of `BuildKit`'s, which people search for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// `# check=` or `BUILDKIT_DOCKERFILE_CHECK` cannot be read.
    #[error("failed to parse check options: {0}")]
    CheckOptions(#[from] CheckOptionsError),
    /// Lint rules were violated, and that was to be an error.
    #[error("lint violation found for rules: {}", names(.0))]
    Lint(Vec<Rule>),
    /// There is nothing to build.
    #[error("dockerfile contains no stages to build")]
    NoStages,
    /// No stage has the name of the target.
    #[error("target stage {name:?} could not be found{}", did_you_mean(.similar.as_deref()))]
    UnknownTarget {
        /// The target.
        name: String,
        /// A stage whose name is nearly that.
        similar: Option<String>,
    },
    /// A named context stands for a stage that is not there, or comes later.
    #[error("build context target:{name}: there is no stage of that name before it is used{}", did_you_mean(.similar.as_deref()))]
    UnknownContextTarget {
        /// The stage as the context names it.
        name: String,
        /// A stage whose name is nearly that.
        similar: Option<String>,
    },
    /// A word cannot be expanded.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// The base of a stage expands to nothing.
    #[error("base name ({written}) should not be blank")]
    BlankBase {
        /// The base as written.
        written: String,
    },
    /// A base, or the origin of a copy or mount, is neither a stage nor the name of an image.
    #[error("failed to parse stage name {name:?}: {source}")]
    BaseName {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// The platform of a stage expands to nothing.
    #[error("empty platform value from expression {written}")]
    EmptyPlatform {
        /// The platform as written.
        written: String,
    },
    /// The platform of a stage is none.
    #[error("failed to parse platform {written}: {source}")]
    Platform {
        /// The platform as written.
        written: String,
        /// What is wrong with it.
        source: PlatformError,
    },
    /// `--from=3` where there are fewer stages.
    #[error("invalid stage index {0}")]
    StageIndex(String),
    /// `--from=$NAME`.
    #[error(
        "variable expansion is not supported for --from, define a new stage with FROM using ARG from global \
         scope as a workaround"
    )]
    VariableInFrom,
    /// A copy from a stage that comes later.
    #[error("cannot copy from stage {from:?}, it needs to be defined before current stage {stage:?}")]
    CopyFromLaterStage {
        /// The origin as written.
        from: String,
        /// The stage with the copy.
        stage: String,
    },
    /// A mount from a stage that comes later.
    #[error(
        "cannot mount from stage {from:?} to {target:?}, stage needs to be defined before current command"
    )]
    MountFromLaterStage {
        /// The origin as written.
        from: String,
        /// Where it was to be mounted.
        target: String,
    },
    /// Stages that need each other.
    #[error("circular dependency detected on stage: {0}")]
    Circular(String),
    /// A trigger of the base image, or of the stage that is the base, cannot be read.
    #[error("{0}")]
    Trigger(String),
    /// A `--mount` that makes no sense with the values of its variables.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A mount in place of the root.
    #[error("invalid mount target {0:?}")]
    MountTarget(String),
    /// Something that the build has to allow.
    #[error("{0} is not allowed")]
    NotAllowed(Entitlement),
    /// `--exclude` with something that is no pattern.
    #[error(transparent)]
    Exclude(#[from] PatternError),
    /// RUN with an empty list of arguments.
    #[error("RUN requires a command")]
    NoCommand,
    /// `--chmod` with something that is no mode.
    #[error(transparent)]
    Mode(#[from] ModeError),
    /// `--checksum` with several sources.
    #[error("checksum can't be specified for multiple sources")]
    ChecksumOfSeveral,
    /// `--checksum` of a file of the context.
    #[error("checksum requires HTTP(S) or Git sources")]
    ChecksumOfLocal,
    /// `--checksum` with something that is no digest.
    #[error("invalid checksum: {0}")]
    Checksum(#[source] DigestError),
    /// `--checksum` and the query of the URL want different commits.
    #[error("checksum mismatch {0:?} != {1:?}")]
    ChecksumConflict(String, String),
    /// `--keep-git-dir` and the query of the URL contradict each other.
    #[error("inconsistent keep-git-dir configuration")]
    KeepGitDirectoryConflict,
    /// COPY of a URL.
    #[error("source can't be a URL for COPY")]
    CopyOfUrl,
    /// COPY of a git repository.
    #[error("source can't be a git ref for COPY")]
    CopyOfGit,
    /// The query of a git reference cannot be read.
    #[error(transparent)]
    GitReference(#[from] GitReferenceError),
    /// EXPOSE of something that is no port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// VOLUME with an empty path.
    #[error("VOLUME specified can not be an empty string")]
    EmptyVolume,
    /// STOPSIGNAL of something that is no signal.
    #[error(transparent)]
    Signal(#[from] InvalidSignal),
    /// `SOURCE_DATE_EPOCH` is neither a number nor something that has a time.
    #[error("invalid SOURCE_DATE_EPOCH: {0}")]
    SourceDateEpoch(String),
    /// `SOURCE_DATE_EPOCH` names a stage of which no time can be told.
    #[error("SOURCE_DATE_EPOCH stage {0}")]
    SourceDateEpochStage(&'static str),
}

impl Fault {
    fn focus(&self) -> Option<Span> {
        match self {
            Self::Expand(error) => Some(error.span),
            Self::Mount(error) => Some(error.span),
            _ => None,
        }
    }
}

impl Fault {
    fn help(&self) -> Option<String> {
        let fixed = match self {
            Self::Mount(error) => return error.help(),
            Self::Expand(error) => return expansion_help(&error.reason),
            Self::NotAllowed(entitlement) => return Some(format!("--allow {entitlement} permits it")),
            Self::BaseName { source: ReferenceError::UpperCase(_), name } => {
                return Some(format!("did you mean {}?", name.to_lowercase()));
            }
            Self::CopyFromLaterStage { .. } | Self::MountFromLaterStage { .. } => {
                "move that stage above this one"
            }
            Self::Circular(_) => "each stage can use files of the stages above it only",
            Self::StageIndex(_) => "stages count from 0; a name, given by FROM image AS name, is safer",
            Self::CopyOfUrl | Self::CopyOfGit => "ADD takes URLs and repositories",
            Self::ChecksumOfSeveral => "write an ADD with its own --checksum for each source",
            Self::Checksum(_) => "a checksum is sha256: and 64 hexadecimal digits",
            Self::MountTarget(_) => "a mount needs a target below the root directory",
            Self::Port(_) => "a port is a number or a range, and tcp, udp or sctp: 80, 53/udp, 8000-8010",
            Self::Signal(_) => "a signal is a name or a number, as in SIGTERM or 15",
            Self::Platform { .. } => {
                "a platform is an operating system and an architecture, as in linux/arm64"
            }
            Self::SourceDateEpoch(_) => "it is a time in seconds since 1970",
            _ => return None,
        };
        Some(fixed.to_owned())
    }
}

fn expansion_help(reason: &ExpandFault) -> Option<String> {
    Some(match reason {
        ExpandFault::Unterminated(_) => "a quote that stands for itself needs an escape character".to_owned(),
        ExpandFault::UnsupportedModifier(_) => {
            "behind the name there can be :- - :+ + :? ? # ## % %% / and //".to_owned()
        }
        ExpandFault::Required { name, .. } => format!("give it a value: --build-arg {name}=…, or ARG or ENV"),
        _ => return None,
    })
}

fn names(rules: &[Rule]) -> String {
    rules.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(", ")
}

fn did_you_mean(similar: Option<&str>) -> String {
    similar.map(|similar| format!(" (did you mean {similar}?)")).unwrap_or_default()
}
