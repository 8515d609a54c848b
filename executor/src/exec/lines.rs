//! From what a process writes to what is told of it: secrets replaced, cut into lines.

use solver::{StepLog, Stream};

use crate::exec::redaction::{RedactedStream, Redaction};

/// A line longer than this is passed on in parts.
const LONGEST_LINE: usize = 64 << 10;

/// How much is kept of the end of the output.
const KEPT: usize = 4 << 10;

/// The output of a step on its way to the log.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    log: &'a StepLog,
    stdout: Unfinished<'a>,
    stderr: Unfinished<'a>,
    /// The end of all that was written, both streams together.
    last: Vec<u8>,
}

/// A stream and its last line, which has no end yet.
#[derive(Debug)]
struct Unfinished<'a> {
    redacted: RedactedStream<'a>,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// Begins.
    pub(crate) fn new(log: &'a StepLog, redaction: &'a Redaction) -> Self {
        let unfinished = || Unfinished { redacted: redaction.stream(), line: Vec::new() };
        Self { log, stdout: unfinished(), stderr: unfinished(), last: Vec::new() }
    }

    /// Takes what was written. Whole lines are passed on; this waits while too many of them are on their way.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let unfinished = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let shown = unfinished.redacted.push(bytes);
        unfinished.line.extend_from_slice(&shown);
        // What was there before has no end of a line.
        let before = unfinished.line.len() - shown.len();
        let end = shown.iter().rposition(|byte| *byte == b'\n').map(|position| before + position + 1);
        let end = end.or((unfinished.line.len() >= LONGEST_LINE).then_some(unfinished.line.len()));
        if let Some(end) = end {
            let rest = unfinished.line.split_off(end);
            let lines = std::mem::replace(&mut unfinished.line, rest);
            self.tell(stream, lines);
        }
    }

    /// Passes on what is left, and gives the end of all output.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let unfinished = match stream {
                Stream::Stdout => &mut self.stdout,
                Stream::Stderr => &mut self.stderr,
            };
            let mut line = std::mem::take(&mut unfinished.line);
            line.extend(unfinished.redacted.finish());
            if !line.is_empty() {
                self.tell(stream, line);
            }
        }
        self.last
    }

    fn tell(&mut self, stream: Stream, lines: Vec<u8>) {
        self.last.extend_from_slice(&lines[lines.len().saturating_sub(KEPT)..]);
        let surplus = self.last.len().saturating_sub(KEPT);
        self.last.drain(..surplus);
        self.log.output(stream, lines);
    }
}
