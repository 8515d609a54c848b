//! What the user sees while a build runs, on standard error.
//!
//! The engine sends [`Event`]s; a [`Renderer`] turns them into text. [`show`] brings the two
//! together, with the renderer in a task of its own, so that a slow terminal does not slow down the
//! build.
//!
//! - [`plain`]: every line once, for log files
//! - [`tty`]: one line a step, redrawn in place, for terminals
//! - [`rawjson`]: BuildKit's status objects, for programs

mod plain;
mod rawjson;
mod tty;

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use engine::{Event, EventReceiver, Events};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::environment::Environment;
use crate::interrupt;
use crate::report::Failure;

/// How often a renderer is told that time went by.
const TICK: Duration = Duration::from_millis(100);

/// How the progress of a build is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// `tty` on a terminal, `plain` elsewhere.
    Auto,
    /// Every line of output once, as it comes.
    Plain,
    /// A table of the steps that is redrawn in place.
    Tty,
    /// Nothing but the id of the image at the end.
    Quiet,
    /// Nothing.
    None,
    /// One JSON object a line, in BuildKit's form.
    Rawjson,
}

impl Mode {
    /// The mode that a flag asks for, or else the environment.
    pub(crate) fn choose(flag: Option<Mode>, environment: &Environment) -> Mode {
        let from_variable = |text| <Mode as clap::ValueEnum>::from_str(text, true).ok();
        flag.or_else(|| environment.progress().and_then(from_variable)).unwrap_or(Mode::Auto)
    }
}

/// Turns events into text. Times count from the start of the build.
pub(crate) trait Renderer: Send {
    /// Takes an event.
    fn event(&mut self, event: &Event, now: Duration) -> io::Result<()>;
    /// Time went by.
    fn tick(&mut self, now: Duration) -> io::Result<()>;
    /// There will be no more events: writes what is left.
    fn finish(&mut self, now: Duration) -> io::Result<()>;
}

/// Runs `work` to its end, or to the first signal, and shows the events that it sends.
pub(crate) async fn show<T>(
    mode: Mode,
    environment: &Environment,
    work: impl AsyncFnOnce(&Events) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (events, receiver) = Events::channel();
    let progress = Progress::start(mode, environment, receiver);
    let result = interrupt::until_interrupted(work(&events)).await;
    progress.finish().await;
    result
}

/// A renderer at work.
struct Progress {
    ended: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Progress {
    /// Starts to show what comes out of `events`.
    fn start(mode: Mode, environment: &Environment, events: EventReceiver) -> Self {
        let (ended, end) = oneshot::channel();
        let task = tokio::spawn(follow(renderer(mode, environment), events, end));
        Self { ended, task }
    }

    /// Shows what was sent so far and ends.
    async fn finish(self) {
        let _ = self.ended.send(());
        // The task fails only if a renderer panics; the result of the build counts all the same.
        let _ = self.task.await;
    }
}

fn renderer(mode: Mode, environment: &Environment) -> Option<Box<dyn Renderer>> {
    let terminal = io::stderr().is_terminal();
    match mode {
        Mode::Tty | Mode::Auto if terminal => {
            Some(Box::new(tty::Tty::new(io::stderr(), terminal_size, environment.allows_colour())))
        }
        Mode::Tty | Mode::Auto | Mode::Plain => Some(Box::new(plain::Plain::new(io::stderr()))),
        Mode::Rawjson => Some(Box::new(rawjson::RawJson::new(io::stderr()))),
        Mode::Quiet | Mode::None => None,
    }
}

/// Columns and rows of the terminal behind standard error.
fn terminal_size() -> tty::Size {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    // A terminal that does not know its size says zero.
    let known = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    known.map_or(tty::Size { columns: 80, rows: 24 }, |size| tty::Size {
        columns: usize::from(size.ws_col),
        rows: usize::from(size.ws_row),
    })
}

async fn follow(
    mut renderer: Option<Box<dyn Renderer>>,
    mut events: EventReceiver,
    mut end: oneshot::Receiver<()>,
) {
    let start = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        // Once nobody reads standard error any more, events are taken and dropped.
        let written = tokio::select! {
            biased;
            event = events.recv() => match (event, &mut renderer) {
                (Some(event), Some(renderer)) => renderer.event(&event, start.elapsed()),
                (Some(_), None) => Ok(()),
                (None, _) => break,
            },
            _ = &mut end => break,
            _ = ticks.tick() => renderer.as_mut().map_or(Ok(()), |renderer| renderer.tick(start.elapsed())),
        };
        if written.is_err() {
            renderer = None;
        }
    }
    if let Some(mut renderer) = renderer {
        let _ = renderer.finish(start.elapsed());
    }
    let _ = io::stderr().flush();
}
