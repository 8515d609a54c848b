//! Plain progress: every line once, in the form of BuildKit's `--progress=plain`.
//!
//! ```text
//! #3 [build 2/3] RUN make
//! #3 not cached: main.c changed
//! #3 0.213 cc -c main.c
//! #3 DONE 1.2s
//!
//! ```
//!
//! Steps that run at once are not mixed line by line. One step has the stage, and what others
//! write waits. They get their turn when it ends, when it falls silent, when it has held the stage for
//! long, or when one of them has very much to say: then `#3 ...` is written, and the step's name again when
//! it goes on.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::time::Duration;

use engine::{Event, StepNumber, StepResult};

use super::Renderer;
use crate::units;

/// How long a silent step keeps the stage while others wait.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a step keeps the stage while others wait.
const LONGEST_TURN: Duration = Duration::from_secs(10);
/// How many bytes a step can have to say before it takes the stage.
const MOST_PENDING: usize = 256 << 10;
/// How often the state of a transfer is written.
const BETWEEN_TRANSFERS: Duration = Duration::from_secs(5);

/// The renderer.
pub(crate) struct Plain<W> {
    out: W,
    steps: BTreeMap<StepNumber, Step>,
    turn: Option<Turn>,
    /// Steps with something to say, in the order in which they asked.
    waiting: VecDeque<StepNumber>,
}

/// A step that has the stage.
struct Turn {
    step: StepNumber,
    since: Duration,
    last_line: Duration,
}

/// What is known of a step.
struct Step {
    label: String,
    begun: Duration,
    /// Complete lines that nobody saw yet.
    pending: Vec<u8>,
    ended: bool,
    /// When the state of a transfer was last written.
    transfers: BTreeMap<String, Duration>,
}

impl<W: Write> Plain<W> {
    /// A renderer that writes to `out`.
    pub(crate) fn new(out: W) -> Self {
        Self { out, steps: BTreeMap::new(), turn: None, waiting: VecDeque::new() }
    }

    /// Notes lines for a step and lets it write them if it has the stage.
    fn say(&mut self, number: StepNumber, lines: &[u8], now: Duration) -> io::Result<()> {
        let Some(step) = self.steps.get_mut(&number) else { return Ok(()) };
        step.pending.extend_from_slice(lines);
        match &mut self.turn {
            Some(turn) if turn.step == number => turn.last_line = now,
            _ if step.pending.len() > MOST_PENDING => {
                self.waiting.retain(|other| *other != number);
                self.waiting.push_front(number);
                self.end_turn()?;
            }
            _ if self.waiting.contains(&number) => {}
            _ => self.waiting.push_back(number),
        }
        self.write_what_may_be(now)
    }

    fn write_what_may_be(&mut self, now: Duration) -> io::Result<()> {
        loop {
            if let Some(turn) = &self.turn {
                let Some(step) = self.steps.get_mut(&turn.step) else { return Ok(()) };
                self.out.write_all(&std::mem::take(&mut step.pending))?;
                if step.ended {
                    self.out.write_all(b"\n")?;
                    self.steps.remove(&turn.step);
                    self.turn = None;
                } else {
                    return self.out.flush();
                }
            }
            let Some(next) = self.waiting.pop_front() else { return self.out.flush() };
            if let Some(step) = self.steps.get(&next) {
                writeln!(self.out, "#{} {}", next.0, step.label)?;
                self.turn = Some(Turn { step: next, since: now, last_line: now });
            }
        }
    }

    fn end_turn(&mut self) -> io::Result<()> {
        if let Some(turn) = self.turn.take() {
            write!(self.out, "#{} ...\n\n", turn.step.0)?;
        }
        Ok(())
    }

    fn transfer(&mut self, number: StepNumber, transfer: Transfer<'_>, now: Duration) -> io::Result<()> {
        let Some(step) = self.steps.get_mut(&number) else { return Ok(()) };
        let last = step.transfers.get(transfer.name).copied();
        let complete = transfer.total == Some(transfer.current);
        if !complete && last.is_some_and(|last| now < last + BETWEEN_TRANSFERS) {
            return Ok(());
        }
        step.transfers.insert(transfer.name.to_owned(), now);
        let of = transfer.total.map(|total| format!(" / {}", units::size(total))).unwrap_or_default();
        let time = now.saturating_sub(step.begun).as_secs_f64();
        let done = if complete { " done" } else { "" };
        let size = units::size(transfer.current);
        let line = format!("#{} {} {size}{of} {time:.1}s{done}\n", number.0, transfer.name);
        self.say(number, line.as_bytes(), now)
    }

    fn output(&mut self, number: StepNumber, data: &[u8], now: Duration) -> io::Result<()> {
        let Some(step) = self.steps.get(&number) else { return Ok(()) };
        let prefix = format!("#{} {} ", number.0, timestamp(now.saturating_sub(step.begun)));
        let mut lines = Vec::new();
        for line in data.strip_suffix(b"\n").unwrap_or(data).split(|byte| *byte == b'\n') {
            lines.extend_from_slice(prefix.as_bytes());
            lines.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            lines.push(b'\n');
        }
        self.say(number, &lines, now)
    }
}

#[derive(Clone, Copy)]
struct Transfer<'a> {
    name: &'a str,
    current: u64,
    total: Option<u64>,
}

impl<W: Write + Send> Renderer for Plain<W> {
    fn event(&mut self, event: &Event, now: Duration) -> io::Result<()> {
        match event {
            Event::Begun { step, label, miss } => {
                let label = label.replace(['\n', '\r'], " ");
                let (pending, transfers) = (Vec::new(), BTreeMap::new());
                self.steps.insert(*step, Step { label, begun: now, pending, ended: false, transfers });
                let miss = miss.as_ref().map(|miss| format!("#{} not cached: {miss}\n", step.0));
                self.say(*step, miss.unwrap_or_default().as_bytes(), now)
            }
            Event::Output { step, data, .. } => self.output(*step, data, now),
            Event::Transfer { step, name, current, total } => {
                self.transfer(*step, Transfer { name, current: *current, total: *total }, now)
            }
            Event::Ended { step, result, duration } => {
                if let Some(step) = self.steps.get_mut(step) {
                    step.ended = true;
                }
                let line = match result {
                    StepResult::Done => format!("#{} DONE {:.1}s\n", step.0, duration.as_secs_f64()),
                    StepResult::Cached => format!("#{} CACHED\n", step.0),
                    StepResult::Failed(reason) => format!("#{} ERROR: {reason}\n", step.0),
                    StepResult::Canceled => format!("#{} CANCELED\n", step.0),
                };
                self.say(*step, line.as_bytes(), now)
            }
            Event::Warning { step: Some(step), message } => {
                self.say(*step, format!("#{} WARN: {message}\n", step.0).as_bytes(), now)
            }
            Event::Warning { step: None, message } => writeln!(self.out, "warning: {message}"),
        }
    }

    fn tick(&mut self, now: Duration) -> io::Result<()> {
        let over = |turn: &Turn| now >= turn.last_line + SILENCE || now >= turn.since + LONGEST_TURN;
        if !self.waiting.is_empty() && self.turn.as_ref().is_some_and(over) {
            self.end_turn()?;
        }
        self.write_what_may_be(now)
    }

    fn finish(&mut self, now: Duration) -> io::Result<()> {
        self.write_what_may_be(now)?;
        while !self.waiting.is_empty() {
            self.end_turn()?;
            self.write_what_may_be(now)?;
        }
        match self.turn.take() {
            Some(_) => writeln!(self.out),
            None => Ok(()),
        }
    }
}

/// Seconds in five characters, as precise as they allow: `0.213`, `12.35`, `123.4`.
fn timestamp(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let decimals = match seconds {
        s if s < 9.9995 => 3,
        s if s < 99.995 => 2,
        s if s < 999.95 => 1,
        _ => 0,
    };
    format!("{seconds:.decimals$}")
}

#[cfg(test)]
mod tests {
    use engine::Stream;

    use super::*;

    const MAKE: StepNumber = StepNumber(1);
    const TEST: StepNumber = StepNumber(2);

    fn begun(step: StepNumber, label: &str) -> Event {
        Event::Begun { step, label: label.to_owned(), miss: None }
    }

    fn output(step: StepNumber, text: &str) -> Event {
        Event::Output { step, stream: Stream::Stdout, data: text.as_bytes().to_vec().into() }
    }

    fn ended(step: StepNumber, result: StepResult) -> Event {
        Event::Ended { step, result, duration: Duration::from_millis(1234) }
    }

    /// What is written for these events, each at its time in milliseconds.
    fn rendered(events: &[(u64, Event)]) -> String {
        let mut out = Vec::new();
        let mut plain = Plain::new(&mut out);
        let mut now = Duration::ZERO;
        for (milliseconds, event) in events {
            now = Duration::from_millis(*milliseconds);
            plain.tick(now).expect("memory can be written");
            plain.event(event, now).expect("memory can be written");
        }
        plain.finish(now).expect("memory can be written");
        String::from_utf8(out).expect("all input is text")
    }

    #[test]
    fn a_step_from_its_name_to_its_end() {
        let miss = Some("main.c changed".to_owned());
        let text = rendered(&[
            (0, Event::Begun { step: MAKE, label: "[build 2/3] RUN make".into(), miss }),
            (213, output(MAKE, "cc -c main.c\r\ncc main.o\n")),
            (1234, ended(MAKE, StepResult::Done)),
            (1240, begun(TEST, "[3/3] COPY a b")),
            (1240, ended(TEST, StepResult::Cached)),
        ]);
        insta::assert_snapshot!(text, @r"
        #1 [build 2/3] RUN make
        #1 not cached: main.c changed
        #1 0.213 cc -c main.c
        #1 0.213 cc main.o
        #1 DONE 1.2s

        #2 [3/3] COPY a b
        #2 CACHED

        ");
    }

    #[test]
    fn steps_that_run_at_once_take_turns() {
        let text = rendered(&[
            (0, begun(MAKE, "RUN make")),
            (0, begun(TEST, "RUN test")),
            (100, output(TEST, "test one")),
            (200, output(MAKE, "make one")),
            (2300, output(TEST, "test two")),
            (2400, output(MAKE, "make two")),
            (2500, ended(TEST, StepResult::Failed("exit code: 1".into()))),
            (2600, ended(MAKE, StepResult::Canceled)),
        ]);
        insta::assert_snapshot!(text, @r"
        #1 RUN make
        #1 0.200 make one
        #1 ...

        #2 RUN test
        #2 0.100 test one
        #2 2.300 test two
        #2 ERROR: exit code: 1

        #1 RUN make
        #1 2.400 make two
        #1 CANCELED

        ");
    }

    #[test]
    fn a_step_with_very_much_to_say_takes_the_stage() {
        // With number and time in front of each line, two thirds of what may wait.
        let much = "a line\n".repeat(MOST_PENDING / "#2 0.010 a line\n".len() * 2 / 3);
        let text = rendered(&[
            (0, begun(MAKE, "RUN make")),
            (0, begun(TEST, "RUN test")),
            (10, output(TEST, &much)),
            (20, output(MAKE, "make")),
            (30, output(TEST, &much)),
            (40, output(MAKE, "again")),
            (50, ended(TEST, StepResult::Done)),
            (60, ended(MAKE, StepResult::Done)),
        ]);
        let said = |line: &&str| !line.ends_with("a line") && !line.is_empty();
        let said: Vec<&str> = text.lines().filter(said).collect();
        assert_eq!(
            said,
            [
                "#1 RUN make",
                "#1 0.020 make",
                "#1 ...",
                "#2 RUN test",
                "#2 DONE 1.2s",
                "#1 RUN make",
                "#1 0.040 again",
                "#1 DONE 1.2s"
            ]
        );
    }

    #[test]
    fn nothing_is_lost_when_a_build_stops_in_between() {
        let text = rendered(&[
            (0, begun(MAKE, "RUN make")),
            (0, begun(TEST, "RUN test")),
            (100, output(TEST, "the last words")),
        ]);
        insta::assert_snapshot!(text, @r"
        #1 RUN make
        #1 ...

        #2 RUN test
        #2 0.100 the last words

        ");
    }

    #[test]
    fn transfers_are_written_now_and_then_and_when_they_are_complete() {
        let transfer = |current| Event::Transfer {
            step: MAKE,
            name: "sha256:0123abc".into(),
            current,
            total: Some(30_000_000),
        };
        let text = rendered(&[
            (0, begun(MAKE, "[1/2] FROM debian")),
            (100, transfer(1_000_000)),
            (200, transfer(2_000_000)),
            (5200, transfer(29_000_000)),
            (5300, transfer(30_000_000)),
        ]);
        insta::assert_snapshot!(text, @r"
        #1 [1/2] FROM debian
        #1 sha256:0123abc 1MB / 30MB 0.1s
        #1 sha256:0123abc 29MB / 30MB 5.2s
        #1 sha256:0123abc 30MB / 30MB 5.3s done

        ");
    }

    #[test]
    fn timestamps_have_five_characters() {
        let text = |seconds| timestamp(Duration::from_secs_f64(seconds));
        assert_eq!(
            [text(0.0), text(9.9999), text(12.345), text(123.45)],
            ["0.000", "10.00", "12.35", "123.5"]
        );
    }
}
