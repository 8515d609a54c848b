//! The caller's side: start the helper, wait for its word, kill what it runs.
//!
//! The helper is started with `posix_spawn` (what [`std::process::Command`] uses when no closure has to run
//! in the child), because a fork of a process with gigabytes of memory and many threads takes hundreds of
//! milliseconds and may not even allocate afterwards. Its standard input is its end of the control socket;
//! everything else, the command's own streams included, is sent over that socket, so that no descriptor can
//! leak into some other child that another thread starts at the same time.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;

use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};

use crate::channel::{Channel, Received, Reply, Request};
use crate::error::SandboxError;
use crate::init::HELPER_ARGUMENT;
use crate::spec::Spec;

/// Starts sandboxed processes by way of a helper executable.
#[derive(Debug, Clone)]
pub struct Sandbox {
    helper: PathBuf,
}

/// Where a standard stream of the process leads.
#[derive(Debug, Default)]
pub enum Stream {
    /// `/dev/null`.
    #[default]
    Null,
    /// The caller's own stream.
    Inherit,
    /// An open file, pipe or socket.
    Descriptor(OwnedFd),
}

/// The standard streams of the process. Ignored when the process has a terminal.
#[derive(Debug, Default)]
pub struct Stdio {
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
}

impl Stdio {
    /// All three streams of the caller.
    pub fn inherit() -> Self {
        Self { stdin: Stream::Inherit, stdout: Stream::Inherit, stderr: Stream::Inherit }
    }
}

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It exited with this code.
    Code(u8),
    /// It was killed by this signal.
    Signal(i32),
}

impl Exit {
    /// The code by which shells report it: the exit code, or 128 plus the signal's number.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => i32::from(code),
            Self::Signal(number) => 128 + number,
        }
    }

    /// Whether the process exited with code 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl Sandbox {
    /// `helper` is re-executed for every process. It must call [`init`](crate::init()) first in its `main`:
    /// the running executable itself (`/proc/self/exe`), or in tests a program that does so.
    pub fn new(helper: PathBuf) -> Self {
        Self { helper }
    }

    /// Starts one process. When this returns, its command is running; all that can fail before that
    /// (a mount, the user, the command that is not there) is an error here.
    pub fn spawn(&self, spec: &Spec, stdio: Stdio) -> Result<Running, SandboxError> {
        let failed = |attempt| move |source| SandboxError::Channel { attempt, source };
        let streams = [
            stdio.stdin.open(io::stdin().as_fd(), Access::Read),
            stdio.stdout.open(io::stdout().as_fd(), Access::Write),
            stdio.stderr.open(io::stderr().as_fd(), Access::Write),
        ];
        let [stdin, stdout, stderr] = streams.map(|stream| stream.map_err(failed("open streams for")));
        let (stdin, stdout, stderr) = (stdin?, stdout?, stderr?);
        let spec = memory_file(spec).map_err(failed("encode the specification for"))?;

        let (channel, theirs) = Channel::pair().map_err(failed("open a channel to"))?;
        let child = start(&self.helper, theirs)?;
        let mut running = Running { channel: Arc::new(channel), child, exit: None, terminal: None };
        let attached = [spec.as_fd(), stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        // A helper that dies at once makes this fail, but its exit status says more.
        let sent = running.channel.send(&Request::Run, &attached);
        match running.receive()? {
            (Reply::Started, descriptors) => {
                sent.map_err(failed("send the specification to"))?;
                running.terminal = descriptors.into_iter().next();
                Ok(running)
            }
            (Reply::Failed(failure), _) => Err(failure.into()),
            (Reply::Exited(exit), _) => {
                running.exit = Some(exit);
                Ok(running)
            }
        }
    }
}

fn start(helper: &Path, channel: Channel) -> Result<Child, SandboxError> {
    Command::new(helper)
        .arg(HELPER_ARGUMENT)
        // The caller's environment may hold secrets and has no business in the sandbox.
        .env_clear()
        .stdin(OwnedFd::from(channel))
        .stdout(std::process::Stdio::null())
        .spawn()
        .map_err(|source| SandboxError::StartHelper { helper: helper.to_owned(), source })
}

fn memory_file(spec: &Spec) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("sandbox-spec", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(spec)?)?;
    Ok(file.into())
}

#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

impl Stream {
    fn open(self, own: std::os::fd::BorrowedFd<'_>, access: Access) -> io::Result<OwnedFd> {
        match self {
            Self::Null => {
                let mut options = File::options();
                let null = match access {
                    Access::Read => options.read(true),
                    Access::Write => options.write(true),
                };
                null.open("/dev/null").map(OwnedFd::from)
            }
            Self::Inherit => own.try_clone_to_owned(),
            Self::Descriptor(descriptor) => Ok(descriptor),
        }
    }
}

/// A process in its sandbox. Dropping this kills the whole tree and waits until it is gone.
#[derive(Debug)]
pub struct Running {
    channel: Arc<Channel>,
    child: Child,
    exit: Option<Exit>,
    terminal: Option<OwnedFd>,
}

impl Running {
    /// Waits until the process, and with it every process of the sandbox, has ended. May be called again.
    pub fn wait(&mut self) -> Result<Exit, SandboxError> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        loop {
            if let (Reply::Exited(exit), _) = self.receive()? {
                self.exit = Some(exit);
                return Ok(exit);
            }
        }
    }

    /// Sends signal `number` to the process. Signals for which it has no handler are ignored by the kernel,
    /// since it is pid 1 of its namespace; `SIGKILL` and `SIGSTOP` always act.
    pub fn signal(&self, number: i32) {
        self.killer().signal(number);
    }

    /// Kills the process and its whole tree; [`wait`](Self::wait) then reports the signal.
    pub fn kill(&self) {
        self.killer().kill();
    }

    /// A handle that kills from another thread while this one waits.
    pub fn killer(&self) -> Killer {
        Killer { channel: Arc::clone(&self.channel) }
    }

    /// The master side of the process's terminal, once; `None` if it has no terminal.
    pub fn terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    fn receive(&mut self) -> Result<(Reply, Vec<OwnedFd>), SandboxError> {
        match self.channel.receive() {
            Ok(Received::Message(reply, descriptors)) => Ok((reply, descriptors)),
            Ok(Received::Closed) => {
                let status = self.child.wait();
                let status =
                    status.map_err(|source| SandboxError::Channel { attempt: "wait for", source })?;
                Err(SandboxError::HelperLost { status })
            }
            Err(source) => Err(SandboxError::Channel { attempt: "hear from", source }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The helper takes a closed channel as the order to kill everything, waits for it, and exits.
        self.channel.close();
        let _ = self.child.wait();
    }
}

/// Sends signals to a [`Running`] process from any thread. Does nothing once the process has ended.
#[derive(Debug, Clone)]
pub struct Killer {
    channel: Arc<Channel>,
}

impl Killer {
    /// Kills the process and its whole tree.
    pub fn kill(&self) {
        self.signal(rustix::process::Signal::KILL.as_raw());
    }

    /// Sends signal `number` to the process; see [`Running::signal`].
    pub fn signal(&self, number: i32) {
        // The only failure is a helper that is gone, and with it the process.
        let _ = self.channel.send(&Request::Signal(number), &[]);
    }
}
