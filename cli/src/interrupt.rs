//! What ^C does.
//!
//! The first SIGINT or SIGTERM cancels: the work is dropped, and dropping kills process trees,
//! removes drafts and releases locks. Whoever cannot wait for that sends a second signal, which
//! ends this process at once; what it leaves behind is removed by the next one.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::report::Failure;

/// Runs `work` to its end, or to the first signal.
pub(crate) async fn until_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let first = listen().map_err(|error| Failure::because("cannot listen for signals", error))?;
    tokio::select! {
        biased;
        Ok(signal) = first => Err(Failure::Interrupted(signal)),
        result = work => result,
    }
}

/// Starts to listen. The listener is a thread with a runtime of its own: the second signal has to
/// work also while the runtime of the first shuts down.
fn listen() -> io::Result<oneshot::Receiver<u8>> {
    let (sender, receiver) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(guard);
    let mut next = move || {
        runtime.block_on(async {
            let kind = tokio::select! {
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
            };
            u8::try_from(kind.as_raw_value()).unwrap_or(u8::MAX)
        })
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        // Nobody waits for it any more when the work is done; then a signal ends the process, too.
        let _ = sender.send(next());
        let second = next();
        #[expect(clippy::exit, reason = "the user does not want to wait for the clean-up")]
        std::process::exit(i32::from(exit_code(second)))
    })?;
    Ok(receiver)
}

/// The exit code of a program that a signal ended, as shells report it.
pub(crate) fn exit_code(signal: u8) -> u8 {
    signal.saturating_add(128)
}
