//! Which word of an instruction a fault is about: what gets the carets in an excerpt.
//!
//! Faults say what is wrong with a value. Values have lost their places when variables were replaced,
//! so the word is looked for in the syntax tree again.

use parser::ast::{CopySource, From, Instruction, MountSpec};
use parser::{Span, Word};

use crate::error::Fault;
use crate::remote::{GitReference, is_http_url};

/// The word of a FROM; none if it is the whole of it.
pub(crate) fn in_from(from: &From, fault: &Fault) -> Option<Span> {
    match fault {
        Fault::BlankBase { .. } | Fault::BaseName { .. } => Some(from.base.span()),
        Fault::EmptyPlatform { .. } | Fault::Platform { .. } => from.platform.as_ref().map(Word::span),
        _ => None,
    }
}

/// The word of another instruction; none if it is the whole of it, or more than one could be meant.
pub(crate) fn in_instruction(instruction: &Instruction, fault: &Fault) -> Option<Span> {
    match instruction {
        Instruction::Add(add) => match fault {
            Fault::Mode(_) => add.chmod.as_ref().map(Word::span),
            Fault::Checksum(_)
            | Fault::ChecksumOfSeveral
            | Fault::ChecksumOfLocal
            | Fault::ChecksumConflict(..) => add.checksum.as_ref().map(Word::span),
            Fault::Exclude(_) => only(add.exclude.iter().map(|pattern| pattern.span)),
            Fault::GitReference(_) => only(remotes(&add.sources)),
            _ => None,
        },
        Instruction::Copy(copy) => match fault {
            Fault::Mode(_) => copy.chmod.as_ref().map(Word::span),
            Fault::BaseName { .. }
            | Fault::StageIndex(_)
            | Fault::VariableInFrom
            | Fault::Circular(_)
            | Fault::CopyFromLaterStage { .. } => copy.from.as_ref().map(|from| from.span),
            Fault::Exclude(_) => only(copy.exclude.iter().map(|pattern| pattern.span)),
            Fault::CopyOfUrl | Fault::CopyOfGit | Fault::GitReference(_) => only(remotes(&copy.sources)),
            _ => None,
        },
        Instruction::Expose(expose) => match fault {
            Fault::Port(_) => only(expose.ports.iter().map(Word::span)),
            _ => None,
        },
        Instruction::Run(run) => match fault {
            Fault::MountTarget(_) => only(run.mounts.iter().map(|mount| mount.span)),
            Fault::BaseName { .. } | Fault::MountFromLaterStage { .. } | Fault::Circular(_) => {
                only(run.mounts.iter().filter_map(from_option))
            }
            _ => None,
        },
        Instruction::StopSignal(stop) => match fault {
            Fault::Signal(_) => Some(stop.signal.span()),
            _ => None,
        },
        Instruction::Volume(volume) => match fault {
            Fault::EmptyVolume => only(volume.paths.iter().map(Word::span)),
            _ => None,
        },
        _ => None,
    }
}

/// The one span that there is.
fn only(mut spans: impl Iterator<Item = Span>) -> Option<Span> {
    spans.next().filter(|_| spans.next().is_none())
}

/// The sources that are not on this machine, as far as they are told without variables.
fn remotes(sources: &[CopySource]) -> impl Iterator<Item = Span> {
    sources.iter().filter_map(|source| match source {
        CopySource::Path(word) => {
            let is_remote =
                is_http_url(word.as_written()) || GitReference::parse(word.as_written()).is_some();
            is_remote.then(|| word.span())
        }
        CopySource::Inline(_) => None,
    })
}

fn from_option(mount: &MountSpec) -> Option<Span> {
    mount.options.iter().rev().find(|option| option.key == "from").map(|option| option.span)
}
