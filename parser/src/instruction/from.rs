//! `FROM [--platform=PLATFORM] BASE [AS NAME]`

use super::flags::Takes;
use super::{Literal, Request};
use crate::diagnostic::{Code, Diagnostic};
use crate::lines::Part;
use crate::{Word, grammar};

/// FROM
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// An earlier stage, a named context, an image, or `scratch`.
    pub base: Word,
    /// `--platform=`, unless that is empty as written
    pub platform: Option<Word>,
    /// `AS NAME`
    pub name: Option<StageName>,
}

/// The name of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageName {
    /// In lower case, which is how stages are found.
    pub name: String,
    /// As it was written.
    pub written: Literal,
    /// The keyword AS as it was written.
    pub keyword: Literal,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<From> {
    let flags = request.read_flags(&[("platform", Takes::Value)]);
    let arguments = request.arguments;
    let Some((base, name)) = grammar::from(arguments.text()) else {
        let message = "FROM requires either one or three arguments";
        let error = Diagnostic::error(Code::ArgumentCount, request.span(), message);
        request.diagnostics.push(error.with_help("write FROM image, or FROM image AS name"));
        return None;
    };
    let name = name.and_then(|(keyword, name)| {
        stage_name(arguments.part(keyword), arguments.part(name), &mut request.diagnostics)
    });
    // An empty platform is none, as in BuildKit; one that a variable leaves empty is an error there.
    let platform = flags.word("platform").filter(|platform| !platform.as_written().is_empty());
    Some(From { base: arguments.part(base).word(request.escape), platform, name })
}

/// A name is a lower-case letter and then letters, digits, `-`, `_` and `.`; upper case is folded.
fn stage_name(keyword: Part<'_>, written: Part<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<StageName> {
    let name = written.text().to_lowercase();
    let is_valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
    if !is_valid {
        let text = written.text();
        let message = format!(
            "invalid name for build stage: {text:?}, name can't start with a number or contain symbols"
        );
        let error = Diagnostic::error(Code::InvalidStageName, written.span(), message);
        diagnostics.push(error.with_help("a name is a letter, then letters, digits, `-`, `_` and `.`"));
        return None;
    }
    Some(StageName { name, written: written.literal(), keyword: keyword.literal() })
}
