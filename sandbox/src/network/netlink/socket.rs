//! The conversation: messages go out in one datagram, and each is answered.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::message::{self, Message};

/// How much of an answer is read at once; the kernel's dumps come in parts of at most 32 KiB.
const ANSWER: usize = 64 << 10;

/// Which part of the kernel a socket speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Links, addresses, routes.
    Route,
    /// Firewalls.
    Netfilter,
}

/// A socket that belongs to the network namespace in which it was opened, wherever its process is later.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: OwnedFd,
    /// The sequence number of the last message.
    last: u32,
}

impl Socket {
    /// Opens one in the present network namespace of this process.
    pub(crate) fn open(protocol: Protocol) -> Result<Self, Errno> {
        let protocol = match protocol {
            Protocol::Route => None,
            Protocol::Netfilter => Some(rustix::net::netlink::NETFILTER),
        };
        let flags = SocketFlags::CLOEXEC;
        let descriptor = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        Ok(Self { descriptor, last: 0 })
    }

    /// Opens one that is told of every change of a link in the present network namespace of this process.
    pub(crate) fn of_link_changes() -> Result<Self, Errno> {
        let socket = Self::open(Protocol::Route)?;
        let links = u32::try_from(libc::RTMGRP_LINK).unwrap_or_default();
        rustix::net::bind(&socket.descriptor, &SocketAddrNetlink::new(0, links))?;
        Ok(socket)
    }

    /// Throws away what the socket was told.
    pub(crate) fn drain(&self) {
        let mut bytes = vec![0; ANSWER];
        while rustix::net::recv(&self.descriptor, &mut bytes[..], RecvFlags::DONTWAIT).is_ok() {}
    }

    /// Sends the messages at once and waits until each that asks for it is acknowledged, or one is refused.
    pub(crate) fn execute(&mut self, messages: &[Message]) -> Result<(), Errno> {
        let first = self.send(messages)?;
        let mut open = messages.iter().filter(|message| message.is_acknowledged()).count();
        while open > 0 {
            self.receive(first, |answer| {
                open = open.saturating_sub(usize::from(is_error(answer.kind)));
                Ok(true)
            })?;
        }
        Ok(())
    }

    /// Sends a message that asks for one answer, and gives what `read` makes of its body.
    pub(crate) fn get<T>(
        &mut self,
        message: &Message,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, Errno> {
        let first = self.send(std::slice::from_ref(message))?;
        let mut found = None;
        while found.is_none() {
            self.receive(first, |answer| {
                found = found.take().or_else(|| read(answer.body));
                // An answer of another kind would be waited for in vain.
                if found.is_none() { Err(Errno::BADMSG) } else { Ok(true) }
            })?;
        }
        found.ok_or(Errno::BADMSG)
    }

    /// Sends a message that asks for a list, and gives what `read` makes of the body of each entry.
    pub(crate) fn dump<T>(
        &mut self,
        message: &Message,
        mut read: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Errno> {
        let first = self.send(std::slice::from_ref(message))?;
        let (mut entries, mut done) = (Vec::new(), false);
        while !done {
            self.receive(first, |answer| {
                if i32::from(answer.kind) == libc::NLMSG_DONE {
                    done = true;
                } else {
                    entries.extend(read(answer.body));
                }
                Ok(!done)
            })?;
        }
        Ok(entries)
    }

    /// Sends the messages with consecutive sequence numbers; gives the first of them.
    fn send(&mut self, messages: &[Message]) -> Result<u32, Errno> {
        let first = self.last.wrapping_add(1);
        let mut bytes = Vec::new();
        for message in messages {
            self.last = self.last.wrapping_add(1);
            message.write(self.last, &mut bytes);
        }
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::io::retry_on_intr(|| {
            rustix::net::sendto(&self.descriptor, &bytes, SendFlags::empty(), &kernel)
        })?;
        Ok(first)
    }

    /// Reads one datagram. Answers to earlier requests, of which one was refused, are skipped; `take` says
    /// whether it wants more.
    fn receive(
        &self,
        first: u32,
        mut take: impl FnMut(message::Received<'_>) -> Result<bool, Errno>,
    ) -> Result<(), Errno> {
        let mut bytes = vec![0; ANSWER];
        let (length, _) = rustix::io::retry_on_intr(|| {
            rustix::net::recv(&self.descriptor, &mut bytes[..], RecvFlags::empty())
        })?;
        for answer in message::messages(bytes.get(..length).unwrap_or_default()) {
            if answer.sequence < first {
                continue;
            }
            if is_error(answer.kind) {
                refusal(answer.body)?;
            }
            if !take(answer)? {
                break;
            }
        }
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn is_error(kind: u16) -> bool {
    i32::from(kind) == libc::NLMSG_ERROR
}

/// `struct nlmsgerr` begins with the error as a negative number; zero is an acknowledgement.
fn refusal(body: &[u8]) -> Result<(), Errno> {
    let number = message::number(body).ok_or(Errno::BADMSG)?.cast_signed();
    if number == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(number.wrapping_neg())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_number_of_its_error() {
        assert_eq!(refusal(&0_i32.to_ne_bytes()), Ok(()));
        assert_eq!(refusal(&(-17_i32).to_ne_bytes()), Err(Errno::EXIST));
        assert_eq!(refusal(&[]), Err(Errno::BADMSG));
    }

    #[test]
    fn the_kernel_answers() {
        use crate::network::netlink::route;
        let mut socket = Socket::open(Protocol::Route).unwrap();
        // The loopback interface is the first of every namespace.
        assert_eq!(socket.get(&route::get_link("lo"), route::Link::read).unwrap().index, 1);
        let missing = socket.get(&route::get_link("no-such-link"), route::Link::read);
        assert_eq!(missing.unwrap_err(), Errno::NODEV);
        // After a refusal the conversation goes on.
        assert!(socket.get(&route::get_link("lo"), route::Link::read).is_ok());
        assert!(socket.dump(&route::list_routes(), route::Route::read).is_ok());
    }
}
