//! Interface flags, by the old ioctl interface (netdevice(7)).

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::check;

/// Sets the interface `name` up in this process's network namespace.
pub(crate) fn bring_interface_up(name: &str) -> Result<(), Errno> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: `ifreq` is plain data for which all zeros is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // One byte is left for the terminating zero.
    let room = request.ifr_name.len() - 1;
    if name.len() > room {
        return Err(Errno::NAMETOOLONG);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of the `ifreq` it is given.
    check(unsafe { libc::ioctl(descriptor, libc::SIOCGIFFLAGS, &raw mut request) }.into())?;
    // SAFETY: the call above made the flags the valid member of the union.
    unsafe { request.ifr_ifru.ifru_flags |= libc::c_short::try_from(libc::IFF_UP).unwrap_or(1) };
    // SAFETY: SIOCSIFFLAGS reads name and flags of the `ifreq` it is given.
    check(unsafe { libc::ioctl(descriptor, libc::SIOCSIFFLAGS, &raw const request) }.into()).map(drop)
}
