//! Places in a Dockerfile, shown: the lines around them, with a mark, a caret, and labels.
//!
//! ```text
//! Dockerfile:3
//! --------------------
//!    1 |     FROM debian AS build
//!      |                    ----- the first one
//!    2 |     WORKDIR /src
//!    3 | >>> CPOY . .
//!      |     ^^^^
//!    4 |     RUN make
//! --------------------
//! ```

use std::collections::BTreeSet;

use engine::outcome::{DockerfileText, Finding, Label, Location};
use parser::{LineIndex, Span};
use unicode_width::UnicodeWidthStr;

/// How many lines are shown before and after the place.
const AROUND: usize = 3;
/// How many lines of the place itself are shown at the most.
const LONGEST: usize = 12;
const RULE: &str = "--------------------";

/// The places of one Dockerfile.
pub(crate) struct Excerpts<'d> {
    display: &'d str,
    index: LineIndex<'d>,
}

/// What is shown of a Dockerfile, and what is marked in it.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'f> {
    /// The lines that are marked, most often those of an instruction.
    pub(crate) span: Span,
    /// What it is about in particular; gets carets.
    pub(crate) focus: Option<Span>,
    /// Further places, each underlined with a text.
    pub(crate) labels: &'f [Label],
}

impl<'f> Shown<'f> {
    /// What a finding shows; nothing for what is about the options of the build.
    pub(crate) fn of(finding: &'f Finding) -> Option<Self> {
        let span = finding.span.or(finding.focus)?;
        Some(Self { span, focus: finding.focus, labels: &finding.labels })
    }
}

impl<'d> Excerpts<'d> {
    /// Those of this Dockerfile.
    pub(crate) fn new(dockerfile: &'d DockerfileText) -> Self {
        Self { display: &dockerfile.display, index: LineIndex::new(&dockerfile.text) }
    }

    /// How messages call the file.
    pub(crate) fn file(&self) -> &str {
        self.display
    }

    /// The place as `file:line:column`.
    pub(crate) fn position(&self, span: Span) -> String {
        let position = self.index.position(span.start);
        format!("{}:{}:{}", self.display, position.line, position.column)
    }

    /// The line on which a place begins, counted from one.
    pub(crate) fn line(&self, span: Span) -> usize {
        self.index.line(span.start)
    }

    /// The lines of [`lines`](Self::lines) below a line `file:line`, which scripts look for.
    pub(crate) fn excerpt(&self, shown: Shown<'_>) -> String {
        format!("{}:{}\n{}", self.display, self.line(shown.span), self.lines(shown, AROUND))
    }

    /// The lines of a place, as many around it, and those of its labels.
    pub(crate) fn lines(&self, shown: Shown<'_>, around: usize) -> String {
        let index = &self.index;
        let (first, last) = index.lines(shown.span);
        let around = first.saturating_sub(around).max(1)..=(last + around).min(index.line_count());
        let is_left_out = |number: &usize| (first + LONGEST..last).contains(number);
        let mut numbers: BTreeSet<usize> = around.filter(|number| !is_left_out(number)).collect();
        numbers.extend(shown.labels.iter().map(|label| index.line(label.span.start)));
        let mut text = format!("{RULE}\n");
        let mut before = None;
        for number in numbers {
            if before.is_some_and(|before| before + 1 < number) {
                text.push_str("     |     ...\n");
            }
            before = Some(number);
            let mark = if (first..=last).contains(&number) { ">>>" } else { "   " };
            text.push_str(format!("{number:4} | {mark} {}", visible(index.line_text(number))).trim_end());
            text.push('\n');
            if let Some(focus) = shown.focus.filter(|focus| index.lines(*focus) == (number, number)) {
                text.push_str(&underline(index, focus, number, ("^", "")));
            }
            for label in shown.labels.iter().filter(|label| index.line(label.span.start) == number) {
                text.push_str(&underline(index, label.span, number, ("-", &label.text)));
            }
        }
        text + RULE + "\n"
    }
}

/// The lines around a place, which is marked. What it is about in particular gets carets.
pub(crate) fn excerpt(location: &Location, focus: Option<Span>) -> String {
    Excerpts::new(&location.dockerfile).excerpt(Shown { span: location.span, focus, labels: &[] })
}

/// The line below a line that underlines a part of it, and a text behind that.
fn underline(index: &LineIndex<'_>, part: Span, number: usize, (with, text): (&str, &str)) -> String {
    let line = index.line_text(number);
    let start = index.line_span(number).start;
    let from = part.start.saturating_sub(start).min(line.len());
    let to = part.end.saturating_sub(start).clamp(from, line.len());
    let (Some(before), Some(part)) = (line.get(..from), line.get(from..to)) else { return String::new() };
    let before = " ".repeat(visible(before).width());
    let below = with.repeat(visible(part).width().max(1));
    format!("{}\n", format!("     |     {before}{below} {text}").trim_end())
}

/// A line as it can be shown: tabs as wide as four spaces, no control characters.
fn visible(line: &str) -> String {
    line.replace('\t', "    ").chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// The place of the text between the brackets.
    fn location(text: &str) -> Location {
        let (start, end) = (text.find('[').expect("a place"), text.find(']').expect("a place"));
        let text = text.replace(['[', ']'], "");
        let dockerfile = Arc::new(DockerfileText { display: "Dockerfile".into(), text });
        Location { dockerfile, span: Span::new(start, end - 1) }
    }

    #[test]
    fn a_word_gets_carets() {
        let location = location("FROM a\n\n\nENV A=1\n\tCOPY\t[--bog=ü] a b\nRUN x\n");
        insta::assert_snapshot!(excerpt(&location, Some(location.span)), @r"
        Dockerfile:5
        --------------------
           2 |
           3 |
           4 |     ENV A=1
           5 | >>>     COPY    --bog=ü a b
             |                 ^^^^^^^
           6 |     RUN x
        --------------------
        ");
        assert_eq!(Excerpts::new(&location.dockerfile).position(location.span), "Dockerfile:5:7");
    }

    #[test]
    fn an_instruction_of_several_lines_is_marked_on_each() {
        insta::assert_snapshot!(excerpt(&location("FROM a\n[RUN a \\\n  && b]\n"), None), @r"
        Dockerfile:2
        --------------------
           1 |     FROM a
           2 | >>> RUN a \
           3 | >>>   && b
        --------------------
        ");
    }

    #[test]
    fn a_long_instruction_is_cut_in_its_middle() {
        let lines = (0..20).map(|n| format!("echo {n}\n")).collect::<Vec<_>>().concat();
        let text = excerpt(&location(&format!("[RUN <<EOF\n{lines}EOF]\n")), None);
        assert!(text.contains("  12 | >>> echo 10\n     |     ...\n  22 | >>> EOF\n"), "{text}");
    }

    #[test]
    fn labels_are_shown_however_far_away_they_are() {
        let location = location("# escape=`\n\n\n\n\n\nFROM a\nRUN b\n# [escape=\\]\n");
        let labels = [
            Label { span: Span::new(0, 10), text: "given first here".into() },
            Label { span: Span::new(23, 26), text: "and this".into() },
        ];
        let shown = Shown { span: location.span, focus: Some(location.span), labels: &labels };
        insta::assert_snapshot!(Excerpts::new(&location.dockerfile).excerpt(shown), @r"
        Dockerfile:9
        --------------------
           1 |     # escape=`
             |     ---------- given first here
             |     ...
           6 |
           7 |     FROM a
           8 |     RUN b
             |     --- and this
           9 | >>> # escape=\
             |       ^^^^^^^^
        --------------------
        ");
    }

    #[test]
    fn a_place_behind_the_end_is_shown_at_the_last_line() {
        let location = location("FROM a\nRUN <<EOF\nx[]");
        insta::assert_snapshot!(excerpt(&location, Some(location.span)), @r"
        Dockerfile:3
        --------------------
           1 |     FROM a
           2 |     RUN <<EOF
           3 | >>> x
             |      ^
        --------------------
        ");
    }
}
