//! The syntax tree: a Dockerfile is directives, global ARGs and stages of instructions.

use crate::Span;
use crate::diagnostic::Diagnostic;
pub use crate::instruction::{
    Add, Arg, ArgDefinition, ArgumentForm, Cmd, CommandLine, Copy, CopySource, Device, Entrypoint, Env,
    Expose, From, Healthcheck, InlineFile, KeyValue, KeyValueForm, Label, Literal, Maintainer, Mount,
    MountSpec, Network, Onbuild, Probe, Run, RunCommand, Security, Shell, StageName, StopSignal, User,
    Volume, Workdir,
};

/// What [`parse`](crate::parse) makes of a text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What could be understood.
    pub dockerfile: Dockerfile,
    /// All that was found wrong, in the order of the text. With an error among them the tree must not
    /// be built: it lacks the parts that the errors are about.
    pub diagnostics: Vec<Diagnostic>,
}

/// A Dockerfile.
#[derive(Clone, Debug, Default)]
pub struct Dockerfile {
    /// `# syntax=`, `# escape=` and `# check=`.
    pub directives: Directives,
    /// The ARG instructions before the first FROM: visible in FROM lines only.
    pub global_args: Vec<Spanned<Arg>>,
    /// The stages in the order of the text.
    pub stages: Vec<Stage>,
}

/// The parser directives at the top of a file.
#[derive(Clone, Debug, Default)]
pub struct Directives {
    /// `# syntax=`: the frontend image that the author wants.
    pub syntax: Option<Directive>,
    /// `# escape=`, where it is valid.
    pub escape: Option<Directive>,
    /// `# check=`: which lint rules apply.
    pub check: Option<Directive>,
}

impl Directives {
    /// The escape character of the file: a backslash unless the directive chose the backtick.
    pub fn escape_character(&self) -> char {
        match &self.escape {
            Some(directive) if directive.value == "`" => '`',
            _ => '\\',
        }
    }
}

/// One parser directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// What stands after `=`, blanks at both ends removed.
    pub value: String,
    /// The whole comment line.
    pub span: Span,
}

/// FROM and the instructions up to the next one.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The FROM instruction, which also holds the stage's name.
    pub from: Spanned<From>,
    /// The instructions in order.
    pub instructions: Vec<Spanned<Instruction>>,
}

impl Stage {
    /// The name after AS, in lower case.
    pub fn name(&self) -> Option<&str> {
        self.from.node.name.as_ref().map(|name| name.name.as_str())
    }
}

/// A node with where and how it was written.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The node.
    pub node: T,
    /// From the keyword to the end of the last line that belongs to it, here-documents included.
    pub span: Span,
    /// The keyword as it was written (for rules on casing) with its place.
    pub keyword: Literal,
    /// The logical line: continuations joined, comments inside them left out, blanks at both ends
    /// removed, without the bodies of here-documents.
    pub text: String,
    /// The comments above it, since the instruction before and since the last empty comment; blank lines
    /// between do not part them.
    pub comments: Vec<Comment>,
    /// The empty lines inside its continuations.
    pub empty_continuations: Vec<Span>,
}

impl<T> Spanned<T> {
    /// The description of `name` in the comments above: what follows `# name `.
    pub fn description(&self, name: &str) -> Option<&str> {
        self.comments.iter().find_map(|comment| comment.text.strip_prefix(name)?.strip_prefix(' '))
    }
}

/// A comment line above an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// What follows `#`, blanks at both ends removed.
    pub text: String,
    /// The line without its line end.
    pub span: Span,
}

/// One instruction of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// ADD
    Add(Add),
    /// ARG
    Arg(Arg),
    /// CMD
    Cmd(Cmd),
    /// COPY
    Copy(Copy),
    /// ENTRYPOINT
    Entrypoint(Entrypoint),
    /// ENV
    Env(Env),
    /// EXPOSE
    Expose(Expose),
    /// HEALTHCHECK
    Healthcheck(Healthcheck),
    /// LABEL
    Label(Label),
    /// MAINTAINER
    Maintainer(Maintainer),
    /// ONBUILD
    Onbuild(Onbuild),
    /// RUN
    Run(Run),
    /// SHELL
    Shell(Shell),
    /// STOPSIGNAL
    StopSignal(StopSignal),
    /// USER
    User(User),
    /// VOLUME
    Volume(Volume),
    /// WORKDIR
    Workdir(Workdir),
}

impl Instruction {
    /// The keyword in upper case.
    pub fn name(&self) -> &'static str {
        match self {
            Instruction::Add(_) => "ADD",
            Instruction::Arg(_) => "ARG",
            Instruction::Cmd(_) => "CMD",
            Instruction::Copy(_) => "COPY",
            Instruction::Entrypoint(_) => "ENTRYPOINT",
            Instruction::Env(_) => "ENV",
            Instruction::Expose(_) => "EXPOSE",
            Instruction::Healthcheck(_) => "HEALTHCHECK",
            Instruction::Label(_) => "LABEL",
            Instruction::Maintainer(_) => "MAINTAINER",
            Instruction::Onbuild(_) => "ONBUILD",
            Instruction::Run(_) => "RUN",
            Instruction::Shell(_) => "SHELL",
            Instruction::StopSignal(_) => "STOPSIGNAL",
            Instruction::User(_) => "USER",
            Instruction::Volume(_) => "VOLUME",
            Instruction::Workdir(_) => "WORKDIR",
        }
    }
}
