//! Running the prepared process, with its output read and its end awaited.
//!
//! Everything about a sandboxed process blocks, so it is waited for on a blocking thread, which owns
//! the draft and all that is mounted. The async side holds nothing but the means to kill: when its
//! future is dropped, the process tree is killed, the blocking thread's wait returns, and the draft
//! is deleted there. So nothing is ever removed under a running process.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sandbox::{Exit, Incidents, Killer, Sandbox, Stdio, Stream};
use solver::StepLog;

use crate::blocking::blocking;
use crate::exec::Prepared;
use crate::exec::capture::{Capture, Writers};
use crate::exec::error::ExecError;
use crate::exec::lines::Lines;

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// By which code or signal.
    pub(crate) exit: Exit,
    /// What the kernel did to it.
    pub(crate) incidents: Incidents,
    /// The last that it wrote, a few lines.
    pub(crate) last_output: Vec<u8>,
}

/// How to kill the process, shared by the thread that starts it and the future that may be dropped.
#[derive(Debug, Default)]
enum Handle {
    /// There is no process yet.
    #[default]
    Waiting,
    /// It runs.
    Running(Killer),
    /// Nobody wants it any more.
    Canceled,
}

/// Kills the process tree when it is dropped. A process that has ended is not harmed.
#[derive(Debug, Default)]
struct KillOnDrop(Arc<Mutex<Handle>>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let mut handle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Handle::Running(killer) = std::mem::replace(&mut *handle, Handle::Canceled) {
            killer.kill();
        }
    }
}

/// Starts the process and waits for its end. What it writes goes to the log, line by line. What was prepared
/// comes back, whatever became of the process.
pub(crate) async fn run(
    sandbox: Sandbox,
    prepared: Prepared,
    command: &str,
    log: &StepLog,
) -> (Prepared, Result<Ended, ExecError>) {
    let guard = KillOnDrop::default();
    let (handle, log, command) = (Arc::clone(&guard.0), log.clone(), command.to_owned());
    blocking(move || {
        let ended = start_and_wait(&sandbox, &prepared, &handle, &log, &command);
        (prepared, ended)
    })
    .await
}

fn start_and_wait(
    sandbox: &Sandbox,
    prepared: &Prepared,
    handle: &Mutex<Handle>,
    log: &StepLog,
    command: &str,
) -> Result<Ended, ExecError> {
    let failed = |source| ExecError::Sandbox { command: command.to_owned(), source };
    let (capture, Writers { stdout, stderr, alive }) = Capture::open().map_err(ExecError::Pipe)?;
    let stdio =
        Stdio { stdin: Stream::Null, stdout: Stream::Descriptor(stdout), stderr: Stream::Descriptor(stderr) };
    let mut running = sandbox.spawn(&prepared.spec, stdio).map_err(failed)?;
    {
        let mut handle = handle.lock().unwrap_or_else(PoisonError::into_inner);
        match *handle {
            Handle::Canceled => running.kill(),
            Handle::Waiting | Handle::Running(_) => *handle = Handle::Running(running.killer()),
        }
    }
    thread::scope(|scope| {
        let mut lines = Lines::new(log, &prepared.redaction);
        let reading = scope.spawn(move || {
            if let Err(error) = capture.read(|stream, bytes| lines.push(stream, bytes)) {
                tracing::debug!(%error, "the output of a process could not be read");
            }
            lines.finish()
        });
        let exit = running.wait();
        drop(alive);
        let last_output = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let exit = exit.map_err(failed)?;
        Ok(Ended { exit, incidents: running.incidents(), last_output })
    })
}
