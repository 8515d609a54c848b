//! The one reader of shell-like text: replaces variables, removes quotes, splits into words.

use std::collections::BTreeSet;

use super::pattern::Pattern;
use super::{ExpandFault, MAX_DEPTH, MAX_SUBSTITUTED};

/// What to do with quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// They mean something and are left out.
    Removed,
    /// They mean something and stay.
    Kept,
    /// They are characters as any other.
    Ordinary,
}

/// What to do with a variable that is not set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unset {
    /// It is empty.
    Empty,
    /// The text that names it stays.
    Kept,
}

/// How a text is read.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) escape: char,
    pub(super) quotes: Quotes,
    /// Whether the escape character stays before what it escapes.
    pub(super) raw_escapes: bool,
    pub(super) unset: Unset,
}

impl Rules {
    /// Those for arguments.
    pub(super) fn word(escape: char) -> Self {
        Rules { escape, quotes: Quotes::Removed, raw_escapes: false, unset: Unset::Empty }
    }
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    rules: Rules,
    lookup: &'a mut dyn FnMut(&str) -> Option<String>,
    unset: Vec<String>,
    unset_names: BTreeSet<String>,
    depth: usize,
    /// How many bytes substitutions have read and made.
    substituted: usize,
}

type Lexed<T> = Result<T, ExpandFault>;

impl<'a> Lexer<'a> {
    pub(super) fn new(
        text: &'a str,
        rules: Rules,
        lookup: &'a mut dyn FnMut(&str) -> Option<String>,
    ) -> Self {
        let (unset, unset_names) = (Vec::new(), BTreeSet::new());
        Lexer { text, at: 0, rules, lookup, unset, unset_names, depth: 0, substituted: 0 }
    }

    /// The whole text as one.
    pub(super) fn text(&mut self) -> Lexed<String> {
        let mut out = Whole::default();
        self.read(None, &mut out)?;
        Ok(out.0)
    }

    /// The whole text as words.
    pub(super) fn words(&mut self) -> Lexed<Vec<String>> {
        let mut out = Words::default();
        self.read(None, &mut out)?;
        Ok(out.finish())
    }

    pub(super) fn into_unset(self) -> Vec<String> {
        self.unset
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Reads up to `stop` and past it, or up to the end where there is no `stop`.
    fn read(&mut self, stop: Option<char>, out: &mut dyn Output) -> Lexed<()> {
        let quotes = self.rules.quotes != Quotes::Ordinary;
        while let Some(next) = self.peek() {
            match next {
                _ if Some(next) == stop => {
                    self.next();
                    return Ok(());
                }
                '$' => out.split(&self.substitution()?),
                '<' => out.raw(self.redirection()),
                '\'' if quotes => out.raw(&self.single_quoted()?),
                '"' if quotes => out.raw(&self.double_quoted()?),
                _ => {
                    self.next();
                    if next != self.rules.escape {
                        out.character(next);
                        continue;
                    }
                    if self.rules.raw_escapes {
                        out.raw(next.encode_utf8(&mut [0; 4]));
                    }
                    // An escape character at the very end escapes nothing and is dropped.
                    let Some(escaped) = self.next() else { break };
                    out.raw(escaped.encode_utf8(&mut [0; 4]));
                }
            }
        }
        // Which character was missed is said by the caller: the text of a `${…}` is the only user.
        if stop.is_some() { Err(ExpandFault::MissingBrace) } else { Ok(()) }
    }

    /// `<`, or `<<` with the blanks that follow: `<< NAME` is one word.
    fn redirection(&mut self) -> &'a str {
        let start = self.at;
        self.next();
        if self.peek() == Some('<') {
            self.next();
            while matches!(self.peek(), Some('\t' | '\r' | ' ')) {
                self.next();
            }
        }
        &self.text[start..self.at]
    }

    fn single_quoted(&mut self) -> Lexed<String> {
        let start = self.at;
        self.next();
        while let Some(next) = self.next() {
            if next == '\'' {
                let quoted = &self.text[start..self.at];
                let kept = self.rules.quotes == Quotes::Kept;
                return Ok(if kept { quoted } else { &quoted[1..quoted.len() - 1] }.to_owned());
            }
        }
        Err(ExpandFault::Unterminated("single-quote"))
    }

    fn double_quoted(&mut self) -> Lexed<String> {
        let kept = self.rules.quotes == Quotes::Kept;
        let escape = self.rules.escape;
        let mut out = String::new();
        self.next();
        if kept {
            out.push('"');
        }
        while let Some(next) = self.peek() {
            if next == '$' {
                out.push_str(&self.substitution()?);
                continue;
            }
            self.next();
            if next == '"' {
                if kept {
                    out.push('"');
                }
                return Ok(out);
            }
            if next != escape {
                out.push(next);
                continue;
            }
            if self.rules.raw_escapes {
                out.push(next);
            }
            match self.peek() {
                None => break,
                // Only these can be escaped; before others the escape character is itself.
                Some(escaped) if escaped == '"' || escaped == '$' || escaped == escape => {
                    self.next();
                    out.push(escaped);
                }
                Some(_) => out.push(next),
            }
        }
        Err(ExpandFault::Unterminated("double-quote"))
    }

    /// What begins with `$`.
    fn substitution(&mut self) -> Lexed<String> {
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.value(name)? {
                None if self.rules.unset == Unset::Kept => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        if self.depth == MAX_DEPTH {
            return Err(ExpandFault::TooDeep);
        }
        self.depth += 1;
        let result = self.braced();
        self.depth -= 1;
        result
    }

    /// What begins with `${`; the `{` is next.
    fn braced(&mut self) -> Lexed<String> {
        self.next();
        match self.peek() {
            None => return Err(ExpandFault::MissingBrace),
            Some('{' | '}' | ':') => return Err(ExpandFault::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        let modifier_start = self.at;
        match self.next() {
            None => Err(ExpandFault::MissingBrace),
            Some('}') => Ok(match self.value(name)? {
                None if self.rules.unset == Unset::Kept => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            }),
            Some('/') => self.replaced(name),
            Some(first @ (':' | '+' | '-' | '?' | '#' | '%')) => {
                let operator = if first == ':' { self.next() } else { Some(first) };
                let Some(operator) = operator else { return Err(ExpandFault::MissingBrace) };
                let modifier = &self.text[modifier_start..self.at];
                self.modified(name, modifier, operator)
            }
            Some(other) => Err(ExpandFault::UnsupportedModifier(other.to_string())),
        }
    }

    /// `${name` with a modifier of one word; the word is next.
    fn modified(&mut self, name: &str, modifier: &str, operator: char) -> Lexed<String> {
        let empty_is_unset = modifier.starts_with(':');
        let is_pattern = matches!(operator, '#' | '%');
        if is_pattern && empty_is_unset {
            return Err(ExpandFault::UnsupportedModifier(modifier.to_owned()));
        }
        let word = self.word_until('}', is_pattern, &ExpandFault::MissingBrace)?;
        let value = self.value(name)?;
        if value.is_none() && self.rules.unset == Unset::Kept {
            return Ok(format!("${{{name}{modifier}{word}}}"));
        }
        let is_set = value.is_some();
        let present = value.filter(|value| !(empty_is_unset && value.is_empty()));
        match operator {
            '-' => Ok(present.unwrap_or(word)),
            '+' => Ok(if present.is_some() { word } else { String::new() }),
            '?' => present.ok_or_else(|| {
                let what = if empty_is_unset && is_set { "empty" } else { "unset" };
                let default = || format!("is not allowed to be {what}");
                let message = if word.is_empty() { default() } else { word };
                ExpandFault::Required { name: name.to_owned(), message }
            }),
            '#' | '%' => {
                let longest = word.strip_prefix(operator);
                let pattern = Pattern::new(longest.unwrap_or(&word))?;
                let value = present.unwrap_or_default();
                Ok(match operator {
                    '#' => pattern.without_start(&value, longest.is_some()),
                    _ => pattern.without_end(&value, longest.is_some()),
                })
            }
            _ => Err(ExpandFault::UnsupportedModifier(modifier.to_owned())),
        }
    }

    /// `${name/pattern/replacement}`; what follows the first slash is next.
    fn replaced(&mut self, name: &str) -> Lexed<String> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let pattern = self.word_until('/', true, &ExpandFault::MissingSlash)?;
        let replacement = self.word_until('}', true, &ExpandFault::MissingBrace)?;
        match self.value(name)? {
            None if self.rules.unset == Unset::Kept => {
                let slash = if all { "//" } else { "/" };
                Ok(format!("${{{name}{slash}{pattern}/{replacement}}}"))
            }
            value => {
                let pattern = Pattern::new(&pattern)?;
                let most = MAX_SUBSTITUTED - self.substituted;
                let replaced = pattern.replace(&value.unwrap_or_default(), &replacement, all, most);
                let replaced = replaced.ok_or(ExpandFault::TooLong)?;
                self.substituted += replaced.len();
                Ok(replaced)
            }
        }
    }

    /// The text up to `stop`. Whatever goes wrong with the text used up is the fault `missing`.
    fn word_until(&mut self, stop: char, raw_escapes: bool, missing: &ExpandFault) -> Lexed<String> {
        let outside = std::mem::replace(&mut self.rules.raw_escapes, raw_escapes);
        let mut out = Whole::default();
        let result = self.read(Some(stop), &mut out);
        self.rules.raw_escapes = outside;
        match result {
            Ok(()) => Ok(out.0),
            Err(limit @ (ExpandFault::TooDeep | ExpandFault::TooLong)) => Err(limit),
            Err(_) if self.at == self.text.len() => Err(missing.clone()),
            Err(fault) => Err(fault),
        }
    }

    /// A variable's name: digits only, one special character, or letters, digits and `_`.
    fn name(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let length = match rest.chars().next() {
            Some(first) if first.is_ascii_digit() => rest.find(|c: char| !c.is_ascii_digit()),
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => Some(1),
            _ => rest.find(|c: char| !c.is_alphanumeric() && c != '_'),
        };
        let name = &rest[..length.unwrap_or(rest.len())];
        self.at += name.len();
        name
    }

    fn value(&mut self, name: &str) -> Lexed<Option<String>> {
        let value = (self.lookup)(name);
        if value.is_none() && self.unset_names.insert(name.to_owned()) {
            self.unset.push(name.to_owned());
        }
        self.substituted += value.as_ref().map_or(0, String::len);
        if self.substituted > MAX_SUBSTITUTED { Err(ExpandFault::TooLong) } else { Ok(value) }
    }
}

/// Takes what was read, piece by piece.
trait Output {
    /// A character that splits words where it is a blank.
    fn character(&mut self, character: char);
    /// Text that belongs to the current word whatever is in it.
    fn raw(&mut self, text: &str);
    /// Text whose blanks split words.
    fn split(&mut self, text: &str);
}

#[derive(Default)]
struct Whole(String);

impl Output for Whole {
    fn character(&mut self, character: char) {
        self.0.push(character);
    }

    fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn split(&mut self, text: &str) {
        self.0.push_str(text);
    }
}

#[derive(Default)]
struct Words {
    done: Vec<String>,
    current: String,
}

impl Words {
    fn finish(mut self) -> Vec<String> {
        self.end_word();
        self.done
    }

    fn end_word(&mut self) {
        if !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
        }
    }
}

impl Output for Words {
    fn character(&mut self, character: char) {
        if character.is_whitespace() {
            self.end_word();
        } else {
            self.current.push(character);
        }
    }

    fn raw(&mut self, text: &str) {
        self.current.push_str(text);
    }

    fn split(&mut self, text: &str) {
        text.chars().for_each(|character| self.character(character));
    }
}
