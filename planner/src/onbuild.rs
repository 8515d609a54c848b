//! Triggers: the `ONBUILD` instructions of what a stage is based on.
//!
//! They are texts, kept in the config of an image or in another stage of the file, and run right
//! after FROM as if they stood there.

use std::borrow::Cow;

use parser::Diagnostic;
use parser::ast::{Instruction, Spanned};

use crate::error::{Fault, Problem};
use crate::external;
use crate::plan::Planner;
use crate::stages::{Base, Command, StageId, StageTable};

/// Triggers are not known as long as the base has no pin.
type Known<T> = Option<T>;

/// The triggers that a stage runs. The outer `None` says that one of them cannot be read.
pub(crate) fn triggers<'a>(
    planner: &mut Planner<'a>,
    table: &StageTable<'a>,
    id: StageId,
) -> Option<Known<Vec<Command<'a>>>> {
    let stage = table.stage(id);
    let texts: Vec<String> = match &stage.base {
        Base::Scratch | Base::Replaced(_) => Vec::new(),
        Base::Stage(base) => {
            let commands = table.stage(*base).commands.iter();
            commands
                .filter_map(|command| match &command.instruction.node {
                    Instruction::Onbuild(onbuild) => Some(onbuild.trigger.clone()),
                    _ => None,
                })
                .collect()
        }
        Base::Image { reference, .. } => match external::find(planner, reference, &stage.platform) {
            Some(found) => found.image.map(|(_, pin)| pin.config.config.on_build.clone()).unwrap_or_default(),
            None => return Some(None),
        },
    };
    let mut commands = Vec::with_capacity(texts.len());
    let mut complete = true;
    let escape = planner.dockerfile.directives.escape_character();
    for text in texts {
        let command = read(&text, escape).and_then(|mut instruction| {
            // It has no place in this file; whatever it does is done at FROM.
            instruction.span = stage.span();
            table.command(Cow::Owned(instruction), true)
        });
        match command {
            Ok(command) => commands.push(command),
            Err(fault) => {
                complete = false;
                planner.report(Problem::at(stage.span(), fault).with_help(format!("ONBUILD {text}")));
            }
        }
    }
    complete.then_some(Some(commands))
}

fn read(text: &str, escape: char) -> Result<Spanned<Instruction>, Fault> {
    let fail = |message: &str| Fault::Trigger(message.to_owned());
    let (instruction, diagnostics) = parser::parse_instruction(text, escape);
    match diagnostics.iter().find(|diagnostic: &&Diagnostic| diagnostic.is_error()) {
        Some(error) => Err(fail(&error.message)),
        None => instruction.ok_or_else(|| fail("onbuild trigger should be a single expression")),
    }
}
