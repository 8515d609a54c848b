//! Creating processes, in namespaces of their own or not: the init process, and the one that maps user ids.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

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

/// `struct clone_args` (clone(2)), as of Linux 5.7.
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
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The flag that has the child begin in the group of the field `cgroup`; libc has it as a number that is too
/// small for it.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Copies this process into a new one that lives in new `namespaces` (clone3(2) without a shared memory), and
/// begins in `cgroup`, a directory of version 2, if one is given.
///
/// Must be called while this process has one thread; the child then may do whatever the parent might.
pub(crate) fn fork(namespaces: UnshareFlags, cgroup: Option<BorrowedFd<'_>>) -> Result<Forked, Errno> {
    let mut pidfd: RawFd = -1;
    let (into_cgroup, cgroup) = match cgroup {
        Some(directory) => (CLONE_INTO_CGROUP, u64::from(directory.as_raw_fd().cast_unsigned())),
        None => (0, 0),
    };
    let arguments = CloneArguments {
        flags: u64::from(namespaces.bits()) | u64::from(libc::CLONE_PIDFD.cast_unsigned()) | into_cgroup,
        cgroup,
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
