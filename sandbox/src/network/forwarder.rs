//! Questions about names, passed on to a name server that only the machine itself reaches.
//!
//! ```text
//! process ─▶ gateway:53, a socket that was made in the router ─▶ a socket of the machine ─▶ 127.0.0.53:53
//! ```
//! The messages are not looked at. Each datagram gets a socket of its own, so that its answer finds back; each
//! connection is joined to another one. Which servers there are is read again whenever questions come: a machine that
//! moves to another network changes them. All is bounded, and nothing here waits.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::resolver::Resolver;

/// The largest datagram.
const LARGEST: usize = 65_535;
/// How many questions, and how many connections, are open at once; the oldest are given up for new ones.
const MOST_QUESTIONS: usize = 512;
const MOST_CONNECTIONS: usize = 64;
/// How long an answer is waited for, and a connection may be silent.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much of a connection is held until the other side takes it.
const BUFFER: usize = 16 << 10;

/// Two sockets that are listened to, and what came in by them.
#[derive(Debug)]
pub(crate) struct Forwarder {
    datagrams: UdpSocket,
    listener: TcpListener,
    questions: VecDeque<Question>,
    connections: VecDeque<Connection>,
}

/// A datagram that waits for its answer.
#[derive(Debug)]
struct Question {
    client: SocketAddr,
    socket: UdpSocket,
    content: Vec<u8>,
    /// The servers that are asked if this one refuses.
    others: Vec<SocketAddr>,
    until: Instant,
}

/// A connection and the one that it is joined to.
#[derive(Debug)]
struct Connection {
    to_server: Half,
    to_client: Half,
    client: TcpStream,
    server: TcpStream,
    until: Instant,
}

/// One direction of a connection: what was read and not yet written.
#[derive(Debug, Default)]
struct Half {
    held: Vec<u8>,
    has_ended: bool,
}

impl Forwarder {
    pub(crate) fn new(datagrams: UdpSocket, listener: TcpListener) -> io::Result<Self> {
        datagrams.set_nonblocking(true)?;
        listener.set_nonblocking(true)?;
        Ok(Self { datagrams, listener, questions: VecDeque::new(), connections: VecDeque::new() })
    }

    /// How long nothing has to be done if nothing comes in. Gives up what has waited too long.
    pub(crate) fn timeout(&mut self) -> Option<Duration> {
        let now = Instant::now();
        self.questions.retain(|question| question.until > now);
        self.connections.retain(|connection| connection.until > now);
        let first = self.questions.iter().map(|question| question.until);
        let first = first.chain(self.connections.iter().map(|connection| connection.until)).min()?;
        Some(first.saturating_duration_since(now))
    }

    /// What is to be waited for.
    pub(crate) fn sources(&self) -> Vec<PollFd<'_>> {
        let mut sources =
            vec![PollFd::new(&self.datagrams, PollFlags::IN), PollFd::new(&self.listener, PollFlags::IN)];
        sources.extend(self.questions.iter().map(|question| PollFd::new(&question.socket, PollFlags::IN)));
        for connection in &self.connections {
            let Connection { to_server, to_client, client, server, .. } = connection;
            sources.push(PollFd::new(client, interest(to_server, to_client)));
            sources.push(PollFd::new(server, interest(to_client, to_server)));
        }
        sources
    }

    /// Goes on with what is ready, in the order of [`sources`](Self::sources).
    pub(crate) fn go_on(&mut self, ready: &[PollFlags]) {
        let mut ready = ready.iter().copied();
        let mut next = || ready.next().unwrap_or(PollFlags::empty());
        let (asked, connected) = (!next().is_empty(), !next().is_empty());
        let datagrams = &self.datagrams;
        self.questions.retain_mut(|question| next().is_empty() || question.is_open(datagrams));
        self.connections.retain_mut(|connection| {
            let events = next() | next();
            // An error stays for as long as nobody reads it, and would be reported again at once.
            events.is_empty() || connection.is_open() && !events.contains(PollFlags::ERR)
        });
        // Last, since it changes what the order is about.
        if asked {
            self.take_questions();
        }
        if connected {
            self.take_connections();
        }
    }

    fn take_questions(&mut self) {
        let mut content = vec![0; LARGEST];
        let servers = Resolver::of_host().hidden();
        // Whoever sends without end must not keep the others from being served.
        for _ in 0..MOST_QUESTIONS {
            let Ok((length, client)) = self.datagrams.recv_from(&mut content) else { return };
            let content = content.get(..length).unwrap_or_default();
            // Without an answer the process asks again, as it does when a datagram is lost.
            let Some(question) = Question::ask(client, content.to_vec(), servers.clone()) else { continue };
            if self.questions.len() >= MOST_QUESTIONS {
                self.questions.pop_front();
            }
            self.questions.push_back(question);
        }
    }

    fn take_connections(&mut self) {
        while let Ok((client, _)) = self.listener.accept() {
            let server = Resolver::of_host().hidden().into_iter().find_map(|server| connect(server).ok());
            let (Some(server), Ok(())) = (server, client.set_nonblocking(true)) else { continue };
            if self.connections.len() >= MOST_CONNECTIONS {
                self.connections.pop_front();
            }
            let until = Instant::now() + PATIENCE;
            let (to_server, to_client) = (Half::default(), Half::default());
            self.connections.push_back(Connection { to_server, to_client, client, server, until });
        }
    }
}

impl Question {
    /// Asks the first server that can be sent to.
    fn ask(client: SocketAddr, content: Vec<u8>, servers: Vec<SocketAddr>) -> Option<Self> {
        let mut servers = servers.into_iter();
        let socket = servers.by_ref().find_map(|server| send(server, &content).ok())?;
        let until = Instant::now() + PATIENCE;
        Some(Self { client, socket, content, others: servers.collect(), until })
    }

    /// Takes the answer back. Where the server refuses, the next one is asked.
    fn is_open(&mut self, datagrams: &UdpSocket) -> bool {
        let mut answer = vec![0; LARGEST];
        match self.socket.recv(&mut answer) {
            Ok(length) => {
                // A process that is gone has no use for it.
                let _ = datagrams.send_to(answer.get(..length).unwrap_or_default(), self.client);
                false
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => true,
            Err(_) => {
                let (content, others) = (std::mem::take(&mut self.content), std::mem::take(&mut self.others));
                match Self::ask(self.client, content, others) {
                    Some(next) => {
                        *self = next;
                        true
                    }
                    None => false,
                }
            }
        }
    }
}

impl Connection {
    /// Moves what can be moved. Ends when both directions have, or one breaks.
    fn is_open(&mut self) -> bool {
        let to_server = self.to_server.go_on(&mut self.client, &mut self.server);
        let to_client = self.to_client.go_on(&mut self.server, &mut self.client);
        let (Ok(to_server), Ok(to_client)) = (to_server, to_client) else { return false };
        if to_server || to_client {
            self.until = Instant::now() + PATIENCE;
        }
        !(self.to_server.has_passed() && self.to_client.has_passed())
    }
}

impl Half {
    fn has_passed(&self) -> bool {
        self.has_ended && self.held.is_empty()
    }

    /// Moves what can be moved; whether anything was.
    fn go_on(&mut self, from: &mut TcpStream, to: &mut TcpStream) -> io::Result<bool> {
        let mut has_moved = false;
        let mut buffer = [0; BUFFER];
        if self.held.is_empty() && !self.has_ended {
            match from.read(&mut buffer) {
                Ok(0) => self.has_ended = true,
                Ok(length) => self.held.extend(buffer.iter().take(length)),
                Err(error) => not_now(error)?,
            }
            has_moved = self.has_ended || !self.held.is_empty();
        }
        if !self.held.is_empty() {
            match to.write(&self.held) {
                Ok(length) => {
                    self.held.drain(..length);
                    has_moved |= length > 0;
                }
                Err(error) => not_now(error)?,
            }
        }
        if self.has_passed() {
            // The other side may have ended by itself.
            let _ = to.shutdown(std::net::Shutdown::Write);
        }
        Ok(has_moved)
    }
}

fn not_now(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected => Ok(()),
        _ => Err(error),
    }
}

/// What a socket is waited for: it is read while nothing of it is held, and written while something for it is.
fn interest(read: &Half, write: &Half) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, read.held.is_empty() && !read.has_ended);
    flags.set(PollFlags::OUT, !write.held.is_empty());
    flags
}

/// Sends a datagram from a port of its own.
fn send(server: SocketAddr, content: &[u8]) -> io::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_nonblocking(true)?;
    socket.connect(server)?;
    socket.send(content)?;
    Ok(socket)
}

/// Begins a connection, without waiting until it is made.
fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &server) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
        Err(errno) => Err(errno.into()),
    }
}
