//! From text to tree.

use crate::Span;
use crate::ast::{Dockerfile, Instruction, Parsed, Spanned, Stage};
use crate::diagnostic::{Code, Diagnostic};
use crate::instruction::{self, Statement};
use crate::lines::Lines;

/// Parses a Dockerfile. Takes time linear in the length of the text, and finds all that is wrong with it.
pub fn parse(text: &str) -> Parsed {
    let mut lines = Lines::of_file(text);
    let mut builder = Builder::default();
    while let Some(line) = lines.next_line() {
        let place = line.whole().trim().span();
        let statement = instruction::read(line, &mut lines);
        builder.add(statement, place, &mut lines.diagnostics);
    }
    let Lines { directives, mut diagnostics, .. } = lines;
    builder.finish(text, &mut diagnostics);
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    let Builder { global_args, stages, .. } = builder;
    Parsed { dockerfile: Dockerfile { directives, global_args, stages }, diagnostics }
}

/// Parses one instruction with its here-documents, as the ONBUILD triggers of an image hold it. Spans are
/// ranges of `text`. `None`, with an error among the diagnostics, where it is not an instruction that can
/// stand in a stage.
pub fn parse_instruction(text: &str, escape: char) -> (Option<Spanned<Instruction>>, Vec<Diagnostic>) {
    let mut lines = Lines::of_fragment(text, escape);
    let everything = Span::new(0, text.len());
    let Some(line) = lines.next_line() else {
        return (None, vec![Diagnostic::error(Code::EmptyFile, everything, "there is no instruction")]);
    };
    let statement = instruction::read(line, &mut lines);
    let mut diagnostics = std::mem::take(&mut lines.diagnostics);
    if lines.next_line().is_some() {
        let message = "there is more than one instruction";
        diagnostics.push(Diagnostic::error(Code::InvalidTrigger, everything, message));
    }
    let instruction = match statement {
        Statement::Instruction(instruction) => Some(instruction),
        Statement::From(from) => {
            let message = "FROM isn't allowed as an ONBUILD trigger";
            diagnostics.push(Diagnostic::error(Code::InvalidTrigger, from.span, message));
            None
        }
        Statement::Unknown { .. } => None,
    };
    (instruction, diagnostics)
}

/// Puts instructions into stages.
#[derive(Default)]
struct Builder {
    global_args: Vec<Spanned<instruction::Arg>>,
    stages: Vec<Stage>,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nothing was read yet.
    #[default]
    Empty,
    /// Before the first FROM.
    Global,
    /// Before the first FROM, and an instruction that does not belong there was reported.
    Misplaced,
    /// In a stage.
    Stage,
    /// Behind a FROM that is wrong.
    BrokenStage,
}

impl Builder {
    fn add(&mut self, statement: Statement, place: Span, diagnostics: &mut Vec<Diagnostic>) {
        if self.state == State::Empty {
            self.state = State::Global;
        }
        match statement {
            Statement::From(from) => {
                self.stages.push(Stage { from, instructions: Vec::new() });
                self.state = State::Stage;
            }
            Statement::Unknown { begins_stage: true } => self.state = State::BrokenStage,
            Statement::Unknown { begins_stage: false } => {}
            Statement::Instruction(instruction) => self.add_instruction(instruction, place, diagnostics),
        }
    }

    fn add_instruction(
        &mut self,
        instruction: Spanned<Instruction>,
        place: Span,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        match self.state {
            State::Stage => {
                if let Some(stage) = self.stages.last_mut() {
                    stage.instructions.push(instruction);
                }
            }
            State::Empty | State::Global | State::Misplaced => {
                self.add_before_first_stage(instruction, place, diagnostics);
            }
            State::BrokenStage => {}
        }
    }

    fn add_before_first_stage(
        &mut self,
        instruction: Spanned<Instruction>,
        place: Span,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let Spanned { node, span, keyword, text, comments, empty_continuations } = instruction;
        match node {
            Instruction::Arg(node) => {
                let arg = Spanned { node, span, keyword, text, comments, empty_continuations };
                self.global_args.push(arg);
            }
            other if self.state != State::Misplaced => {
                let message = "no build stage in current context";
                let help = format!("{} belongs behind a FROM; only ARG can stand before it", other.name());
                let error = Diagnostic::error(Code::BeforeFirstStage, place, message);
                diagnostics.push(error.with_help(help));
                self.state = State::Misplaced;
            }
            _ => {}
        }
    }

    /// Reports a file without instructions or stages.
    fn finish(&self, text: &str, diagnostics: &mut Vec<Diagnostic>) {
        let end = Span::new(text.len(), text.len());
        let help = "a Dockerfile starts with FROM and the name of an image, or FROM scratch";
        let (code, message) = match self.state {
            State::Empty if text.is_empty() => (Code::EmptyFile, "the Dockerfile cannot be empty"),
            State::Empty => (Code::EmptyFile, "file with no instructions"),
            State::Global if diagnostics.iter().all(|diagnostic| !diagnostic.is_error()) => {
                (Code::NoStage, "dockerfile contains no stages to build")
            }
            _ => return,
        };
        diagnostics.push(Diagnostic::error(code, end, message).with_help(help));
    }
}
