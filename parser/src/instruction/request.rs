//! An instruction split into keyword, flags and arguments, before it is known what they mean.

use super::{ArgumentForm, CommandLine, KeyValue, KeyValueForm};
use crate::diagnostic::{Code, Diagnostic};
use crate::grammar::{self, Json};
use crate::heredoc::Heredoc;
use crate::lines::Part;
use crate::{Span, Word};

/// One instruction on its way to becoming a node of the tree.
#[derive(Debug)]
pub(crate) struct Request<'l> {
    /// All of it, blanks at both ends removed.
    pub(crate) whole: Part<'l>,
    /// The first word.
    pub(crate) keyword: Part<'l>,
    /// The flags as written, quotes and escapes included.
    pub(crate) flags: Vec<Part<'l>>,
    /// What follows the flags, without blanks at both ends.
    pub(crate) arguments: Part<'l>,
    /// All that follows the keyword, with the blanks at the end.
    pub(crate) rest: Part<'l>,
    pub(crate) escape: char,
    /// The here-documents of the line.
    pub(crate) heredocs: Vec<Heredoc>,
    /// What was found wrong so far.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The arguments of an instruction that takes a command.
pub(crate) enum Arguments {
    /// The elements of a JSON array.
    Json(Vec<String>),
    /// All as one text.
    Text(String),
}

const BLANKS: [char; 5] = [' ', '\t', '\u{b}', '\u{c}', '\r'];

impl<'l> Request<'l> {
    /// Splits a line or, for ONBUILD, the part of one.
    pub(crate) fn split(line: Part<'l>, escape: char) -> Self {
        let line = line.after(line.text().len() - line.text().trim_start().len());
        let trimmed = line.text().trim_end();
        let keyword = line.part(0..trimmed.find(BLANKS).unwrap_or(trimmed.len()));
        let rest = line.after(keyword.text().len());
        let rest = rest.after(rest.text().len() - rest.text().trim_start_matches(BLANKS).len());
        let arguments = rest.trim();
        let (flags, end) = grammar::flags(arguments.text(), escape);
        let flags = flags.into_iter().map(|range| arguments.part(range)).collect();
        let arguments = arguments.after(end).trim();
        let (heredocs, diagnostics) = (Vec::new(), Vec::new());
        Request { whole: line.trim(), keyword, flags, arguments, rest, escape, heredocs, diagnostics }
    }

    /// The keyword in upper case, as messages have it.
    pub(crate) fn name(&self) -> String {
        self.keyword.text().to_ascii_uppercase()
    }

    /// From the keyword to the last argument.
    pub(crate) fn span(&self) -> Span {
        self.keyword.span().to(self.arguments.span())
    }

    /// Reports an error at `span`.
    pub(crate) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, span, message));
    }

    /// Reports that there are too few or too many arguments, `what` being the rest of the sentence.
    pub(crate) fn wrong_count(&mut self, what: &str) {
        let message = format!("{} {what}", self.name());
        self.error(Code::ArgumentCount, self.span(), message);
    }

    /// Whether there is any argument; reports it if there is none.
    pub(crate) fn expect_arguments(&mut self) -> Option<()> {
        if self.arguments.text().is_empty() {
            self.wrong_count("requires at least one argument");
            return None;
        }
        Some(())
    }

    /// All arguments as one word; reports it if there are none.
    pub(crate) fn single_word(&mut self) -> Option<Word> {
        if self.arguments.text().is_empty() {
            self.wrong_count("requires exactly one argument");
            return None;
        }
        Some(self.arguments.word(self.escape))
    }

    /// The arguments of an instruction that takes a command; reports a JSON array of other elements than
    /// strings.
    pub(crate) fn command_arguments(&mut self, arguments: Part<'_>) -> Option<Arguments> {
        match grammar::json_array(arguments.text()) {
            Json::Strings(strings) => {
                Some(Arguments::Json(strings.into_iter().map(|(text, _)| text).collect()))
            }
            Json::Other => Some(Arguments::Text(arguments.text().to_owned())),
            Json::OtherElements => {
                self.not_strings(arguments.span());
                None
            }
        }
    }

    /// The arguments as a command.
    pub(crate) fn command(&mut self) -> Option<CommandLine> {
        Some(match self.command_arguments(self.arguments)? {
            Arguments::Json(strings) => CommandLine::Exec(strings),
            Arguments::Text(text) => CommandLine::Shell(text),
        })
    }

    /// The arguments as a list: a JSON array, or words parted by blanks.
    pub(crate) fn list(&mut self) -> Option<(Vec<Word>, ArgumentForm)> {
        let arguments = self.arguments;
        match grammar::json_array(arguments.text()) {
            Json::Strings(strings) => {
                let word = |(text, range)| Word::new(text, arguments.part(range).span(), self.escape);
                Some((strings.into_iter().map(word).collect(), ArgumentForm::Json))
            }
            Json::Other => Some((self.items(), ArgumentForm::Words)),
            Json::OtherElements => {
                self.not_strings(arguments.span());
                None
            }
        }
    }

    /// The arguments as words parted by blanks.
    pub(crate) fn items(&self) -> Vec<Word> {
        let ranges = grammar::items(self.arguments.text());
        ranges.into_iter().map(|range| self.arguments.part(range).word(self.escape)).collect()
    }

    /// The arguments as words in which quotes hold blanks together.
    pub(crate) fn words(&self) -> Vec<Part<'l>> {
        let ranges = grammar::words(self.arguments.text(), self.escape);
        ranges.into_iter().map(|range| self.arguments.part(range)).collect()
    }

    /// The arguments of ENV and LABEL: `KEY=VALUE …`, or `KEY VALUE` if there is no `=` in the first word.
    pub(crate) fn key_values(&mut self) -> Option<(Vec<KeyValue>, KeyValueForm)> {
        self.expect_arguments()?;
        let words = self.words();
        if words.first().is_some_and(|word| !word.text().contains('=')) {
            return self.legacy_key_value();
        }
        let mut pairs = Vec::with_capacity(words.len());
        for word in words {
            match word.text().find('=') {
                None => {
                    let text = word.text();
                    let message =
                        format!("Syntax error - can't find = in {text:?}. Must be of the form: name=value");
                    let help = "quote a value that has blanks in it: name=\"first second\"";
                    let error = Diagnostic::error(Code::InvalidKeyValue, word.span(), message);
                    self.diagnostics.push(error.with_help(help));
                }
                Some(0) => self.blank_name(word.span()),
                Some(equals) => {
                    let (key, value) = (word.part(0..equals), word.after(equals + 1));
                    pairs.push(KeyValue { key: key.word(self.escape), value: value.word(self.escape) });
                }
            }
        }
        Some((pairs, KeyValueForm::Assignments))
    }

    /// Reports a variable or label without a name.
    pub(crate) fn blank_name(&mut self, span: Span) {
        let message = format!("{} names can not be blank", self.name());
        self.error(Code::BlankName, span, message);
    }

    fn legacy_key_value(&mut self) -> Option<(Vec<KeyValue>, KeyValueForm)> {
        let Some((key, value)) = grammar::legacy_pair(self.arguments.text()) else {
            let message = format!("{} must have two arguments", self.name());
            self.error(Code::InvalidKeyValue, self.span(), message);
            return None;
        };
        let word = |range| self.arguments.part(range).word(self.escape);
        Some((vec![KeyValue { key: word(key), value: word(value) }], KeyValueForm::Legacy))
    }

    fn not_strings(&mut self, span: Span) {
        let message = "when using JSON array syntax, arrays must be comprised of strings only";
        let error = Diagnostic::error(Code::JsonNotStrings, span, message);
        self.diagnostics.push(error.with_help("put each element into double quotes"));
    }
}
