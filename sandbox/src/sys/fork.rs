//! Creating processes, in namespaces of their own or not: the init process, and the one that maps user ids.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::process::{Pid, RawPid};
use rustix::thread::UnshareFlags;

use super::check;

/// Which of the two processes this is, after [`fork`].
#[derive(Debug)]
pub(crate) enum Forked {
    /// The new process; pid 1 if a pid namespace was asked for.
    Child,
    /// The calling process.
    Parent {
        /// The new process, as this one sees it.
        child: Pid,
        /// Refers to the new process, even when its number is used again.
        pidfd: OwnedFd,
    },
}

/// The head of `struct clone_args` (clone(2)), as of Linux 5.3.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// Copies this process into a new one that lives in new `namespaces` (clone3(2) without a shared memory).
///
/// Must be called while this process has one thread; the child then may do whatever the parent might.
pub(crate) fn fork(namespaces: UnshareFlags) -> Result<Forked, Errno> {
    let mut pidfd: RawFd = -1;
    let arguments = CloneArguments {
        flags: u64::from(namespaces.bits()) | u64::from(libc::CLONE_PIDFD.cast_unsigned()),
        pidfd: (&raw mut pidfd).addr() as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        ..CloneArguments::default()
    };
    // SAFETY: the structure is as the kernel expects for this size and `pidfd` outlives the call. Without
    // CLONE_VM the child has its own copy of all memory, and since no other thread exists, no lock in that
    // copy is held by a thread that the child lacks.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<CloneArguments>()) };
    let result = check(result)?;
    match RawPid::try_from(result).ok().and_then(Pid::from_raw) {
        None => Ok(Forked::Child),
        Some(child) => {
            // SAFETY: CLONE_PIDFD made the kernel store a new descriptor that nobody else knows.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Forked::Parent { child, pidfd })
        }
    }
}
