//! The line layer: cuts a text into logical lines, one for each instruction.
//!
//! A logical line is a line and those that continue it, joined without anything between them. A line is
//! continued if its last character but blanks is the escape character, and the one before is not.
//! Between continued lines, comments and empty lines are left out. What BuildKit does here is kept to
//! the letter: blanks at the start are removed from the first line only, comments above an instruction
//! survive blank lines, and directives end with the first line that is none.
//!
//! A [`Part`] of a logical line knows where it stands in the text, across all that was left out.

use std::borrow::Cow;
use std::ops::Range;

use crate::ast::{Comment, Directive, Directives};
use crate::diagnostic::{Code, Diagnostic};
use crate::heredoc::{Heredoc, Marker};
use crate::instruction::Literal;
use crate::{Span, Word, grammar};

/// The longest line that BuildKit reads.
const MAX_LINE: usize = 65535;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// One instruction's text with continuations joined.
#[derive(Debug)]
pub(crate) struct LogicalLine<'t> {
    text: Cow<'t, str>,
    /// Where `text` begins in the source.
    start: usize,
    /// Where each continuing line begins: in `text`, in the source.
    joints: Vec<(usize, usize)>,
    /// The comments above it.
    pub(crate) comments: Vec<Comment>,
    /// The empty lines among its continuations.
    pub(crate) empty_continuations: Vec<Span>,
}

impl LogicalLine<'_> {
    /// All of it, blanks at the end included.
    pub(crate) fn whole(&self) -> Part<'_> {
        Part { line: self, start: 0, end: self.text.len() }
    }

    fn source(&self, at: usize) -> usize {
        match self.joints.partition_point(|(joint, _)| *joint <= at).checked_sub(1) {
            Some(index) => self.joints[index].1 + (at - self.joints[index].0),
            None => self.start + at,
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let Some(last) = self.text[start..end].chars().next_back() else {
            let place = self.source(start);
            return Span::new(place, place);
        };
        let last = last.len_utf8();
        Span::new(self.source(start), self.source(end - last) + last)
    }
}

/// A part of a logical line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'l> {
    line: &'l LogicalLine<'l>,
    start: usize,
    end: usize,
}

impl<'l> Part<'l> {
    pub(crate) fn text(self) -> &'l str {
        &self.line.text[self.start..self.end]
    }

    /// The whole line that it is part of.
    pub(crate) fn line_text(self) -> &'l str {
        &self.line.text
    }

    /// Where it stands in the source.
    pub(crate) fn span(self) -> Span {
        self.line.span(self.start, self.end)
    }

    /// A range of it.
    pub(crate) fn part(self, range: Range<usize>) -> Part<'l> {
        Part { start: self.start + range.start, end: self.start + range.end, ..self }
    }

    /// What follows its first `at` bytes.
    pub(crate) fn after(self, at: usize) -> Part<'l> {
        Part { start: self.start + at, ..self }
    }

    /// Without blanks at both ends.
    pub(crate) fn trim(self) -> Part<'l> {
        let end = self.text().trim_end().len();
        let start = end - self.text()[..end].trim_start().len();
        self.part(start..end)
    }

    pub(crate) fn literal(self) -> Literal {
        Literal { text: self.text().to_owned(), span: self.span() }
    }

    pub(crate) fn word(self, escape: char) -> Word {
        Word::new(self.text(), self.span(), escape)
    }
}

/// Whether directives are still looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DirectiveMode {
    Open,
    /// Behind a `#!` line BuildKit looks for `syntax` and `check`, but not for `escape`.
    AfterShebang,
    Closed,
}

/// Reads a text line by line.
pub(crate) struct Lines<'t> {
    text: &'t str,
    at: usize,
    escape: char,
    mode: DirectiveMode,
    comments: Vec<Comment>,
    pub(crate) directives: Directives,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'t> Lines<'t> {
    /// A reader of a whole file.
    pub(crate) fn of_file(text: &'t str) -> Self {
        let at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        Lines { at, mode: DirectiveMode::Open, ..Lines::of_fragment(text, '\\') }
    }

    /// A reader of a text in which there are no directives.
    pub(crate) fn of_fragment(text: &'t str, escape: char) -> Self {
        let (directives, diagnostics) = (Directives::default(), Vec::new());
        let mode = DirectiveMode::Closed;
        Lines { text, at: 0, escape, mode, comments: Vec::new(), directives, diagnostics }
    }

    /// The escape character that holds for the lines read last.
    pub(crate) fn escape(&self) -> char {
        self.escape
    }

    /// The next logical line.
    pub(crate) fn next_line(&mut self) -> Option<LogicalLine<'t>> {
        loop {
            let line = self.physical()?;
            let content = line.of(self.text);
            let start = line.end - content.trim_start().len();
            let content = &self.text[start..line.end];
            if content.starts_with('#') {
                self.comment(Span::new(start, line.end));
                continue;
            }
            self.mode = DirectiveMode::Closed;
            if !content.is_empty() {
                return Some(self.continued(start, content));
            }
        }
    }

    /// Reads the bodies of the here-documents that `line` announces. If one is not closed, it takes the
    /// rest of the text.
    pub(crate) fn heredocs(&mut self, line: &LogicalLine<'_>) -> Vec<Heredoc> {
        let mut heredocs = Vec::new();
        for marker in Marker::all(&line.text) {
            let start = self.at;
            let Some(end) = self.terminator(&marker) else {
                let place = unterminated_place(line);
                let message = "unterminated heredoc";
                let help = format!("it ends with a line that is nothing but {}", marker.name);
                self.diagnostics
                    .push(Diagnostic::error(Code::UnterminatedHeredoc, place, message).with_help(help));
                let span = Span::new(start, self.at);
                heredocs.push(marker.with_content(span.of(self.text), span));
                break;
            };
            let span = Span::new(start, end);
            heredocs.push(marker.with_content(span.of(self.text), span));
        }
        heredocs
    }

    /// The end of all lines read so far, without the line end.
    pub(crate) fn end(&self) -> usize {
        self.text[..self.at].trim_end_matches(['\r', '\n']).len()
    }

    /// Reads on to the line that ends a here-document, and past it; the place where that line begins.
    fn terminator(&mut self, marker: &Marker) -> Option<usize> {
        loop {
            let line = self.physical()?;
            let content = line.of(self.text);
            let content = if marker.strips_tabs { content.trim_start_matches('\t') } else { content };
            if content == marker.name {
                return Some(line.start);
            }
        }
    }

    /// The next line as it is, without its line end.
    fn physical(&mut self) -> Option<Span> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n').map_or(rest.len(), |newline| newline + 1);
        let line = rest[..length].strip_suffix('\n').unwrap_or(&rest[..length]);
        let span = Span::new(self.at, self.at + line.trim_end_matches('\r').len());
        self.at += length;
        if line.len() > MAX_LINE {
            let message = format!("dockerfile line greater than max allowed size of {MAX_LINE}");
            let help = "split it with continuations, or copy a script and run that";
            self.diagnostics.push(Diagnostic::error(Code::LineTooLong, span, message).with_help(help));
        }
        Some(span)
    }

    /// Takes a comment line for a directive or keeps it for the instruction below.
    fn comment(&mut self, span: Span) {
        let line = span.of(self.text);
        let is_first = self.text[..span.start].trim_start_matches(BYTE_ORDER_MARK).is_empty();
        if is_first && line.starts_with("#!") {
            self.mode = DirectiveMode::AfterShebang;
        } else if self.mode != DirectiveMode::Closed && self.directive(line, span) {
            return;
        }
        let text = line[1..].trim();
        if text.is_empty() {
            self.comments.clear();
        } else {
            self.comments.push(Comment { text: text.to_owned(), span });
        }
    }

    /// Whether the line is a directive, which it then keeps.
    fn directive(&mut self, line: &str, span: Span) -> bool {
        let after_shebang = self.mode == DirectiveMode::AfterShebang;
        let found = grammar::directive(line).and_then(|(name, value)| {
            let slot = match name.to_ascii_lowercase().as_str() {
                "syntax" => (&mut self.directives.syntax, "syntax"),
                "check" => (&mut self.directives.check, "check"),
                "escape" if !after_shebang => (&mut self.directives.escape, "escape"),
                _ => return None,
            };
            Some((slot, value))
        });
        let Some(((slot, name), value)) = found else {
            self.mode = DirectiveMode::Closed;
            return false;
        };
        if after_shebang && slot.is_some() {
            // The first one counts: what looks for them there stops without a word.
            self.mode = DirectiveMode::Closed;
            return false;
        }
        if let Some(first) = slot {
            let message = format!("only one {name} parser directive can be used");
            // BuildKit, too, names the line of the first one: which of them is meant only the author knows.
            let duplicate = Diagnostic::error(Code::DuplicateDirective, first.span, message);
            self.diagnostics.push(duplicate.with_label(span, "given again here"));
            return true;
        }
        if name == "escape" {
            match value {
                "\\" => self.escape = '\\',
                "`" => self.escape = '`',
                _ => {
                    let message = format!("invalid escape token '{value}' does not match ` or \\");
                    self.diagnostics.push(Diagnostic::error(Code::InvalidEscape, span, message));
                    return true;
                }
            }
        }
        *slot = Some(Directive { value: value.to_owned(), span });
        true
    }

    /// The logical line that begins with `first`, a line's content at `start`.
    fn continued(&mut self, start: usize, first: &'t str) -> LogicalLine<'t> {
        let comments = std::mem::take(&mut self.comments);
        let (mut joints, mut empty_continuations) = (Vec::new(), Vec::new());
        let mut open = self.continuation(first);
        let mut text = Cow::Borrowed(open.unwrap_or(first));
        while open.is_some() {
            let Some(line) = self.physical() else { break };
            let content = line.of(self.text);
            match content.trim_start() {
                "" => empty_continuations.push(line),
                trimmed if trimmed.starts_with('#') => {}
                _ => {
                    open = self.continuation(content);
                    joints.push((text.len(), line.start));
                    text.to_mut().push_str(open.unwrap_or(content));
                }
            }
        }
        LogicalLine { text, start, joints, comments, empty_continuations }
    }

    /// What precedes the escape character of a line that is continued.
    fn continuation<'l>(&self, line: &'l str) -> Option<&'l str> {
        let before = line.trim_end_matches([' ', '\t']).strip_suffix(self.escape)?;
        (!before.ends_with(self.escape)).then_some(before)
    }
}

/// The first `<<` of a line and the word behind it.
fn unterminated_place(line: &LogicalLine<'_>) -> Span {
    let start = line.text.find("<<").unwrap_or(0);
    let word = &line.text[start..];
    let blanks = word[2.min(word.len())..].find(|c: char| !c.is_whitespace()).unwrap_or(0) + 2;
    let length = word.get(blanks..).and_then(|name| name.find(char::is_whitespace));
    line.span(start, length.map_or(line.text.len(), |length| start + blanks + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut lines = Lines::of_file(text);
        std::iter::from_fn(|| lines.next_line()).map(|line| line.text.into_owned()).collect()
    }

    #[test]
    fn continuations_are_joined() {
        assert_eq!(lines("  RUN a \\\n  b\\  \nc\nRUN d"), ["RUN a   bc", "RUN d"]);
        assert_eq!(lines("RUN a\\\r\n b\r\n"), ["RUN a b"]);
        assert_eq!(lines("RUN a\\\\\nRUN b"), ["RUN a\\\\", "RUN b"]);
        assert_eq!(lines("RUN a \\\n# comment\n\n  # other \\\nb"), ["RUN a b"]);
        assert_eq!(lines("\\\nRUN a"), ["RUN a"]);
        assert_eq!(lines("RUN a\\"), ["RUN a"]);
        assert_eq!(lines("# escape=`\nRUN a`\nb\\\nRUN c"), ["RUN ab\\", "RUN c"]);
    }

    #[test]
    fn directives_come_first_or_are_comments() {
        let read = |text| {
            let mut lines = Lines::of_file(text);
            let line = lines.next_line();
            let comments = line.map(|line| line.comments.into_iter().map(|c| c.text).collect::<Vec<_>>());
            let value = |directive: &Option<Directive>| directive.as_ref().map(|d| d.value.clone());
            let directives = &lines.directives;
            (value(&directives.syntax), value(&directives.check), lines.escape, comments.unwrap_or_default())
        };
        let syntax = Some("docker/dockerfile:1".to_owned());
        assert_eq!(
            read(
                "\u{feff}# syntax = docker/dockerfile:1 \n#Escape=`\n# check=skip=all;error=true\n# hi\nFROM x"
            ),
            (syntax.clone(), Some("skip=all;error=true".to_owned()), '`', vec!["hi".to_owned()])
        );
        assert_eq!(read("\n# escape=`\nFROM x"), (None, None, '\\', vec!["escape=`".to_owned()]));
        assert_eq!(read("# a=b\n# escape=`\nFROM x").2, '\\');
        let shebang = read("#!/usr/bin/env x\n# syntax=docker/dockerfile:1\n# escape=`\nFROM x");
        assert_eq!((shebang.0, shebang.2), (syntax.clone(), '\\'));
        let twice = read("#!/bin/x\n# syntax=docker/dockerfile:1\n# syntax=other\nFROM x");
        assert_eq!(
            (twice.0, twice.3),
            (syntax.clone(), vec!["!/bin/x".to_owned(), "syntax=other".to_owned()])
        );
        let late = read("# syntax=docker/dockerfile:1\n#!/bin/x\n# check=skip=all\nFROM x");
        assert_eq!((late.0, late.1), (syntax, None));
    }

    #[test]
    fn comments_above_survive_blank_lines_but_not_empty_comments() {
        let mut lines = Lines::of_file("FROM x\n# a\n#\n# b\n\n  # c\nRUN d\nRUN e");
        let mut next =
            || lines.next_line().unwrap().comments.iter().map(|c| c.text.clone()).collect::<Vec<_>>();
        assert_eq!((next(), next(), next()), (vec![], vec!["b".to_owned(), "c".to_owned()], vec![]));
    }

    #[test]
    fn parts_know_their_place_across_continuations() {
        let text = "FROM x\nRUN ü \\\n# comment\n\n  bc\\\nd e\n";
        let mut lines = Lines::of_file(text);
        lines.next_line();
        let line = lines.next_line().unwrap();
        let part = |word: &str| {
            let at = line.text.find(word).unwrap();
            line.whole().part(at..at + word.len()).span().of(text)
        };
        assert_eq!(line.text, "RUN ü   bcd e");
        assert_eq!((part("ü"), part("bc"), part("e")), ("ü", "bc", "e"));
        assert_eq!(part("bcd"), "bc\\\nd");
        assert_eq!(line.empty_continuations[0], Span::new(26, 26));
    }

    #[test]
    fn long_lines_are_reported_and_long_instructions_are_not() {
        let found = |text: &str| {
            let mut lines = Lines::of_file(text);
            while lines.next_line().is_some() {}
            lines.diagnostics.iter().map(|found| (found.code, found.span)).collect::<Vec<_>>()
        };
        let longest = "a".repeat(MAX_LINE);
        assert_eq!(found(&format!("{longest}\n{longest}")), []);
        let too_long = Span::new(2, 2 + MAX_LINE + 1);
        assert_eq!(found(&format!("b\n{longest}a\nb")), [(Code::LineTooLong, too_long)]);
        assert_eq!(found(&"RUN aaaa \\\n".repeat(MAX_LINE)), []);
    }

    #[test]
    fn heredoc_bodies_follow_their_line() {
        let text = "RUN <<A cat <<-B\n# a\\\n\nA\n\tb\n\tB\nRUN c";
        let mut lines = Lines::of_file(text);
        let line = lines.next_line().unwrap();
        let contents: Vec<_> = lines.heredocs(&line).into_iter().map(|heredoc| heredoc.content).collect();
        assert_eq!(contents, ["# a\\\n\n", "\tb\n"]);
        assert_eq!(lines.next_line().unwrap().text, "RUN c");
    }
}
