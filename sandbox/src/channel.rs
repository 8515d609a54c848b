//! Conversation between caller, helper and init: JSON messages over `SOCK_SEQPACKET` sockets, with file
//! descriptors attached where needed (`SCM_RIGHTS`, unix(7)).
//!
//! ```text
//! caller ──Request::Run + [spec, stdin, stdout, stderr]──▶ helper ──fork──▶ init
//!        ◀──────────── Reply::Started (+ [terminal]) ────        ◀─ Report ──   (closed by a successful execve)
//!        ──────────────── Request::Signal ───────────────▶
//!        ◀──────────────── Reply::Exited ─────────────────
//! ```
//! A socket keeps message borders, so a message is read whole or not at all, and it ends when its peer dies,
//! which is how each side notices the death of the other. The spec itself may be larger than a message and
//! travels as a memory file.

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

use crate::error::Failure;
use crate::spawn::Exit;

/// Upper bound of one message. The largest are failures with paths in them (4 KiB each).
const MESSAGE_LIMIT: usize = 64 << 10;

/// Upper bound of the descriptors of one message: the spec and three streams.
const DESCRIPTOR_LIMIT: usize = 4;

/// What the caller asks of the helper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Run the attached spec on the attached streams. Always the first message, and only the first.
    Run,
    /// Send this signal to the sandbox's init process.
    Signal(i32),
}

/// What the helper tells the caller.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The command runs; the master side of its terminal is attached, if it has one.
    Started,
    /// The command never ran. The last message.
    Failed(Failure),
    /// The command ended, and with it every process of the sandbox. The last message.
    Exited(Exit),
}

/// What init tells the helper before it becomes the command.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The master side of the terminal is attached.
    Terminal,
    /// The command will not run. The last message.
    Failed(Failure),
}

/// One end of a conversation.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// What was read from a [`Channel`].
#[derive(Debug)]
pub(crate) enum Received<Message> {
    Message(Message, Vec<OwnedFd>),
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
    pub(crate) fn send(&self, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_LIMIT))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
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
        let mut bytes = vec![0; MESSAGE_LIMIT];
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
        let descriptors = ancillary
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
        Ok(Received::Message(serde_json::from_slice(&bytes[..received.bytes])?, descriptors))
    }

    /// Ends the conversation for both sides, even while another thread waits in [`receive`](Self::receive).
    pub(crate) fn close(&self) {
        // The only failure is "not connected", which is what is wanted.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
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
        one.send(&Request::Signal(15), &[writer.as_fd()]).unwrap();
        drop(writer);
        let Received::Message(Request::Signal(15), mut descriptors) = other.receive().unwrap() else {
            panic!("expected the signal request");
        };
        let mut received = std::fs::File::from(descriptors.pop().unwrap());
        received.write_all(b"through").unwrap();
        drop(received);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        drop(one);
        assert!(matches!(other.receive::<Request>().unwrap(), Received::Closed));
    }
}
