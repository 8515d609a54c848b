//! The server: a small process with one thread that forks a supervisor for every sandbox.
//!
//! ```text
//! caller ══ orders ══▶ server ─ fork ─▶ supervisor   takes over the conversation that came with the order
//!    ▲                   │  └─── fork ─▶ supervisor
//!    └─ Reply::Lost ─────┘ waits for its supervisors
//! ```
//! Forking copies the tables of the parent's memory, so the cost of a fork grows with it; and what a fork of a
//! process with many threads may do before it executes something is next to nothing. A caller can neither be
//! small nor have one thread. So its executable is executed once more, which is the expensive part, and what
//! comes of that is forked for every sandbox.
//!
//! The server reads no spec and keeps no descriptor of an order but the conversation, so nothing of one sandbox,
//! least of all a secret, reaches the supervisor of the next. Supervisors do not depend on it: when it dies,
//! what runs goes on, and the caller's next order starts another. When the caller is gone or has no more orders,
//! the server ends as soon as its supervisors have.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use rustix::thread::UnshareFlags;

use crate::cgroup;
use crate::channel::{Attached, Channel, Order, Received, Reply, Role};
use crate::devices::Prepared;
use crate::error::{Failure, Stage};
use crate::network;
use crate::seccomp;
use crate::supervisor;
use crate::sys::{self, Forked};

/// First argument of the re-executed server.
pub(crate) const SERVER_ARGUMENT: &str = "__sandbox";

/// First call in `main`: where this process was re-executed as the server, or as the
/// [network helper](crate::network), it never returns.
#[expect(clippy::exit, reason = "both are processes of their own and end here")]
pub fn init() {
    let Some(argument) = std::env::args_os().nth(1) else { return };
    let served = match argument.to_str() {
        Some(SERVER_ARGUMENT) => serve(),
        Some(network::ARGUMENT) => network::serve(),
        _ => return,
    };
    std::process::exit(i32::from(served.is_err()));
}

/// A supervisor, as the server knows it.
struct Supervised {
    pid: Pid,
    descriptor: OwnedFd,
    /// The supervisor's own end of its conversation with the caller, to tell what it could not tell any more.
    conversation: Channel,
}

/// The whole life of the server. An error means that nobody is left to tell.
fn serve() -> io::Result<()> {
    sys::close_from(3)?;
    // Out of the terminal's reach: ^C is for the caller, which decides what becomes of the sandboxes. A caller
    // that made the server a group leader has taken it out already.
    let _ = rustix::process::setsid();
    // What init makes must have the permissions that it asks for.
    rustix::process::umask(Mode::empty());
    leave_the_callers_surroundings();
    let devices = Prepared::prepare();
    let mut caller = Some(take_channel()?);
    let mut supervised = Vec::new();
    while caller.is_some() || !supervised.is_empty() {
        if !wait_for_events(caller.as_ref(), &mut supervised)? {
            continue;
        }
        let Some(channel) = &caller else { continue };
        match channel.receive()? {
            Received::Message(Order::Run, attached) => match start(attached) {
                Start::Supervisor(conversation, attached) => {
                    drop(caller);
                    drop(supervised);
                    let result = supervisor::supervise(&conversation, attached, &devices);
                    // A group in it is the server's to remove.
                    std::mem::forget(devices);
                    return result;
                }
                Start::Server(started) => {
                    supervised.extend(started);
                    prepare();
                }
            },
            Received::Closed => caller = None,
        }
    }
    Ok(())
}

/// Gives up what processes inherit and a sandbox is to have nothing of: the keys of the caller's session
/// (keyrings(7)), and a protection from the kernel's out-of-memory killer that a service may have.
///
/// Where the kernel has no keys, or a container denies them, there is nothing to give up.
fn leave_the_callers_surroundings() {
    let _ = rustix::thread::set_name(c"builder-sandbox");
    let _ = sys::join_new_session_keyring();
    let score = "/proc/self/oom_score_adj";
    let is_protected = fs::read_to_string(score).is_ok_and(|adjustment| adjustment.starts_with('-'));
    if is_protected {
        // Less protection is everybody's right.
        let _ = fs::write(score, "0");
    }
}

/// Works out what is the same for every sandbox, while the first one starts: the later ones inherit it.
fn prepare() {
    seccomp::prepare();
    cgroup::prepare();
}

/// The caller's channel, which is standard input. That must not stay open in supervisors: the caller notices
/// the death of the server by its end.
fn take_channel() -> io::Result<Channel> {
    let channel = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    let null = rustix::fs::openat(CWD, "/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(channel.into())
}

/// Waits until something happens, says goodbye to supervisors that have ended, and tells whether the caller has
/// said something.
fn wait_for_events(caller: Option<&Channel>, supervised: &mut Vec<Supervised>) -> io::Result<bool> {
    let mut sources: Vec<_> =
        supervised.iter().map(|each| PollFd::new(&each.descriptor, PollFlags::IN)).collect();
    sources.extend(caller.map(|caller| PollFd::new(caller, PollFlags::IN)));
    match poll(&mut sources, None) {
        Err(Errno::INTR) => return Ok(false),
        other => other?,
    };
    let ready: Vec<bool> = sources.iter().map(|source| !source.revents().is_empty()).collect();
    let mut ready = ready.into_iter();
    // Each is asked once, in the order of the sources.
    supervised.retain(|each| !(ready.next() == Some(true) && has_ended(each)));
    Ok(ready.next() == Some(true))
}

/// Takes the exit status of a supervisor that has ended, and passes it on if it was not the regular end.
fn has_ended(supervised: &Supervised) -> bool {
    match rustix::process::waitpid(Some(supervised.pid), WaitOptions::NOHANG) {
        Ok(Some((_, status))) => {
            if status.exit_status() != Some(0) {
                // A caller that is gone needs no answer.
                let _ = supervised.conversation.send(&Reply::Lost(status.as_raw()), &[]);
            }
            true
        }
        Ok(None) | Err(Errno::INTR) => false,
        // Nobody's child: there is nothing to wait for.
        Err(_) => true,
    }
}

/// In which of the two processes an order was carried out.
enum Start {
    /// In the new one, with all that came with the order.
    Supervisor(Channel, Attached),
    /// In the server, which now has this supervisor; none if that failed, which the caller has heard.
    Server(Option<Supervised>),
}

/// Forks a supervisor.
fn start(mut attached: Attached) -> Start {
    let Some(conversation) = attached.take(Role::Conversation).map(Channel::from) else {
        return Start::Server(None);
    };
    match sys::fork(UnshareFlags::empty(), None) {
        Ok(Forked::Child) => Start::Supervisor(conversation, attached),
        Ok(Forked::Parent { child, pidfd }) => {
            Start::Server(Some(Supervised { pid: child, descriptor: pidfd, conversation }))
        }
        Err(errno) => {
            let failure = Failure::setup(Stage::Supervise, "the sandbox", errno);
            // A caller that is gone needs no answer.
            let _ = conversation.send(&Reply::Failed(failure), &[]);
            Start::Server(None)
        }
    }
}
