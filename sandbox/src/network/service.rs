//! The builder's side: starting the keeper, and asking it for networks.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};

use super::unavailable::Unavailable;
use crate::channel::{Attached, Channel, Received, Role};

/// What the builder asks of the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// A network that nobody else has.
    Network,
}

/// What the keeper tells the builder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The first message: networks can be had.
    Ready(Uplink),
    /// No network can be had, or not this one.
    Unavailable(Unavailable),
    /// A network; the descriptor of its namespace is attached.
    Network,
}

/// How isolated networks are connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uplink {
    /// The program that carries their packets; none if the kernel does.
    pub program: Option<String>,
    /// The address by which they leave, and where their name server is.
    pub gateway: Ipv4Addr,
    /// An address of the machine that processes in them reach; none if it has none but loopback.
    pub host: Option<Ipv4Addr>,
}

/// A network that one process, with all that it starts, has for itself.
#[derive(Debug, Clone)]
pub struct Isolated {
    /// Its namespace.
    pub namespace: NetworkNamespace,
    /// How it is connected.
    pub uplink: Uplink,
}

/// A network namespace, which lasts as long as this, or a process in it.
#[derive(Debug, Clone)]
pub struct NetworkNamespace(Arc<OwnedFd>);

impl PartialEq for NetworkNamespace {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for NetworkNamespace {}

impl From<OwnedFd> for NetworkNamespace {
    fn from(descriptor: OwnedFd) -> Self {
        Self(Arc::new(descriptor))
    }
}

impl AsFd for NetworkNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Where isolated networks come from. Clones share one keeper, which ends with the last of them, and which no
/// process has before the first network is asked for.
#[derive(Debug, Clone)]
pub struct Networks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Idle,
    Serving(Server),
    /// It was tried, and will not be again.
    Unavailable(Unavailable),
}

impl Networks {
    /// `program` is the executable that is started as the keeper, as for [`Sandbox::new`](crate::Sandbox::new).
    pub fn new(program: PathBuf) -> Self {
        Self(Arc::new(Shared { program, state: Mutex::new(State::Idle) }))
    }

    /// A network that nobody else has. The first call makes everything that they have in common, which takes
    /// tens of milliseconds; after that one is always ready. Blocks.
    pub fn isolated(&self) -> Result<Isolated, Unavailable> {
        self.with(|server| {
            let namespace = server.network()?.into();
            Ok(Isolated { namespace, uplink: server.uplink.clone() })
        })
    }

    /// Whether isolated networks can be had on this machine by this process, and how: by really trying. Blocks.
    pub fn probe(&self) -> Result<Uplink, Unavailable> {
        self.with(|server| Ok(server.uplink.clone()))
    }

    fn with<T>(&self, ask: impl Fn(&Server) -> Result<T, Lost>) -> Result<T, Unavailable> {
        // A panic elsewhere leaves a keeper that is as good as before.
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Serving(server) = &*state {
            match ask(server) {
                Err(Lost::Keeper(_)) => {}
                Err(Lost::Refused(reason)) => return Err(reason),
                Ok(answer) => return Ok(answer),
            }
        }
        if let State::Unavailable(reason) = &*state {
            return Err(reason.clone());
        }
        // There is none yet, or it was killed: the networks of running steps are lost, the next ones need not be.
        *state = State::Idle;
        match Server::start(&self.0.program) {
            Ok(server) => {
                let answer = ask(&server).map_err(Unavailable::from);
                *state = State::Serving(server);
                answer
            }
            Err(reason) => {
                *state = State::Unavailable(reason.clone());
                Err(reason)
            }
        }
    }
}

/// Why a keeper gave no answer.
enum Lost {
    /// It said why.
    Refused(Unavailable),
    /// It is gone.
    Keeper(io::Error),
}

impl From<Lost> for Unavailable {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Refused(reason) => reason,
            Lost::Keeper(error) => Self::keeper(error.to_string()),
        }
    }
}

/// A keeper that has networks to give.
#[derive(Debug)]
struct Server {
    keeper: Keeper,
    uplink: Uplink,
}

/// The keeper's process. Dropping this ends it.
#[derive(Debug)]
struct Keeper {
    channel: Channel,
    /// Absent only while it is dropped.
    child: Option<Child>,
}

impl Server {
    fn start(program: &Path) -> Result<Self, Unavailable> {
        let (channel, theirs) = Channel::pair().map_err(|error| Unavailable::keeper(error.to_string()))?;
        let child = Command::new(program)
            .arg(super::ARGUMENT)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(std::process::Stdio::null())
            .spawn()
            .map_err(|error| Unavailable::keeper(format!("{}: {error}", program.display())))?;
        let keeper = Keeper { channel, child: Some(child) };
        match keeper.receive() {
            Ok((Reply::Ready(uplink), _)) => Ok(Self { keeper, uplink }),
            Ok((Reply::Unavailable(reason), _)) => Err(reason),
            Ok((Reply::Network, _)) => Err(Unavailable::keeper("an answer without a question")),
            Err(error) => Err(Unavailable::keeper(error.to_string())),
        }
    }

    fn network(&self) -> Result<OwnedFd, Lost> {
        self.keeper.channel.send(&Request::Network, &[]).map_err(Lost::Keeper)?;
        match self.keeper.receive().map_err(Lost::Keeper)? {
            (Reply::Network, mut attached) => {
                let missing = || Lost::Keeper(io::ErrorKind::InvalidData.into());
                attached.take(Role::Network).ok_or_else(missing)
            }
            (Reply::Unavailable(reason), _) => Err(Lost::Refused(reason)),
            (Reply::Ready(_), _) => Err(Lost::Keeper(io::ErrorKind::InvalidData.into())),
        }
    }
}

impl Keeper {
    fn receive(&self) -> io::Result<(Reply, Attached)> {
        match self.channel.receive()? {
            Received::Message(reply, attached) => Ok((reply, attached)),
            Received::Closed => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended unexpectedly")),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.channel.hang_up();
        // The kernel takes its time to end what the keeper had, and nobody needs to wait for that. A thread does, so
        // that a process which goes on has no dead child.
        if let Some(mut child) = self.child.take() {
            let _ = thread::Builder::new().spawn(move || child.wait());
        }
    }
}
