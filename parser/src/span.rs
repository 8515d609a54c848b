//! Places in a text: byte ranges, and the lines and columns that they stand for.

use std::ops::Range;

/// A range of bytes of the text that was parsed; both ends lie on character boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The range from `start` up to and without `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether it covers nothing and only names a place.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The smallest range that covers both.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The part of `text` that it covers; empty where it is not a range of this text.
    pub fn of(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or_default()
    }

    /// The same as a standard range.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Where the lines of a text begin: turns byte offsets into lines and columns.
#[derive(Clone, Debug)]
pub struct LineIndex<'text> {
    text: &'text str,
    starts: Vec<usize>,
}

/// A line and a column, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Character within the line, from 1.
    pub column: usize,
}

impl<'text> LineIndex<'text> {
    /// Finds the line starts of `text`.
    pub fn new(text: &'text str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        LineIndex { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    /// The text that was indexed.
    pub fn text(&self) -> &'text str {
        self.text
    }

    /// How many lines there are; a text that ends in a newline has no empty line after it.
    pub fn line_count(&self) -> usize {
        match self.starts.last() {
            Some(last) if *last == self.text.len() && self.starts.len() > 1 => self.starts.len() - 1,
            _ => self.starts.len(),
        }
    }

    /// The line (from 1) that holds byte `offset`; the last line for what lies behind the text.
    pub fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).clamp(1, self.line_count())
    }

    /// Line and column of byte `offset`.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.line(offset);
        let start = self.starts[line - 1];
        let offset = offset.clamp(start, self.text.len());
        let before = self.text.get(start..offset).unwrap_or_default();
        Position { line, column: before.chars().count() + 1 }
    }

    /// The first and the last line (from 1) that `span` touches.
    pub fn lines(&self, span: Span) -> (usize, usize) {
        let last = if span.is_empty() { span.start } else { span.end - 1 };
        (self.line(span.start), self.line(last))
    }

    /// The text of a line (from 1) without its line end; empty for a line that does not exist.
    pub fn line_text(&self, line: usize) -> &'text str {
        let Some(start) = line.checked_sub(1).and_then(|index| self.starts.get(index)) else { return "" };
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text[*start..end].trim_end_matches(['\r', '\n'])
    }

    /// The range of a line (from 1), line end left out; an empty range at the end of the text for a
    /// line that does not exist.
    pub fn line_span(&self, line: usize) -> Span {
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied();
        let start = start.unwrap_or(self.text.len());
        Span::new(start, start + self.line_text(line).len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let index = LineIndex::new("a\nüb\r\n\nend");
        assert_eq!(index.line_count(), 4);
        assert_eq!(index.position(0), Position { line: 1, column: 1 });
        assert_eq!(index.position(4), Position { line: 2, column: 2 });
        assert_eq!(index.position(999), Position { line: 4, column: 4 });
        assert_eq!(index.line_text(2), "üb");
        assert_eq!(index.line_text(9), "");
        assert_eq!(index.line_span(2).of(index.text()), "üb");
        assert_eq!(index.lines(Span::new(0, 6)), (1, 2));
    }

    #[test]
    fn a_last_newline_starts_no_line() {
        assert_eq!(LineIndex::new("a\n").line_count(), 1);
        assert_eq!(LineIndex::new("a\n").line(2), 1);
        assert_eq!(LineIndex::new("").line_count(), 1);
    }
}
