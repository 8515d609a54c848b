//! `--name` and `--name=value` between a keyword and its arguments.

use std::collections::BTreeMap;

use super::{Literal, Request};
use crate::diagnostic::{Code, Diagnostic};
use crate::lines::Part;
use crate::suggest::nearest;
use crate::{Span, Word};

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// One value.
    Value,
    /// A value each time it is given.
    Values,
    /// Nothing, `=true` or `=false`.
    Switch,
}

/// The flags that were given and are right.
#[derive(Default)]
pub(super) struct Flags {
    given: Vec<Flag>,
    escape: char,
}

struct Flag {
    name: &'static str,
    value: FlagValue,
}

enum FlagValue {
    Text(Literal),
    Switch(bool),
}

impl Flags {
    /// The value of a flag, unexpanded.
    pub(super) fn word(&self, name: &str) -> Option<Word> {
        self.literal(name).map(|literal| Word::new(literal.text, literal.span, self.escape))
    }

    /// The value of a flag in which no variable is replaced.
    pub(super) fn literal(&self, name: &str) -> Option<Literal> {
        self.literals(name).into_iter().next()
    }

    /// All values of a flag that may be given several times.
    pub(super) fn literals(&self, name: &str) -> Vec<Literal> {
        let values = self.given.iter().filter(|flag| flag.name == name);
        values
            .filter_map(|flag| match &flag.value {
                FlagValue::Text(literal) => Some(literal.clone()),
                FlagValue::Switch(_) => None,
            })
            .collect()
    }

    /// Whether a switch is on; `None` where it was not given.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        self.given.iter().find_map(|flag| match flag.value {
            FlagValue::Switch(on) if flag.name == name => Some(on),
            _ => None,
        })
    }
}

impl Request<'_> {
    /// Reads the flags; those that are wrong are reported and left out.
    pub(super) fn read_flags(&mut self, known: &[(&'static str, Takes)]) -> Flags {
        let mut flags = Flags { given: Vec::new(), escape: self.escape };
        let mut first = BTreeMap::new();
        for written in std::mem::take(&mut self.flags) {
            match flag(written, self.escape, known, &first) {
                Ok(flag) => {
                    first.entry(flag.name).or_insert(written.span());
                    flags.given.push(flag);
                }
                Err(diagnostic) => self.diagnostics.push(diagnostic),
            }
        }
        flags
    }

    /// Reports all flags of an instruction that has none.
    pub(super) fn refuse_flags(&mut self) {
        self.read_flags(&[]);
    }

    /// Warns of flags that `BuildKit` reads past.
    pub(super) fn ignore_flags(&mut self) {
        let name = self.name();
        for flag in std::mem::take(&mut self.flags) {
            let message = format!("{name} has no flags, {} is ignored", flag.text());
            self.diagnostics.push(Diagnostic::warning(Code::IgnoredFlag, flag.span(), message));
        }
    }
}

/// Reads one flag; `first` has the places of those before it.
fn flag(
    written: Part<'_>,
    escape: char,
    known: &[(&'static str, Takes)],
    first: &BTreeMap<&str, Span>,
) -> Result<Flag, Diagnostic> {
    let span = written.span();
    let text = unquoted(written.text(), escape);
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text.as_str(), None),
    };
    let bare = name.strip_prefix("--").unwrap_or(name);
    let Some((known_name, takes)) = known.iter().copied().find(|(known, _)| *known == bare) else {
        let unknown = Diagnostic::error(Code::UnknownFlag, span, format!("unknown flag: {name}"));
        return Err(unknown.with_help(known_flags(bare, known)));
    };
    if takes != Takes::Values
        && let Some(first) = first.get(known_name)
    {
        let message = format!("duplicate flag specified: {name}");
        let duplicate = Diagnostic::error(Code::DuplicateFlag, span, message);
        return Err(duplicate.with_label(*first, "given first here"));
    }
    let missing = || {
        let message = format!("missing a value on flag: {name}");
        let missing = Diagnostic::error(Code::MissingFlagValue, span, message);
        missing.with_help(format!("write {name}=VALUE, without blanks"))
    };
    let value = if takes == Takes::Switch {
        FlagValue::Switch(match value.map(str::to_ascii_lowercase).as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some("") => return Err(missing()),
            Some(_) => {
                let value = value.unwrap_or_default();
                let message = format!("expecting boolean value for flag {name}, not: {value}");
                let error = Diagnostic::error(Code::InvalidFlagValue, span, message);
                return Err(error.with_help(format!("write {name} or {name}=false")));
            }
        })
    } else {
        let text = value.ok_or_else(missing)?.to_owned();
        let start = written.text().find('=').map_or(0, |equals| equals + 1);
        FlagValue::Text(Literal { text, span: written.after(start).span() })
    };
    Ok(Flag { name: known_name, value })
}

/// What could have been meant by a flag that is none of those that are known.
fn known_flags(name: &str, known: &[(&str, Takes)]) -> String {
    let names = || known.iter().map(|(name, _)| *name);
    if let Some(similar) = nearest(name, names()) {
        return format!("did you mean {similar}?");
    }
    let all: Vec<String> = names().map(|name| format!("--{name}")).collect();
    if all.is_empty() {
        return "this instruction has no flags".to_owned();
    }
    format!("there are {}", all.join(", "))
}

/// A flag without its quotes and escapes. Unlike in words, a variable behind an escape character is one.
fn unquoted(text: &str, escape: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(next) = characters.next() {
        match next {
            _ if next == escape => out.extend(characters.next()),
            '\'' | '"' if quote.is_none() => quote = Some(next),
            _ if quote == Some(next) => quote = None,
            _ => out.push(next),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_resolved() {
        assert_eq!(unquoted(r#"--a="b c"'"d'\$e\"#, '\\'), r#"--a=b c"d$e"#);
        assert_eq!(unquoted(r"--a=C:\x` y", '`'), r"--a=C:\x y");
    }
}
