//! Here-documents: `<<NAME` in a RUN, COPY or ADD line, and the lines up to `NAME` that follow it.

use crate::word::{self, ExpandError, Expansion};
use crate::{Span, grammar};

/// One here-document of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The word after `<<` without its quotes; also the line that ends the document.
    pub name: String,
    /// The lines of the document as they stand in the file, line ends included.
    pub content: String,
    /// Where [`content`](Heredoc::content) stands.
    pub span: Span,
    /// Whether variables in it are meant to be replaced: no part of the word after `<<` is quoted.
    pub expands: bool,
    /// `<<-`: tabs at the start of each line do not count.
    pub strips_tabs: bool,
}

impl Heredoc {
    /// The document with nothing replaced, and without the tabs that do not count.
    pub fn text(&self) -> String {
        if !self.strips_tabs {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }

    /// The document as the content of a file: variables are replaced where the delimiter is not quoted;
    /// quotes are text; the escape character is the backslash whatever the file's is.
    pub fn expand(&self, mut lookup: impl FnMut(&str) -> Option<String>) -> Result<Expansion, ExpandError> {
        if !self.expands {
            return Ok(Expansion { text: self.text(), unset: Vec::new() });
        }
        word::expand_heredoc(&self.text(), self.span, &mut lookup)
    }
}

/// A line with its here-documents behind it, as they were written.
pub(crate) fn put_back(mut line: String, heredocs: &[Heredoc]) -> String {
    for heredoc in heredocs {
        line.push('\n');
        line.push_str(&heredoc.content);
        line.push_str(&heredoc.name);
    }
    line
}

/// `[DESCRIPTOR]<<[-]NAME`: announces a here-document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) name: String,
    expands: bool,
    pub(crate) strips_tabs: bool,
}

impl Marker {
    /// Reads a word that is nothing but a marker.
    pub(crate) fn parse(text: &str) -> Option<Marker> {
        if !text.contains("<<") {
            return None;
        }
        let (strips_tabs, name) = grammar::heredoc(text)?;
        if name.is_empty() {
            return None;
        }
        let (plain, written) = word::single_word(name)?;
        let quotes = |text: &str| text.matches(['\'', '"']).count();
        let expands = quotes(&plain) == quotes(&written);
        Some(Marker { name: plain, expands, strips_tabs })
    }

    /// The markers among the words of a line, in order.
    pub(crate) fn all(line: &str) -> Vec<Marker> {
        if !line.contains("<<") {
            return Vec::new();
        }
        word::raw_words(line).unwrap_or_default().iter().filter_map(|word| Marker::parse(word)).collect()
    }

    /// The here-document with its content.
    pub(crate) fn with_content(self, content: &str, span: Span) -> Heredoc {
        let Marker { name, expands, strips_tabs } = self;
        Heredoc { name, content: content.to_owned(), span, expands, strips_tabs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_among_the_words_of_a_line() {
        let names = |line| Marker::all(line).into_iter().map(|marker| marker.name).collect::<Vec<_>>();
        assert_eq!(names("RUN <<EOF"), ["EOF"]);
        assert_eq!(names("RUN cat <<A >x <<-'B C' 3<<\"D\""), ["A", "B C", "D"]);
        assert_eq!(names("RUN << EOF"), ["EOF"]);
        assert_eq!(names("RUN cat <<< text"), Vec::<String>::new());
        assert_eq!(names("RUN echo '<<EOF'"), Vec::<String>::new());
        assert_eq!(names("RUN echo a<<EOF"), Vec::<String>::new());
        assert_eq!(names("RUN echo \"open <<EOF"), Vec::<String>::new());
        assert_eq!(names("RUN <<"), Vec::<String>::new());
    }

    #[test]
    fn quotes_switch_off_expansion() {
        let expands = |text| Marker::parse(text).map(|marker| marker.expands);
        assert_eq!(expands("<<EOF"), Some(true));
        assert_eq!(expands("<<'EOF'"), Some(false));
        assert_eq!(expands("<<E\"O\"F"), Some(false));
        assert_eq!(expands("<<EOF more"), None);
    }

    #[test]
    fn text_and_expansion() {
        let marker = Marker::parse("<<-EOF").unwrap();
        let heredoc = marker.with_content("\t\ta=\"$x\"\n\tb\t\n", Span::default());
        assert_eq!(heredoc.text(), "a=\"$x\"\nb\t\n");
        assert_eq!(heredoc.expand(|_| Some("1".into())).unwrap().text, "a=\"1\"\nb\t\n");
    }
}
