//! Descriptors, signals and namespaces of this process.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use rustix::thread::UnshareFlags;

use super::check;

/// Closes every descriptor from `first` on (`close_range(2)`): what the caller's other threads, or libraries
/// without close-on-exec, leaked into this process.
///
/// Must be called before this process opened a descriptor at or above `first`.
pub(crate) fn close_from(first: RawFd) -> Result<(), Errno> {
    close_range(first, 0)
}

/// Marks every descriptor from `first` on to be closed by the next `execve`.
pub(crate) fn close_on_exec_from(first: RawFd) -> Result<(), Errno> {
    close_range(first, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_range(first: RawFd, flags: u32) -> Result<(), Errno> {
    // SAFETY: no memory is passed. With `CLOSE_RANGE_CLOEXEC` nothing is closed here; without it, the
    // descriptors that are closed are, by the contract of `close_from`, owned by nothing in this process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) };
    check(result).map(drop)
}

/// Gives every signal its default action and unblocks them all: neither what the caller ignored nor what the
/// Rust runtime ignores (`SIGPIPE`) reaches the command.
pub(crate) fn reset_signals() {
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL installs no handler. It fails for SIGKILL and SIGSTOP, whose action cannot change.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero set is what `sigemptyset` makes on Linux, and the old mask is not asked for.
    unsafe {
        let none: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Sends signal `number` to the process that `pidfd` refers to (`pidfd_send_signal(2)`).
pub(crate) fn send_signal(pidfd: impl AsFd, number: i32) -> Result<(), Errno> {
    let info = ptr::null::<libc::siginfo_t>();
    // SAFETY: a null pointer makes the kernel fill in the signal's information itself.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_fd().as_raw_fd(), number, info, 0) };
    check(result).map(drop)
}

/// `KEYCTL_JOIN_SESSION_KEYRING`
const JOIN_SESSION_KEYRING: libc::c_long = 1;

/// Gives this process an empty session keyring instead of the one that it inherited (keyctl(2)).
pub(crate) fn join_new_session_keyring() -> Result<(), Errno> {
    // SAFETY: a null pointer for the name asks for a keyring without one.
    let result =
        unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, ptr::null::<libc::c_char>()) };
    check(result).map(drop)
}

/// Moves this process into new namespaces (unshare(2)).
pub(crate) fn unshare(namespaces: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: unsafe is only `CLONE_FILES`, which takes descriptors away from other threads.
    unsafe { rustix::thread::unshare_unsafe(namespaces - UnshareFlags::FILES) }
}
