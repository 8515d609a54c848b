//! The instructions: one file each, with the struct that it becomes and its parser.
//!
//! [`read`] splits a logical line into keyword, flags and arguments (a [`Request`]) and hands it to the
//! file of the keyword. A new instruction is a file, a variant of [`Instruction`] and a line in
//! [`Keyword`].

mod add;
mod arg;
mod cmd;
mod copy;
mod entrypoint;
mod env;
mod expose;
mod flags;
mod from;
mod healthcheck;
mod label;
mod maintainer;
mod mount;
mod onbuild;
mod request;
mod run;
mod shell;
mod stopsignal;
mod user;
mod volume;
mod workdir;

pub use add::Add;
pub use arg::{Arg, ArgDefinition};
pub use cmd::Cmd;
pub use copy::{Copy, CopySource, InlineFile};
pub use entrypoint::Entrypoint;
pub use env::{Env, KeyValue, KeyValueForm};
pub use expose::Expose;
pub use from::{From, StageName};
pub use healthcheck::{Healthcheck, Probe};
pub use label::Label;
pub use maintainer::Maintainer;
pub use mount::{
    BindMount, CacheMount, FileAttributes, Mount, MountError, MountFault, MountOption, MountSpec,
    ResolvedMount, SecretMount, Sharing, SshMount, TmpfsMount,
};
pub use onbuild::Onbuild;
pub use run::{Device, Network, Run, RunCommand, Security};
pub use shell::Shell;
pub use stopsignal::StopSignal;
pub use user::User;
pub use volume::Volume;
pub use workdir::Workdir;

use request::Request;

use crate::Span;
use crate::ast::{Instruction, Spanned};
use crate::diagnostic::{Code, Diagnostic};
use crate::grammar::{self, Json};
use crate::lines::{Lines, LogicalLine};
use crate::suggest::did_you_mean;

/// Text in which no variable is replaced, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The text, quotes and escapes resolved.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A command of RUN, CMD, ENTRYPOINT or HEALTHCHECK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// A script for the shell of the stage, here-documents put back into it.
    Shell(String),
    /// A JSON array: program and arguments, run without a shell.
    Exec(Vec<String>),
}

/// How a list of arguments was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentForm {
    /// Words parted by blanks.
    Words,
    /// A JSON array of strings.
    Json,
}

/// What a logical line turned out to be.
#[derive(Debug)]
pub(crate) enum Statement {
    From(Spanned<From>),
    Instruction(Spanned<Instruction>),
    /// Nothing that is understood; whether it wanted to begin a stage.
    Unknown {
        begins_stage: bool,
    },
}

macro_rules! keywords {
    ($($name:ident = $text:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Keyword { $($name,)* }

        impl Keyword {
            const NAMES: &[&str] = &[$($text),*];

            fn find(word: &str) -> Option<Keyword> {
                $(if word.eq_ignore_ascii_case($text) { return Some(Keyword::$name); })*
                None
            }
        }
    };
}

keywords! {
    Run = "RUN", Copy = "COPY", Env = "ENV", Arg = "ARG", From = "FROM", Add = "ADD", Label = "LABEL",
    Workdir = "WORKDIR", User = "USER", Expose = "EXPOSE", Volume = "VOLUME", Cmd = "CMD",
    Entrypoint = "ENTRYPOINT", Healthcheck = "HEALTHCHECK", Shell = "SHELL", StopSignal = "STOPSIGNAL",
    Onbuild = "ONBUILD", Maintainer = "MAINTAINER",
}

/// Reads one logical line and the here-documents that follow it. What is found wrong is added to the
/// diagnostics of `lines`.
pub(crate) fn read(line: LogicalLine<'_>, lines: &mut Lines<'_>) -> Statement {
    let escape = lines.escape();
    let start = line.whole().trim().span();
    let mut request = Request::split(line.whole(), escape);
    if takes_heredocs(&request) {
        request.heredocs = lines.heredocs(&line);
    }
    let end = if request.heredocs.is_empty() { start.end } else { lines.end() };
    let keyword = request.keyword.literal();
    let node = interpret(&mut request);
    lines.diagnostics.append(&mut request.diagnostics);
    let text = line.whole().trim().text().to_owned();
    let LogicalLine { comments, empty_continuations, .. } = line;
    let span = Span::new(start.start, end.max(start.end));
    match node {
        Node::From(node) => {
            Statement::From(Spanned { node, span, keyword, text, comments, empty_continuations })
        }
        Node::Instruction(node) => {
            Statement::Instruction(Spanned { node, span, keyword, text, comments, empty_continuations })
        }
        Node::Unknown { begins_stage } => Statement::Unknown { begins_stage },
    }
}

enum Node {
    From(From),
    Instruction(Instruction),
    Unknown { begins_stage: bool },
}

/// Hands a request to the file of its keyword.
fn interpret(request: &mut Request<'_>) -> Node {
    let word = request.keyword.text();
    let Some(keyword) = Keyword::find(word) else {
        let mut unknown = Diagnostic::error(
            Code::UnknownInstruction,
            request.keyword.span(),
            format!("unknown instruction: {word}"),
        );
        unknown.help = did_you_mean(word, Keyword::NAMES.iter().copied()).or_else(|| stray_line(word));
        request.diagnostics.push(unknown);
        return Node::Unknown { begins_stage: false };
    };
    let instruction = match keyword {
        Keyword::From => match from::parse(request) {
            Some(from) => return Node::From(from),
            None => return Node::Unknown { begins_stage: true },
        },
        Keyword::Add => add::parse(request).map(Instruction::Add),
        Keyword::Arg => arg::parse(request).map(Instruction::Arg),
        Keyword::Cmd => cmd::parse(request).map(Instruction::Cmd),
        Keyword::Copy => copy::parse(request).map(Instruction::Copy),
        Keyword::Entrypoint => entrypoint::parse(request).map(Instruction::Entrypoint),
        Keyword::Env => env::parse(request).map(Instruction::Env),
        Keyword::Expose => expose::parse(request).map(Instruction::Expose),
        Keyword::Healthcheck => healthcheck::parse(request).map(Instruction::Healthcheck),
        Keyword::Label => label::parse(request).map(Instruction::Label),
        Keyword::Maintainer => maintainer::parse(request).map(Instruction::Maintainer),
        Keyword::Onbuild => onbuild::parse(request).map(Instruction::Onbuild),
        Keyword::Run => run::parse(request).map(Instruction::Run),
        Keyword::Shell => shell::parse(request).map(Instruction::Shell),
        Keyword::StopSignal => stopsignal::parse(request).map(Instruction::StopSignal),
        Keyword::User => user::parse(request).map(Instruction::User),
        Keyword::Volume => volume::parse(request).map(Instruction::Volume),
        Keyword::Workdir => workdir::parse(request).map(Instruction::Workdir),
    };
    instruction.map_or(Node::Unknown { begins_stage: false }, Node::Instruction)
}

/// A hint for a word that looks like the middle of a shell command.
fn stray_line(word: &str) -> Option<String> {
    let shell = ["&&", "||", "|", ";", "-", "fi", "done", "then", "else", "}"];
    shell
        .iter()
        .any(|start| {
            word == *start
                || (start.len() < 3 && !start.starts_with(char::is_alphabetic) && word.starts_with(start))
        })
        .then(|| {
            "if this line continues the one before, that one must end with the escape character".to_owned()
        })
}

/// Whether the lines after this one may be here-documents: ADD, COPY and RUN, also behind ONBUILD, unless
/// their arguments are a JSON array. A misspelled keyword counts as what it was meant to be, so that the
/// here-document is not taken for instructions.
fn takes_heredocs(request: &Request<'_>) -> bool {
    if !request.keyword.line_text().contains("<<") {
        return false;
    }
    let word = request.keyword.text();
    let meant = crate::suggest::nearest(word, Keyword::NAMES.iter().copied());
    match Keyword::find(meant.as_deref().unwrap_or(word)) {
        Some(Keyword::Onbuild) => {
            // A misspelled trigger is no error here, so it counts as what it is.
            let trigger = Request::split(request.arguments, request.escape);
            Keyword::find(trigger.keyword.text()).is_some_and(|keyword| keyword.takes_heredocs(&trigger))
        }
        Some(keyword) => keyword.takes_heredocs(request),
        None => false,
    }
}

impl Keyword {
    fn takes_heredocs(self, request: &Request<'_>) -> bool {
        matches!(self, Keyword::Add | Keyword::Copy | Keyword::Run)
            && !matches!(grammar::json_array(request.arguments.text()), Json::Strings(_))
    }
}
