//! Places in a Dockerfile, shown: the lines around them, with a mark and a caret.
//!
//! ```text
//! Dockerfile:3
//! --------------------
//!    1 |     FROM debian
//!    2 |     WORKDIR /src
//!    3 | >>> CPOY . .
//!      |     ^^^^
//!    4 |     RUN make
//! --------------------
//! ```

use engine::outcome::{DockerfileText, Location};
use parser::{LineIndex, Span};
use unicode_width::UnicodeWidthStr;

/// How many lines are shown before and after the place.
const AROUND: usize = 3;
/// How many lines of the place itself are shown at the most.
const LONGEST: usize = 12;
const RULE: &str = "--------------------";

/// The place as `file:line:column`.
pub(crate) fn position(location: &Location) -> String {
    let DockerfileText { display, text } = &*location.dockerfile;
    let position = LineIndex::new(text).position(location.span.start);
    format!("{display}:{}:{}", position.line, position.column)
}

/// The line on which a place begins, counted from one.
pub(crate) fn line(dockerfile: &DockerfileText, span: Span) -> usize {
    LineIndex::new(&dockerfile.text).position(span.start).line
}

/// The lines around a place, which is marked. What it is about in particular gets carets.
pub(crate) fn excerpt(location: &Location, focus: Option<Span>) -> String {
    let DockerfileText { display, text } = &*location.dockerfile;
    let index = LineIndex::new(text);
    let (first, last) = index.lines(location.span);
    let shown = first.saturating_sub(AROUND).max(1)..=(last + AROUND).min(index.line_count());
    let mut excerpt = format!("{display}:{first}\n{RULE}\n");
    for number in shown {
        if number == first + LONGEST && number < last {
            excerpt.push_str("     |     ...\n");
        }
        if (first + LONGEST..last).contains(&number) {
            continue;
        }
        let mark = if (first..=last).contains(&number) { ">>>" } else { "   " };
        let line = visible(index.line_text(number));
        excerpt.push_str(format!("{number:4} | {mark} {line}").trim_end());
        excerpt.push('\n');
        if let Some(focus) = focus.filter(|focus| index.lines(*focus) == (number, number)) {
            excerpt.push_str(&caret(&index, focus, number));
        }
    }
    excerpt.push_str(RULE);
    excerpt.push('\n');
    excerpt
}

/// The line below a line, with carets below a part of it.
fn caret(index: &LineIndex<'_>, part: Span, number: usize) -> String {
    let line = index.line_text(number);
    let start = index.line_span(number).start;
    let from = part.start.saturating_sub(start).min(line.len());
    let to = part.end.saturating_sub(start).clamp(from, line.len());
    let (Some(before), Some(part)) = (line.get(..from), line.get(from..to)) else { return String::new() };
    let before = " ".repeat(visible(before).width());
    let carets = "^".repeat(visible(part).width().max(1));
    format!("     |     {before}{carets}\n")
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
        assert_eq!(position(&location), "Dockerfile:5:7");
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
