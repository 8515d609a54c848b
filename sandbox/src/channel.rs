//! Conversations between caller, server, supervisor and init: JSON messages over `SOCK_SEQPACKET` sockets, with
//! file descriptors attached where needed (`SCM_RIGHTS`, unix(7)).
//!
//! ```text
//! caller ──Order::Run + conversation, spec, streams──▶ server ──fork──▶ supervisor ──fork──▶ init
//!                                                                          ── Permission ▶ (with a cgroup)
//!        ◀──────── Reply::Started (+ terminal) ────────────────────────     ◀─────── Report ──
//!        ───────────────── Request::Signal ───────────────────────────▶    (closed by a successful execve)
//!        ◀───────────────── Reply::Exited ─────────────────────────────
//! ```
//! One conversation leads to the server for the life of the caller; each order brings a conversation of its own,
//! which the supervisor of that sandbox takes over. A socket keeps message borders, so a message is read whole
//! or not at all, and it ends when its peer dies, which is how each side notices the death of the other. Every
//! descriptor travels with its [`Role`]. The spec itself may be larger than a message and travels as a memory
//! file.

use std::io;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cgroup::Incidents;
use crate::error::Failure;
use crate::spawn::Exit;

/// Upper bound of one message. The largest are failures with paths in them (4 KiB each).
const MESSAGE_LIMIT: usize = 64 << 10;

/// Upper bound of the descriptors of one message.
const DESCRIPTOR_LIMIT: usize = 16;

/// What a descriptor that comes with a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// The other end of a [`Channel`].
    Conversation,
    /// The memory file with the [`Spec`](crate::Spec).
    Spec,
    /// Standard input of the command.
    Stdin,
    /// Standard output of the command.
    Stdout,
    /// Standard error of the command.
    Stderr,
    /// The master side of the command's terminal.
    Terminal,
    /// A network namespace.
    Network,
    /// A socket to which questions about names come as datagrams.
    Datagrams,
    /// A socket to which connections with questions about names come.
    Connections,
    /// Where calls of the sandbox's processes wait for answers.
    Calls,
}

/// The descriptors that came with a message.
#[derive(Debug, Default)]
pub(crate) struct Attached(Vec<(Role, OwnedFd)>);

impl Attached {
    /// Takes the descriptor of that role, if it came.
    pub(crate) fn take(&mut self, role: Role) -> Option<OwnedFd> {
        let position = self.0.iter().position(|(other, _)| *other == role)?;
        Some(self.0.swap_remove(position).1)
    }
}

/// What the caller asks of the server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Run the attached spec on the attached streams, and tell in the attached conversation how it goes.
    Run,
}

/// What the caller asks of a supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Send this signal to the sandbox's init process.
    Signal(i32),
}

/// What a supervisor tells the caller.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The command runs; the master side of its terminal is attached, if it has one.
    Started,
    /// The command never ran. The last message.
    Failed(Failure),
    /// The command ended, and with it every process of the sandbox; this is what the kernel did to them. The last
    /// message.
    Exited(Exit, Incidents),
    /// The server's word that the supervisor ended with this wait status (wait(2)). What is not followed by it
    /// and was not the last message will not come any more.
    Lost(i32),
}

/// What init tells its supervisor before it becomes the command.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The master side of the terminal is attached.
    Terminal,
    /// From now on, some calls wait for answers: the descriptor is attached.
    Calls,
    /// The command will not run. The last message.
    Failed(Failure),
}

/// What a supervisor tells init.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Permission {
    /// It is in its control group and may begin. Sent only if there is one.
    Begin,
}

/// What travels: a message, and the roles of the descriptors with it, in their order.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope<Message> {
    message: Message,
    roles: Vec<Role>,
}

/// One end of a conversation.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// What was read from a [`Channel`].
#[derive(Debug)]
pub(crate) enum Received<Message> {
    /// One message, with what was attached to it.
    Message(Message, Attached),
    /// The peer closed its end or died.
    Closed,
}

impl Channel {
    /// Two connected ends, closed on exec.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    /// Sends one message with its descriptors.
    pub(crate) fn send(
        &self,
        message: &impl Serialize,
        attached: &[(Role, BorrowedFd<'_>)],
    ) -> io::Result<()> {
        let (roles, descriptors): (Vec<_>, Vec<_>) = attached.iter().copied().unzip();
        let bytes = serde_json::to_vec(&Envelope { message, roles })?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_LIMIT))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = SendFlags::NOSIGNAL;
        rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut ancillary, flags)
        })?;
        Ok(())
    }

    /// Waits for one message. The descriptors that come with it are closed on exec.
    pub(crate) fn receive<Message: DeserializeOwned>(&self) -> io::Result<Received<Message>> {
        let Some(length) = self.next_length()? else { return Ok(Received::Closed) };
        let mut bytes = vec![0; length.min(MESSAGE_LIMIT)];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_LIMIT))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let into = &mut [IoSliceMut::new(&mut bytes)];
            match rustix::net::recvmsg(&self.0, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => return Ok(Received::Closed),
                other => break other?,
            }
        };
        let descriptors: Vec<OwnedFd> = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        if received.bytes == 0 {
            return Ok(Received::Closed);
        }
        if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Envelope { message, roles } = serde_json::from_slice(&bytes[..received.bytes])?;
        if roles.len() != descriptors.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Received::Message(message, Attached(roles.into_iter().zip(descriptors).collect())))
    }

    /// Waits for one message and tells how long it is; `None` when the peer closed its end or died. A buffer for
    /// the longest would have to be touched by every process that is forked.
    fn next_length(&self) -> io::Result<Option<usize>> {
        let flags = RecvFlags::PEEK | RecvFlags::TRUNC;
        loop {
            match rustix::net::recv(&self.0, &mut [0; 0], flags) {
                Err(rustix::io::Errno::INTR) => {}
                Ok((_, 0)) | Err(rustix::io::Errno::CONNRESET) => return Ok(None),
                other => return Ok(Some(other?.1)),
            }
        }
    }

    /// Tells the peer that nothing more will be said; it can still be heard.
    pub(crate) fn hang_up(&self) {
        // The only failure is "not connected", which is what is wanted.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Write);
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Channel {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.0
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn messages_carry_descriptors_and_end_with_the_peer() {
        let (one, other) = Channel::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let attached = [(Role::Stdin, reader.as_fd()), (Role::Stdout, writer.as_fd())];
        one.send(&Request::Signal(15), &attached).unwrap();
        drop(writer);
        let Received::Message(Request::Signal(15), mut attached) = other.receive().unwrap() else {
            panic!("expected the signal request");
        };
        assert!(attached.take(Role::Terminal).is_none());
        let mut received = std::fs::File::from(attached.take(Role::Stdout).unwrap());
        received.write_all(b"through").unwrap();
        drop(received);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        one.hang_up();
        assert!(matches!(other.receive::<Request>().unwrap(), Received::Closed));
        other.send(&Request::Signal(1), &[]).unwrap();
        assert!(matches!(one.receive().unwrap(), Received::Message(Request::Signal(1), _)));
    }
}
