//! The process that holds the networks. It has one thread and ends with its socket to the builder.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::router::Router;
use super::service::{Reply, Request};
use super::unavailable::Unavailable;
use crate::channel::{Channel, Received, Role};
use crate::sys;

/// First argument of a process that was started as the network keeper.
pub(crate) const ARGUMENT: &str = "__network";

/// The whole life of the keeper. An error means that nobody is left to tell.
pub(crate) fn serve() -> io::Result<()> {
    sys::close_from(3)?;
    // Out of the terminal's reach: ^C is for the builder. One that made the keeper a group leader has taken it
    // out already.
    let _ = rustix::process::setsid();
    let channel = Channel::from(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?);
    let mut router = match Router::make() {
        Ok(router) => router,
        Err(reason) => return channel.send(&Reply::Unavailable(reason), &[]),
    };
    channel.send(&Reply::Ready(router.uplink().clone()), &[])?;
    let mut ready: Option<Result<OwnedFd, Unavailable>> = None;
    loop {
        // Made before it is asked for: it takes longer than a step should wait.
        let network = ready.get_or_insert_with(|| router.new_network());
        if !is_asked(&channel, &router)? {
            return Ok(());
        }
        match channel.receive()? {
            Received::Message(Request::Network, _) => match network {
                Ok(namespace) => channel.send(&Reply::Network, &[(Role::Network, namespace.as_fd())])?,
                Err(reason) => channel.send(&Reply::Unavailable(reason.clone()), &[])?,
            },
            Received::Closed => return Ok(()),
        }
        ready = None;
    }
}

/// Waits for the builder. It is not asked any more when the companion is gone, and with it what it did.
fn is_asked(channel: &Channel, router: &Router) -> io::Result<bool> {
    loop {
        let mut sources =
            [PollFd::new(channel, PollFlags::IN), PollFd::new(router.companion(), PollFlags::IN)];
        match poll(&mut sources, None) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => return Ok(sources[1].revents().is_empty()),
        }
    }
}
