//! The companion of the keeper: a process that stays in the network of the machine, where sockets can be made that
//! lead outside. An ordinary user can never come back to it.
//!
//! It is pid 1 of a pid namespace, so that the program which it may run for the [uplink](super::tap) dies with it,
//! whatever that program does; and the kernel kills it when the keeper dies. It has a mount namespace, too: there
//! it shows the router's namespace under a path, since pasta takes no descriptor and, once it has dropped what it
//! may do, cannot open those of other processes.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use super::forwarder::Forwarder;
use super::tap;
use crate::channel::{Attached, Channel, Received, Role};
use crate::sys::{self, Forked};

/// A directory that every machine has, and that nobody looks into in the companion's mount namespace.
const PLACE: &str = "/tmp";
/// Where the router's namespace is shown.
const NAMESPACE: &str = "/tmp/router";

/// What the keeper asks for.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// Answer the questions about names that come to the two attached sockets, for datagrams and connections.
    Forward,
    /// Run a program for the uplink of the attached network namespace.
    Run(tap::Order),
}

/// What the companion tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Heard {
    /// The program has ended, or could not be started.
    ProgramEnded {
        /// The last line that it wrote, or how it ended.
        message: String,
    },
}

/// The companion, as the keeper knows it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Companion(Channel);

impl Companion {
    /// Forks it off, before the keeper leaves the network of the machine.
    pub(crate) fn start() -> io::Result<Self> {
        let (ours, theirs) = Channel::pair()?;
        match sys::fork(UnshareFlags::NEWPID | UnshareFlags::NEWNS, None)? {
            Forked::Child => {
                drop(ours);
                live(theirs)
            }
            Forked::Parent { .. } => Ok(Self(ours)),
        }
    }

    /// Hands over the sockets to which questions about names come.
    pub(crate) fn forward(&self, questions: &UdpSocket, connections: &TcpListener) -> io::Result<()> {
        self.0.send(
            &Request::Forward,
            &[(Role::Datagrams, questions.as_fd()), (Role::Connections, connections.as_fd())],
        )
    }

    /// Has a program run that connects a network namespace.
    pub(crate) fn run(&self, order: &tap::Order, namespace: BorrowedFd<'_>) -> io::Result<()> {
        self.0.send(&Request::Run(order.clone()), &[(Role::Network, namespace)])
    }

    /// Waits for what it has to tell.
    pub(crate) fn hear(&self) -> io::Result<Heard> {
        match self.0.receive()? {
            Received::Message(heard, _) => Ok(heard),
            Received::Closed => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl AsFd for Companion {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The whole life of the companion.
#[expect(clippy::exit, reason = "the companion is a process of its own and ends here")]
fn live(keeper: Channel) -> ! {
    // From here on the descriptors of the keeper are not its own, but for this one; none of them may stay open.
    let result = become_alone(keeper).and_then(|keeper| work(&keeper));
    std::process::exit(i32::from(result.is_err()))
}

/// Closes what the fork has copied, and has the kernel end this process with the keeper.
fn become_alone(keeper: Channel) -> io::Result<Channel> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let keeper = OwnedFd::from(keeper);
    rustix::stdio::dup2_stdin(&keeper)?;
    // The copies of the keeper's values are never dropped here: this process only ever exits.
    std::mem::forget(keeper);
    sys::close_from(3)?;
    Ok(Channel::from(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?))
}

/// What the companion looks after.
#[derive(Debug, Default)]
struct Work {
    forwarder: Option<Forwarder>,
    program: Option<Program>,
    /// Whether the router's namespace is at [`NAMESPACE`]. A look at that path would not tell: before it is
    /// covered, it is the machine's, where anybody may make it.
    is_shown: bool,
}

/// Does what the keeper asks, until it is gone.
fn work(keeper: &Channel) -> io::Result<()> {
    let mut work = Work::default();
    loop {
        let timeout = work.forwarder.as_mut().and_then(Forwarder::timeout);
        // One that is too long for the kernel is none.
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let program = work.program.as_ref().map(|program| program.pidfd.as_fd());
        let mut sources = vec![PollFd::new(keeper, PollFlags::IN)];
        sources.extend(program.as_ref().map(|program| PollFd::new(program, PollFlags::IN)));
        let own = sources.len();
        if let Some(forwarder) = &work.forwarder {
            sources.extend(forwarder.sources());
        }
        match poll(&mut sources, timeout.as_ref()) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        let ready: Vec<PollFlags> = sources.iter().map(PollFd::revents).collect();
        drop(sources);
        let (own, of_forwarder) = ready.split_at(own);
        if let Some(forwarder) = &mut work.forwarder {
            forwarder.go_on(of_forwarder);
        }
        if own.get(1).is_some_and(|events| !events.is_empty())
            && let Some(program) = work.program.take()
        {
            keeper.send(&Heard::ProgramEnded { message: program.last_words() }, &[])?;
        }
        if own.first().is_some_and(|events| !events.is_empty()) {
            match keeper.receive()? {
                Received::Closed => return Ok(()),
                Received::Message(request, attached) => work.take(request, attached, keeper)?,
            }
        }
    }
}

impl Work {
    fn take(&mut self, request: Request, mut attached: Attached, keeper: &Channel) -> io::Result<()> {
        let mut take = |role| attached.take(role).ok_or(io::ErrorKind::InvalidData);
        match request {
            Request::Forward => {
                let (datagrams, connections) = (take(Role::Datagrams)?, take(Role::Connections)?);
                self.forwarder = Some(Forwarder::new(datagrams.into(), connections.into())?);
            }
            Request::Run(order) => match self.start(&order, &take(Role::Network)?) {
                Ok(program) => self.program = Some(program),
                Err(error) => keeper.send(&Heard::ProgramEnded { message: error.to_string() }, &[])?,
            },
        }
        Ok(())
    }

    fn start(&mut self, order: &tap::Order, namespace: &OwnedFd) -> io::Result<Program> {
        if !self.is_shown {
            show(namespace)?;
            self.is_shown = true;
        }
        Program::start(order)
    }
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
struct Program {
    child: std::process::Child,
    pidfd: OwnedFd,
    /// A file in memory for what it writes, which nobody may have to read.
    words: std::fs::File,
}

impl Program {
    fn start(order: &tap::Order) -> io::Result<Self> {
        let words = rustix::fs::memfd_create("words", rustix::fs::MemfdFlags::CLOEXEC)?;
        let words = std::fs::File::from(words);
        let child = Command::new(&order.program)
            .args(order.arguments(NAMESPACE))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(words.try_clone()?)
            .spawn()?;
        let pid = Pid::from_child(&child);
        Ok(Self { pidfd: pidfd_open(pid, PidfdFlags::empty())?, child, words })
    }

    /// The last line that it wrote before it ended.
    fn last_words(mut self) -> String {
        use std::io::{Read, Seek, SeekFrom};
        let mut text = String::new();
        let status = self.child.wait();
        let read = self.words.seek(SeekFrom::Start(0)).and_then(|_| self.words.read_to_string(&mut text));
        let last = text.lines().rfind(|line| !line.trim().is_empty());
        match (read, last, status) {
            (Ok(_), Some(line), _) => line.trim().to_owned(),
            (_, _, Ok(status)) => status.to_string(),
            (_, _, Err(error)) => error.to_string(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Shows a namespace at [`NAMESPACE`], in this process's mount namespace only.
fn show(namespace: &OwnedFd) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", PLACE, "tmpfs", flags, None)?;
    std::fs::write(NAMESPACE, "")?;
    mount_bind(format!("/proc/self/fd/{}", namespace.as_raw_fd()), NAMESPACE)?;
    Ok(())
}
