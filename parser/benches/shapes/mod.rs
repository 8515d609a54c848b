//! Texts that repeat something, and how the time that is spent on them grows with their length.

use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// How many times as long the long one of two texts is.
const TIMES: usize = 10;

/// A byte of the long text may take this many times as long as one of the short text. Caches and pages
/// that are new cost something; quadratic time costs tenfold.
const MOST: f64 = 5.0;

/// A kind of text: what it begins with, what is repeated, what it ends with.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    name: &'static str,
    start: &'static str,
    /// Each `@` in it becomes the number of the repetition.
    piece: &'static str,
    end: &'static str,
}

/// A kind of text of that name.
pub const fn shape(name: &'static str, start: &'static str, piece: &'static str, end: &'static str) -> Shape {
    Shape { name, start, piece, end }
}

impl Shape {
    /// A text of about this many bytes.
    fn text(&self, length: usize) -> String {
        let mut text = self.start.to_owned();
        let mut number = 0;
        while text.len() + self.end.len() < length {
            let mut parts = self.piece.split('@');
            text.push_str(parts.next().unwrap_or_default());
            for part in parts {
                text.push_str(&number.to_string());
                text.push_str(part);
            }
            number += 1;
        }
        text + self.end
    }
}

/// Prints for each shape how fast `work` is on a text of `length` bytes and on one that is [`TIMES`] times
/// as long, and how much longer a byte of that takes. `prepare` is not counted. The arguments of the program choose shapes by a part of
/// their names.
pub fn compare<T>(shapes: &[Shape], length: usize, prepare: impl Fn(&str) -> T, work: impl Fn(&T)) {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted =
        |shape: &&Shape| wanted.is_empty() || wanted.iter().any(|part| shape.name.contains(part.as_str()));
    let title = |length: usize| format!("{} KB", length / 1000);
    println!("{:<36} {:>10} {:>10} {:>10}", "", title(length), title(TIMES * length), "per byte");
    for shape in shapes.iter().filter(is_wanted) {
        print!("{:<36}", shape.name);
        let _ = std::io::stdout().flush();
        let speed = |length: usize| {
            let text = shape.text(length);
            let time = best(&prepare(&text), &work);
            f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX)) / 1e6 / time.as_secs_f64()
        };
        let (short, long) = (speed(length), speed(TIMES * length));
        let growth = short / long;
        let verdict = if growth > MOST { "  NOT LINEAR" } else { "" };
        println!(" {short:>5.1} MB/s {long:>5.1} MB/s {growth:>10.1}{verdict}");
    }
}

/// The best run of a few, as many as fit into a second.
fn best<T>(prepared: &T, work: impl Fn(&T)) -> Duration {
    let begin = Instant::now();
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        work(black_box(prepared));
        best = best.min(start.elapsed());
        if begin.elapsed() > Duration::from_secs(1) {
            break;
        }
    }
    best
}
