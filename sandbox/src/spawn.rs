//! The caller's side: order a sandbox from the server, wait for its supervisor's word, kill what it runs.
//!
//! The server is started by the first order with `posix_spawn` (what [`std::process::Command`] uses when no
//! closure has to run in the child); see [`server`](crate::server) for why. Its standard input is its end of the
//! control socket; everything else, the command's own streams included, is sent over that socket, so that no
//! descriptor can leak into some other child that another thread starts at the same time. Any number of
//! threads may give orders at once: an order is one message, and each has its own conversation from there on.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};

use crate::cgroup::Incidents;
use crate::channel::{Attached, Channel, Order, Received, Reply, Request, Role};
use crate::error::SandboxError;
use crate::sealed;
use crate::server::SERVER_ARGUMENT;
use crate::spec::{Network, Spec};

/// Starts sandboxed processes by way of a helper executable. Clones share one server process, which ends with
/// the last of them and of their [`Running`] processes.
#[derive(Debug, Clone)]
pub struct Sandbox {
    helper: PathBuf,
    server: Arc<Mutex<Option<Arc<Server>>>>,
}

/// The server process, from outside.
#[derive(Debug)]
struct Server {
    channel: Channel,
    child: Child,
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
    /// Further descriptors of the same streams.
    pub fn try_clone(&self) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::Channel { attempt: "open streams for", source };
        let copy = |stream: &Stream| match stream {
            Stream::Null => Ok(Stream::Null),
            Stream::Inherit => Ok(Stream::Inherit),
            Stream::Descriptor(descriptor) => descriptor.try_clone().map(Stream::Descriptor).map_err(failed),
        };
        Ok(Self { stdin: copy(&self.stdin)?, stdout: copy(&self.stdout)?, stderr: copy(&self.stderr)? })
    }

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
    /// `helper` is executed when the first process is asked for. It must call [`init`](crate::init()) first in
    /// its `main`: the running executable itself (`/proc/self/exe`), or in tests a program that does so.
    pub fn new(helper: PathBuf) -> Self {
        Self { helper, server: Arc::default() }
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
        let encoded = memory_file(spec).map_err(failed("encode the specification for"))?;

        let (channel, theirs) = Channel::pair().map_err(failed("open a channel to"))?;
        let mut attached = vec![
            (Role::Conversation, theirs.as_fd()),
            (Role::Spec, encoded.as_fd()),
            (Role::Stdin, stdin.as_fd()),
            (Role::Stdout, stdout.as_fd()),
            (Role::Stderr, stderr.as_fd()),
        ];
        if let Network::Isolated(namespace) = &spec.network {
            attached.push((Role::Network, namespace.as_fd()));
        }
        let server = self.order(&attached)?;
        // Only the supervisor and the server have it now, so the conversation ends with them.
        drop(theirs);
        let channel = Arc::new(channel);
        let mut running = Running { channel, state: State::Alive, terminal: None, _server: server };
        let (reply, mut attached) = running.receive()?;
        if let Reply::Failed(failure) = reply {
            return Err(failure.into());
        }
        running.terminal = attached.take(Role::Terminal);
        Ok(running)
    }

    /// Gives an order to the server. One that has died is replaced.
    fn order(&self, attached: &[(Role, BorrowedFd<'_>)]) -> Result<Arc<Server>, SandboxError> {
        let failed = |source| SandboxError::Channel { attempt: "send the specification to", source };
        let server = self.server(None)?;
        match server.channel.send(&Order::Run, attached) {
            Ok(()) => Ok(server),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                let server = self.server(Some(&server))?;
                server.channel.send(&Order::Run, attached).map_err(failed)?;
                Ok(server)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The server; a new one if there is none yet, or none but the one that is known to be `dead`.
    fn server(&self, dead: Option<&Arc<Server>>) -> Result<Arc<Server>, SandboxError> {
        let mut current = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(server) if !dead.is_some_and(|dead| Arc::ptr_eq(dead, server)) => Ok(Arc::clone(server)),
            _ => {
                let server = Arc::new(Server::start(&self.helper)?);
                *current = Some(Arc::clone(&server));
                Ok(server)
            }
        }
    }
}

impl Server {
    fn start(helper: &Path) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::StartHelper { helper: helper.to_owned(), source };
        let (channel, theirs) = Channel::pair().map_err(failed)?;
        let sealed = sealed::program(helper);
        let program = sealed.as_ref().map_or_else(|| helper.to_owned(), sealed::path);
        let child = Command::new(program)
            .arg(SERVER_ARGUMENT)
            // The caller's environment may hold secrets and has no business in the sandbox.
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(std::process::Stdio::null())
            .spawn()
            .map_err(failed)?;
        Ok(Self { channel, child })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends when nobody can give it orders any more and its supervisors have ended. They have nothing to do
        // any more: whoever could listen to them keeps the server.
        self.channel.hang_up();
        let _ = self.child.wait();
    }
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
    state: State,
    terminal: Option<OwnedFd>,
    /// Kept until this is over.
    _server: Arc<Server>,
}

/// What the supervisor has told so far.
#[derive(Debug, Clone, Copy)]
enum State {
    /// There may be processes.
    Alive,
    /// There are none: they ended this way.
    Exited(Exit, Incidents),
    /// There are none or they are being killed, and nobody will tell how they ended.
    Gone,
}

impl Running {
    /// Waits until the process, and with it every process of the sandbox, has ended. May be called again.
    pub fn wait(&mut self) -> Result<Exit, SandboxError> {
        loop {
            if let State::Exited(exit, _) = self.state {
                return Ok(exit);
            }
            self.receive()?;
        }
    }

    /// What the kernel did to the processes for lack of resources, once they have ended.
    pub fn incidents(&self) -> Incidents {
        match self.state {
            State::Exited(_, incidents) => incidents,
            State::Alive | State::Gone => Incidents::default(),
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

    /// Waits for the supervisor's next word.
    fn receive(&mut self) -> Result<(Reply, Attached), SandboxError> {
        let lost = |status| SandboxError::HelperLost { status };
        match self.channel.receive() {
            Ok(Received::Message(reply, attached)) => {
                match &reply {
                    Reply::Started => {}
                    Reply::Failed(_) => self.state = State::Gone,
                    Reply::Exited(exit, incidents) => self.state = State::Exited(*exit, *incidents),
                    Reply::Lost(status) => {
                        self.state = State::Gone;
                        return Err(lost(Some(ExitStatus::from_raw(*status))));
                    }
                }
                Ok((reply, attached))
            }
            Ok(Received::Closed) => {
                self.state = State::Gone;
                Err(lost(None))
            }
            Err(source) => Err(SandboxError::Channel { attempt: "hear from", source }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The supervisor takes that as the order to kill everything, and tells when it is done.
        self.channel.hang_up();
        while matches!(self.state, State::Alive) && self.receive().is_ok() {}
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
