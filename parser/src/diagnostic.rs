//! What the parser has to say about a text: what is wrong, where, and what may have been meant.

use crate::Span;

/// One finding. The message states facts; [`help`](Diagnostic::help) says what to do about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of finding it is; stable, for tests and machine-readable output.
    pub code: Code,
    /// Whether a build can go on.
    pub severity: Severity,
    /// One line; holds the key phrases of BuildKit's message, where BuildKit has one.
    pub message: String,
    /// The part of the text that it is about.
    pub span: Span,
    /// Further places with a note each.
    pub labels: Vec<(Span, String)>,
    /// What the author can do about it.
    pub help: Option<String>,
}

/// Whether a build can go on after a [`Diagnostic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The text means something, but hardly what its author wanted.
    Warning,
    /// The text has no meaning; nothing can be built from it.
    Error,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The kinds of findings. [`as_str`](Code::as_str) is stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The file has no instruction at all.
    EmptyFile = "empty-file",
    /// There are instructions, but no FROM.
    NoStage = "no-stage",
    /// Another instruction than ARG stands before the first FROM.
    BeforeFirstStage = "before-first-stage",
    /// A line of more than 65535 bytes.
    LineTooLong = "line-too-long",
    /// `# escape=` with something else than a backslash or a backtick.
    InvalidEscape = "invalid-escape",
    /// A directive is given twice.
    DuplicateDirective = "duplicate-directive",
    /// No instruction has this name.
    UnknownInstruction = "unknown-instruction",
    /// The instruction has no such flag.
    UnknownFlag = "unknown-flag",
    /// A flag is given twice.
    DuplicateFlag = "duplicate-flag",
    /// A flag needs a value and has none.
    MissingFlagValue = "missing-flag-value",
    /// The value of a flag is not one of those that it takes.
    InvalidFlagValue = "invalid-flag-value",
    /// The instruction takes no flags; those given have no effect.
    IgnoredFlag = "ignored-flag",
    /// Too few or too many arguments.
    ArgumentCount = "argument-count",
    /// An argument is not of the form that the instruction takes.
    InvalidArgument = "invalid-argument",
    /// A JSON array has elements that are not strings.
    JsonNotStrings = "json-not-strings",
    /// The instruction takes its arguments as a JSON array only.
    JsonRequired = "json-required",
    /// An ENV or LABEL argument is not `key=value`.
    InvalidKeyValue = "invalid-key-value",
    /// The name of a variable or label is empty.
    BlankName = "blank-name",
    /// `FROM … AS name` with a name that no stage can have.
    InvalidStageName = "invalid-stage-name",
    /// A here-document lacks its last line.
    UnterminatedHeredoc = "unterminated-heredoc",
    /// A here-document stands where none can be.
    MisplacedHeredoc = "misplaced-heredoc",
    /// ONBUILD of an instruction that cannot be a trigger.
    InvalidTrigger = "invalid-trigger",
    /// A `--mount` that means nothing.
    InvalidMount = "invalid-mount",
}

impl Diagnostic {
    /// An error.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        let severity = Severity::Error;
        Diagnostic { code, severity, message: message.into(), span, labels: Vec::new(), help: None }
    }

    /// A warning.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with one more place.
    #[must_use]
    pub fn with_label(mut self, span: Span, note: impl Into<String>) -> Self {
        self.labels.push((span, note.into()));
        self
    }

    /// Whether it keeps the file from being built.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
