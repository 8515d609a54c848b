//! From what the solver tells about vertices to what people see of steps.
//!
//! A step begins when something of its vertex first happens. Vertices that no instruction stands
//! for, such as the empty tree, are not shown. The last lines of every step's output are kept for
//! the report of a failure.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use graph::VertexId;
use planner::steps::Steps;

use crate::event::{Event, Events, StepNumber, StepResult};

/// How many lines of output a failed step shows.
const TAIL_LINES: usize = 20;
/// How long a kept line can be; the rest of a longer one is dropped.
const TAIL_LINE_BYTES: usize = 4096;

/// Numbers steps and sends their events.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    events: Events,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    last: usize,
    vertices: HashMap<VertexId, StepNumber>,
    tails: HashMap<VertexId, Tail>,
}

impl Progress {
    pub(crate) fn new(events: &Events) -> Self {
        Self { events: events.clone(), state: Arc::default() }
    }

    /// Begins a step that the engine itself does.
    pub(crate) fn begin(&self, label: impl Into<String>) -> InternalStep {
        let step = self.with(State::next);
        self.events.send(Event::Begun { step, label: label.into(), miss: None });
        InternalStep { progress: self.clone(), step, began: Instant::now(), ended: false }
    }

    /// Sends a warning about the whole build.
    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.events.send(Event::Warning { step: None, message: message.into() });
    }

    /// The last lines that a vertex wrote.
    pub(crate) fn tail(&self, vertex: VertexId) -> Vec<String> {
        self.with(|state| state.tails.get(&vertex).map(Tail::lines).unwrap_or_default())
    }

    /// Passes on what the solver tells.
    pub(crate) fn translate(&self, event: solver::Event, steps: &Steps) {
        match event {
            solver::Event::Started { vertex, miss } => {
                self.begin_vertex(vertex, steps, miss.map(|miss| miss.to_string()));
            }
            solver::Event::Cached { vertex } => {
                if let Some(step) = self.begin_vertex(vertex, steps, None) {
                    self.end(step, StepResult::Cached, Duration::ZERO);
                }
            }
            solver::Event::Output { vertex, stream, data } => self.output(vertex, stream, data),
            solver::Event::Transfer { vertex, name, current, total } => {
                if let Some(step) = self.step(vertex) {
                    self.events.send(Event::Transfer { step, name, current, total });
                }
            }
            solver::Event::Completed { vertex, duration } => {
                self.end_vertex(vertex, StepResult::Done, duration);
            }
            solver::Event::Failed { vertex, error, duration } => {
                self.end_vertex(vertex, StepResult::Failed(error), duration);
            }
            solver::Event::Canceled { vertex, duration } => {
                self.end_vertex(vertex, StepResult::Canceled, duration);
            }
            solver::Event::Warning { vertex, message } => {
                self.events.send(Event::Warning { step: self.step(vertex), message });
            }
        }
    }

    fn output(&self, vertex: VertexId, stream: solver::Stream, data: solver::Data) {
        self.with(|state| state.tails.entry(vertex).or_default().push(&data));
        if let Some(step) = self.step(vertex) {
            self.events.send(Event::Output { step, stream, data });
        }
    }

    fn begin_vertex(&self, vertex: VertexId, steps: &Steps, miss: Option<String>) -> Option<StepNumber> {
        let label = steps.of(vertex).first()?.label.clone();
        let step = self.with(|state| {
            let step = state.next();
            state.vertices.insert(vertex, step);
            step
        });
        self.events.send(Event::Begun { step, label, miss });
        Some(step)
    }

    fn end_vertex(&self, vertex: VertexId, result: StepResult, duration: Duration) {
        if let Some(step) = self.step(vertex) {
            self.end(step, result, duration);
        }
    }

    fn end(&self, step: StepNumber, result: StepResult, duration: Duration) {
        self.events.send(Event::Ended { step, result, duration });
    }

    fn step(&self, vertex: VertexId) -> Option<StepNumber> {
        self.with(|state| state.vertices.get(&vertex).copied())
    }

    fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves counters and lines of text, which are as good as before.
        action(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn next(&mut self) -> StepNumber {
        self.last += 1;
        StepNumber(self.last)
    }
}

/// A step of the engine's own. It counts as canceled unless it is ended.
#[derive(Debug)]
pub(crate) struct InternalStep {
    progress: Progress,
    step: StepNumber,
    began: Instant,
    ended: bool,
}

impl InternalStep {
    /// Ends the step as the result says, which is passed on.
    pub(crate) fn end<T, E: std::fmt::Display>(mut self, result: Result<T, E>) -> Result<T, E> {
        self.finish(match &result {
            Ok(_) => StepResult::Done,
            Err(error) => StepResult::Failed(error.to_string()),
        });
        result
    }

    /// Tells how far a transfer is.
    pub(crate) fn transfer(&self, name: &str, current: u64, total: Option<u64>) {
        self.progress.events.send(Event::Transfer { step: self.step, name: name.to_owned(), current, total });
    }

    fn finish(&mut self, result: StepResult) {
        self.ended = true;
        self.progress.end(self.step, result, self.began.elapsed());
    }
}

impl Drop for InternalStep {
    fn drop(&mut self) {
        if !self.ended {
            self.finish(StepResult::Canceled);
        }
    }
}

/// The last lines of an output.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    open: Vec<u8>,
}

impl Tail {
    fn push(&mut self, data: &[u8]) {
        // No more than this can be kept.
        let data = data.get(data.len().saturating_sub(TAIL_LINES * TAIL_LINE_BYTES)..).unwrap_or(data);
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            let room = TAIL_LINE_BYTES.saturating_sub(self.open.len());
            self.open.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.open).trim_end_matches(['\n', '\r']).to_owned();
                self.open.clear();
                self.lines.push_back(line);
                if self.lines.len() > TAIL_LINES {
                    self.lines.pop_front();
                }
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let open = (!self.open.is_empty()).then(|| String::from_utf8_lossy(&self.open).into_owned());
        self.lines.iter().cloned().chain(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{TAIL_LINES, Tail};

    #[test]
    fn the_tail_keeps_the_last_lines() {
        let mut tail = Tail::default();
        tail.push(b"one\ntw");
        tail.push(b"o\r\nthree");
        assert_eq!(tail.lines(), ["one", "two", "three"]);
        for number in 0..100 {
            tail.push(format!("\n{number}").as_bytes());
        }
        let lines = tail.lines();
        assert_eq!(lines.len(), TAIL_LINES + 1);
        assert_eq!(lines.last().map(String::as_str), Some("99"));
    }

    #[test]
    fn a_line_without_an_end_is_bounded() {
        let mut tail = Tail::default();
        for _ in 0..1000 {
            tail.push(&[b'x'; 1000]);
        }
        assert_eq!(tail.lines()[0].len(), super::TAIL_LINE_BYTES);
    }
}
