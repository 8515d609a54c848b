//! Progress for terminals: one line a step, redrawn in place.
//!
//! ```text
//! [+] Building 4.2s (3/4)
//!  => CACHED [build 1/2] FROM docker.io/library/debian:bookworm-slim      0.0s
//!  => [build 2/2] RUN make                                                3.1s
//!  => => cc -c main.c
//! ```
//!
//! [`State`] collects what is known and lays it out as lines; it knows neither terminal nor
//! clock. [`Tty`] writes the lines: it moves the cursor up over those of the last time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use engine::{Event, StepNumber, StepResult};
use unicode_width::UnicodeWidthChar;

use super::Renderer;
use crate::units;

/// How many of the last lines of a running step are shown.
const OUTPUT_LINES: usize = 6;

/// A size of a terminal in characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Its width.
    pub(crate) columns: usize,
    /// Its height.
    pub(crate) rows: usize,
}

/// How a line is to look; it says the same without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Normal,
    Finished,
    Failed,
    Faint,
}

impl Style {
    fn escape(self) -> &'static str {
        match self {
            Style::Normal => "",
            Style::Finished => "\x1b[34m",
            Style::Failed => "\x1b[31m",
            Style::Faint => "\x1b[2m",
        }
    }
}

/// A line of the picture.
#[derive(Debug)]
struct Line {
    style: Style,
    text: String,
}

/// What is known of a build.
#[derive(Default)]
struct State {
    steps: BTreeMap<StepNumber, Step>,
    warnings: Vec<String>,
}

struct Step {
    label: String,
    begun: Duration,
    end: Option<(StepResult, Duration)>,
    output: VecDeque<String>,
    transfers: BTreeMap<String, (u64, Option<u64>)>,
}

impl State {
    fn apply(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Begun { step, label, .. } => {
                let step = self.steps.entry(*step).or_insert_with(|| Step::new(now));
                step.label = printable(label);
            }
            Event::Output { step, data, .. } => {
                if let Some(step) = self.steps.get_mut(step) {
                    step.add_output(data);
                }
            }
            Event::Transfer { step, name, current, total } => {
                if let Some(step) = self.steps.get_mut(step) {
                    step.transfers.insert(printable(name), (*current, *total));
                }
            }
            Event::Ended { step, result, duration } => {
                if let Some(step) = self.steps.get_mut(step) {
                    step.end = Some((result.clone(), *duration));
                    step.transfers.clear();
                }
            }
            Event::Warning { message, .. } => self.warnings.push(printable(message)),
        }
    }

    /// The picture at a time. With a limit on the rows, finished steps are left out first, the
    /// oldest before the others.
    fn lines(&self, now: Duration, columns: usize, rows: Option<usize>) -> Vec<Line> {
        let finished = self.steps.values().filter(|step| step.end.is_some()).count();
        let all = if finished == self.steps.len() { " FINISHED" } else { "" };
        let heading =
            format!("[+] Building {:.1}s ({finished}/{}){all}", now.as_secs_f64(), self.steps.len());
        let mut blocks: VecDeque<(bool, Vec<Line>)> =
            self.steps.values().map(|step| (step.end.is_some(), step.lines(now, columns))).collect();
        let warnings = self.warnings.iter().map(|text| format!(" => warning: {text}"));
        let mut height = 1 + self.warnings.len() + blocks.iter().map(|(_, lines)| lines.len()).sum::<usize>();
        if let Some(rows) = rows {
            while height > rows {
                let Some(at) = blocks.iter().position(|(finished, _)| *finished) else { break };
                height -= blocks.remove(at).map_or(0, |(_, lines)| lines.len());
            }
        }
        let heading = Line { style: Style::Normal, text: fitted(&heading, columns) };
        let warnings = warnings.map(|text| Line { style: Style::Normal, text: fitted(&text, columns) });
        let steps = blocks.into_iter().flat_map(|(_, lines)| lines);
        std::iter::once(heading).chain(steps).chain(warnings).take(rows.unwrap_or(usize::MAX)).collect()
    }
}

impl Step {
    fn new(begun: Duration) -> Self {
        Self { label: String::new(), begun, end: None, output: VecDeque::new(), transfers: BTreeMap::new() }
    }

    fn add_output(&mut self, data: &[u8]) {
        // What comes before the last lines would not be seen.
        let ends = data.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let start = ends.take(OUTPUT_LINES + 1).nth(OUTPUT_LINES).unwrap_or(0);
        for line in String::from_utf8_lossy(data.get(start..).unwrap_or_default()).lines() {
            // A program that draws a progress bar returns to the start of the line and writes it
            // again: the last version counts.
            let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
            self.output.push_back(printable(line));
        }
        let surplus = self.output.len().saturating_sub(OUTPUT_LINES);
        self.output.drain(..surplus);
    }

    fn lines(&self, now: Duration, columns: usize) -> Vec<Line> {
        let (style, word, time) = match &self.end {
            None => (Style::Normal, "", now.saturating_sub(self.begun)),
            Some((StepResult::Done, time)) => (Style::Finished, "", *time),
            Some((StepResult::Cached, time)) => (Style::Finished, "CACHED ", *time),
            Some((StepResult::Failed(_), time)) => (Style::Failed, "ERROR ", *time),
            Some((StepResult::Canceled, time)) => (Style::Normal, "CANCELED ", *time),
        };
        let time = format!(" {:.1}s", time.as_secs_f64());
        let room = columns.saturating_sub(time.len());
        let text = fitted(&format!(" => {word}{}", self.label), room);
        let padding = " ".repeat(room.saturating_sub(width(&text)));
        let mut lines = vec![Line { style, text: format!("{text}{padding}{time}") }];
        if self.end.is_none() {
            let transfers = self.transfers.iter().map(|(name, (current, total))| {
                let of = total.map(|total| format!(" / {}", units::size(total))).unwrap_or_default();
                format!(" => => {name} {}{of}", units::size(*current))
            });
            let output = self.output.iter().map(|line| format!(" => => # {line}"));
            let below = transfers.chain(output);
            lines.extend(below.map(|text| Line { style: Style::Faint, text: fitted(&text, columns) }));
        }
        lines
    }
}

/// The renderer: writes to `out`, a terminal of the size that `size` says.
pub(crate) struct Tty<W, S> {
    out: W,
    size: S,
    colour: bool,
    state: State,
    /// How many lines of the last picture stand above the cursor.
    drawn: usize,
}

impl<W: Write, S: Fn() -> Size> Tty<W, S> {
    /// A renderer that has drawn nothing yet.
    pub(crate) fn new(out: W, size: S, colour: bool) -> Self {
        Self { out, size, colour, state: State::default(), drawn: 0 }
    }

    fn draw(&mut self, now: Duration, last: bool) -> io::Result<()> {
        if self.state.steps.is_empty() && self.state.warnings.is_empty() {
            return Ok(());
        }
        let Size { columns, rows } = (self.size)();
        // The cursor stands below the picture and needs a row of its own. The last picture may
        // scroll out at the top, since nothing moves back over it.
        let rows = (!last).then_some(rows.saturating_sub(1).max(1));
        let lines = self.state.lines(now, columns, rows);
        let mut picture = String::new();
        if self.drawn > 0 {
            let _ = write!(picture, "\x1b[{}A", self.drawn);
        }
        picture.push_str("\r\x1b[J");
        for Line { style, text } in &lines {
            let escape = if self.colour { style.escape() } else { "" };
            let reset = if escape.is_empty() { "" } else { "\x1b[0m" };
            let _ = writeln!(picture, "{escape}{text}{reset}");
        }
        self.drawn = lines.len();
        // At once, so that the terminal does not show half a picture.
        self.out.write_all(picture.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write + Send, S: Fn() -> Size + Send> Renderer for Tty<W, S> {
    fn event(&mut self, event: &Event, now: Duration) -> io::Result<()> {
        self.state.apply(event, now);
        Ok(())
    }

    fn tick(&mut self, now: Duration) -> io::Result<()> {
        self.draw(now, false)
    }

    fn finish(&mut self, now: Duration) -> io::Result<()> {
        self.draw(now, true)
    }
}

/// The text without what would move the cursor or change the terminal: control characters, and
/// escape sequences with their arguments.
fn printable(text: &str) -> String {
    let mut printable = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' if characters.next_if_eq(&'[').is_some() => {
                // Parameters up to the letter that names the command.
                while characters.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\x1b' if characters.next_if_eq(&']').is_some() => {
                // A string up to a bell or the escape of a terminator.
                while characters.next().is_some_and(|c| c != '\x07' && c != '\x1b') {}
                characters.next_if_eq(&'\\');
            }
            '\t' => printable.push_str("    "),
            '\n' | '\r' => printable.push(' '),
            c if c.is_control() => {}
            c => printable.push(c),
        }
    }
    printable
}

fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// As much of the text as fits into so many columns.
fn fitted(text: &str, columns: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use engine::Stream;

    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn begun(step: usize, label: &str) -> Event {
        Event::Begun { step: StepNumber(step), label: label.to_owned(), miss: None }
    }

    fn output(step: usize, text: &str) -> Event {
        Event::Output {
            step: StepNumber(step),
            stream: Stream::Stdout,
            data: text.as_bytes().to_vec().into(),
        }
    }

    fn ended(step: usize, result: StepResult, seconds: f64) -> Event {
        Event::Ended { step: StepNumber(step), result, duration: at(seconds) }
    }

    fn state(events: &[Event]) -> State {
        let mut state = State::default();
        for event in events {
            state.apply(event, at(1.0));
        }
        state
    }

    fn picture(state: &State, columns: usize, rows: Option<usize>) -> String {
        let lines = state.lines(at(4.2), columns, rows).into_iter().map(|line| line.text);
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_picture_of_a_build() {
        let transfer = Event::Transfer {
            step: StepNumber(4),
            name: "sha256:0123abc".into(),
            current: 1_200_000,
            total: Some(29_000_000),
        };
        let state = state(&[
            begun(1, "[build 1/2] FROM docker.io/library/debian:bookworm-slim@sha256:0123456789"),
            ended(1, StepResult::Cached, 0.0),
            begun(2, "[build 2/2] RUN make"),
            begun(3, "[test 2/2] RUN false"),
            begun(4, "[2/3] ADD https://example.com/x /"),
            output(2, "10%\r20%\r\n\x1b[1mcc\x1b[0m -c\tmain.c\n"),
            ended(3, StepResult::Failed("exit code: 1".into()), 0.3),
            transfer,
        ]);
        insta::assert_snapshot!(picture(&state, 60, None), @r"
        [+] Building 4.2s (2/4)
         => CACHED [build 1/2] FROM docker.io/library/debian:bo 0.0s
         => [build 2/2] RUN make                                3.2s
         => => # 20%
         => => # cc -c    main.c
         => ERROR [test 2/2] RUN false                          0.3s
         => [2/3] ADD https://example.com/x /                   3.2s
         => => sha256:0123abc 1.2MB / 29MB
        ");
    }

    #[test]
    fn finished_steps_make_room_for_running_ones() {
        let state = state(&[
            begun(1, "one"),
            ended(1, StepResult::Done, 1.0),
            begun(2, "two"),
            begun(3, "three"),
            ended(3, StepResult::Done, 1.0),
        ]);
        insta::assert_snapshot!(picture(&state, 30, Some(3)), @r"
        [+] Building 4.2s (2/3)
         => two                   3.2s
         => three                 1.0s
        ");
        assert_eq!(picture(&state, 30, Some(1)), "[+] Building 4.2s (2/3)");
    }

    #[test]
    fn a_picture_is_drawn_over_the_last_one() {
        let mut out = Vec::new();
        let size = || Size { columns: 20, rows: 24 };
        let mut tty = Tty::new(&mut out, size, true);
        tty.event(&begun(1, "one"), at(0.0)).expect("memory can be written");
        tty.tick(at(0.1)).expect("memory can be written");
        tty.event(&ended(1, StepResult::Done, 0.2), at(0.2)).expect("memory can be written");
        tty.finish(at(0.2)).expect("memory can be written");
        let text = String::from_utf8(out).expect("all input is text").replace('\x1b', "ESC");
        insta::assert_snapshot!(text.replace('\r', "CR"), @r"
        CRESC[J[+] Building 0.1s (0
         => one         0.1s
        ESC[2ACRESC[J[+] Building 0.2s (1
        ESC[34m => one         0.2sESC[0m
        ");
    }

    #[test]
    fn output_cannot_control_the_terminal() {
        assert_eq!(printable("\x1b[2J\x1b]0;title\x07a\x1b[31;1mb\x08\x07\x1b[0m\tc"), "ab    c");
        assert_eq!(printable("\x1b]8;;http://x\x1b\\link\x1b"), "link");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(fitted("日本語", 5), "日本");
    }
}
