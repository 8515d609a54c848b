//! Running the prepared process, with its output read and its end awaited.
//!
//! Everything about a sandboxed process blocks, so it is waited for on a blocking thread, which owns
//! the draft and all that is mounted. The async side holds nothing but the means to kill: when its
//! future is dropped, the process tree is killed, the blocking thread's wait returns, and the draft
//! is deleted there. So nothing is ever removed under a running process.

use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sandbox::{Exit, Incidents, Killer, Sandbox, Stdio, Stream};
use solver::StepLog;

use crate::blocking::blocking;
use crate::exec::Prepared;
use crate::exec::error::ExecError;

/// A line longer than this is passed on in parts.
const LONGEST_LINE: u64 = 64 * 1024;

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
) -> (Prepared, Result<(Exit, Incidents), ExecError>) {
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
) -> Result<(Exit, Incidents), ExecError> {
    let failed = |source| ExecError::Sandbox { command: command.to_owned(), source };
    let (stdout, stdout_writer) = io::pipe().map_err(ExecError::Pipe)?;
    let (stderr, stderr_writer) = io::pipe().map_err(ExecError::Pipe)?;
    let stdio = Stdio {
        stdin: Stream::Null,
        stdout: Stream::Descriptor(OwnedFd::from(stdout_writer)),
        stderr: Stream::Descriptor(OwnedFd::from(stderr_writer)),
    };
    let mut running = sandbox.spawn(&prepared.spec, stdio).map_err(failed)?;
    {
        let mut handle = handle.lock().unwrap_or_else(PoisonError::into_inner);
        match *handle {
            Handle::Canceled => running.kill(),
            Handle::Waiting | Handle::Running(_) => *handle = Handle::Running(running.killer()),
        }
    }
    // The pipes end when the last process of the tree is gone.
    thread::scope(|scope| {
        scope.spawn(|| pass_on(stdout, solver::Stream::Stdout, log));
        scope.spawn(|| pass_on(stderr, solver::Stream::Stderr, log));
        let exit = running.wait().map_err(failed)?;
        Ok((exit, running.incidents()))
    })
}

/// Passes on what comes through a pipe, line by line, until it ends.
fn pass_on(pipe: PipeReader, stream: solver::Stream, log: &StepLog) {
    let mut reader = BufReader::with_capacity(64 * 1024, pipe);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => log.output(stream, line),
            Err(error) => {
                tracing::debug!(%error, "the output of a process could not be read");
                return;
            }
        }
    }
}
