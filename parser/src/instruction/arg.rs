//! `ARG NAME[=DEFAULT] …`

use super::Request;
use crate::Word;
use crate::lines::Part;

/// ARG
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// The variables that it declares, in order.
    pub definitions: Vec<ArgDefinition>,
}

/// One variable of an ARG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgDefinition {
    /// Its name; `BuildKit` replaces variables here too.
    pub name: Word,
    /// What follows `=`; `None` without `=`.
    pub default: Option<Word>,
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Arg> {
    request.ignore_flags();
    request.expect_arguments()?;
    let mut definitions = Vec::new();
    for word in request.words() {
        let (name, default) = match word.text().find('=') {
            Some(0) => {
                request.blank_name(word.span());
                continue;
            }
            Some(equals) => (word.part(0..equals), Some(word.after(equals + 1))),
            None => (word, None),
        };
        let word = |part: Part<'_>| part.word(request.escape);
        definitions.push(ArgDefinition { name: word(name), default: default.map(word) });
    }
    Some(Arg { definitions })
}
