//! Between the user's terminal and a process in a sandbox, a container or a shell in a failed step: signals, and
//! where it has a terminal of its own the bytes themselves.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::thread::JoinHandle;

use engine::{Exit, Killer};
use rustix::termios::{self, OptionalActions, Termios};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::report::Failure;

/// Waits for a process in the foreground. What `signals` has collected goes to it; its terminal is the user's for so
/// long, and the user's is as before when this returns. Without `interactive` nothing that the user types gets there.
pub(crate) fn attend<T>(
    signals: Signals,
    (killer, master): (Killer, Option<OwnedFd>),
    interactive: bool,
    wait: impl FnOnce() -> T,
) -> Result<T, Failure> {
    let resized = master.as_ref().and_then(|master| master.try_clone().ok());
    let session = master.map(|master| Session::start(master, interactive)).transpose()?;
    signals.forward_to(killer, resized);
    let ended = wait();
    drop(session);
    Ok(ended)
}

/// The exit code of a process, as shells report it.
pub(crate) fn exit_code(exit: Exit) -> ExitCode {
    ExitCode::from(u8::try_from(exit.shell_code()).unwrap_or(u8::MAX))
}

/// Where signals go.
struct Target {
    killer: Killer,
    terminal: Option<OwnedFd>,
}

/// The signals that this process gets, from before the container starts. They are passed on as
/// soon as there is a container, in their order.
pub(crate) struct Signals {
    target: oneshot::Sender<Target>,
}

impl Signals {
    /// Starts to collect signals, in a thread.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Self::start().map_err(|error| Failure::because("cannot listen for signals", error))
    }

    fn start() -> io::Result<Self> {
        let (target, container) = oneshot::channel();
        let (sender, signals) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let guard = runtime.enter();
        for kind in kinds() {
            let mut stream = signal(kind)?;
            let sender = sender.clone();
            runtime.spawn(async move { while stream.recv().await.is_some() && sender.send(kind).is_ok() {} });
        }
        drop(guard);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(forward(signals, container));
        })?;
        Ok(Self { target })
    }

    /// Passes signals on to a container. A change of the window's size goes to its terminal.
    fn forward_to(self, killer: Killer, terminal: Option<OwnedFd>) {
        // The thread ends with the process only, so that it is there to receive.
        let _ = self.target.send(Target { killer, terminal });
    }
}

fn kinds() -> [SignalKind; 7] {
    [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::window_change(),
    ]
}

async fn forward(mut signals: mpsc::UnboundedReceiver<SignalKind>, container: oneshot::Receiver<Target>) {
    let Ok(target) = container.await else { return };
    while let Some(kind) = signals.recv().await {
        match &target.terminal {
            Some(terminal) if kind == SignalKind::window_change() => copy_window_size(terminal),
            None if kind == SignalKind::window_change() => {}
            _ => target.killer.signal(kind.as_raw_value()),
        }
    }
}

/// Gives a terminal the size of the user's.
fn copy_window_size(terminal: &OwnedFd) {
    if let Ok(size) = termios::tcgetwinsize(io::stdin()) {
        // A terminal that is gone needs no size.
        let _ = termios::tcsetwinsize(terminal, size);
    }
}

/// A container's terminal on the user's: what one writes, the other shows. Dropped, it shows what
/// is left and puts the user's terminal back.
struct Session {
    output: Option<JoinHandle<()>>,
    cooked: Option<Termios>,
}

impl Session {
    /// Connects the two. Without `interactive` nothing that the user types gets to the container.
    fn start(master: OwnedFd, interactive: bool) -> Result<Self, Failure> {
        Self::connect(master, interactive).map_err(|error| Failure::because("cannot use the terminal", error))
    }

    fn connect(master: OwnedFd, interactive: bool) -> io::Result<Self> {
        copy_window_size(&master);
        let mut session = Self { output: None, cooked: None };
        if interactive {
            if io::stdin().is_terminal() {
                session.cooked = Some(make_raw(io::stdin())?);
            }
            let master = File::from(master.try_clone()?);
            // It waits for input that may never come: it ends with the process.
            std::thread::Builder::new().name("input".into()).spawn(move || copy(io::stdin(), master))?;
        }
        let master = File::from(master);
        let output = move || copy(master, io::stdout());
        session.output = Some(std::thread::Builder::new().name("output".into()).spawn(output)?);
        Ok(session)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(output) = self.output.take() {
            // Ends when nobody in the container has the terminal open any more.
            let _ = output.join();
        }
        if let Some(cooked) = &self.cooked {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Flush, cooked);
        }
    }
}

/// Lets every key through as it is, and returns how the terminal was before.
fn make_raw(terminal: impl AsFd) -> io::Result<Termios> {
    let cooked = termios::tcgetattr(&terminal)?;
    let mut raw = cooked.clone();
    raw.make_raw();
    termios::tcsetattr(&terminal, OptionalActions::Flush, &raw)?;
    Ok(cooked)
}

/// Copies until one side is closed, which a terminal reports as an error.
fn copy(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 8192];
    while let Ok(length) = from.read(&mut buffer) {
        let written = buffer.get(..length).filter(|bytes| !bytes.is_empty());
        let Some(bytes) = written else { return };
        if to.write_all(bytes).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}
