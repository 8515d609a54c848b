//! Answering system calls of other processes (`seccomp_unotify(2)`), and their memory (`process_vm_readv(2)`).

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use super::{Instruction, check};

/// A call that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notification {
    /// Names this call.
    id: u64,
    /// The thread that makes it, as this process sees it; 0 if it cannot.
    pub(crate) thread: u32,
    /// The call, by its number on this architecture.
    pub(crate) number: i64,
    /// Its arguments.
    pub(crate) arguments: [u64; 6],
}

#[cfg(test)]
impl Notification {
    /// A call that nobody makes.
    pub(crate) fn of_call(number: i64, arguments: [u64; 6]) -> Self {
        Self { id: 0, thread: 0, number, arguments }
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel carries it out.
    Continue,
    /// It was carried out, with this result.
    Done(i64),
    /// It failed.
    Failed(Errno),
}

/// Installs `program` as a further filter for this process and all that it becomes or forks. Calls for which the
/// program says `SECCOMP_RET_USER_NOTIF` wait until whoever has the descriptor answers them.
pub(crate) fn install_listener(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let program =
        libc::sock_fprog { len: length, filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut() };
    let install = |flags: libc::c_ulong| {
        // SAFETY: `Instruction` has the layout of `sock_filter`; the kernel only reads the program, whose length is
        // passed with it, and copies it before the call returns.
        let result = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
        };
        check(result)
    };
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // A call is not to be interrupted once it is being carried out here (Linux 5.19).
    let descriptor = match install(listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(Errno::INVAL) => install(listener)?,
        result => result?,
    };
    let descriptor = RawFd::try_from(descriptor).map_err(|_| Errno::BADF)?;
    // SAFETY: the kernel made this descriptor for the call above; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Has the kernel switch between a caller and this process as it does for a function call (Linux 6.6).
pub(crate) fn wake_synchronously(listener: impl AsFd) {
    const FD_SYNC_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: the argument is a number. An older kernel refuses, which costs some speed.
    unsafe {
        libc::ioctl(listener.as_fd().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, FD_SYNC_WAKE_UP)
    };
}

/// Waits for the next call. [`Errno::NOENT`] when its process was killed meanwhile.
pub(crate) fn receive_notification(listener: impl AsFd) -> Result<Notification, Errno> {
    // SAFETY: `seccomp_notif` is plain data for which all zeros is a valid value, and the one the kernel demands.
    let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    let descriptor = listener.as_fd().as_raw_fd();
    // SAFETY: the request writes one `seccomp_notif`, which outlives the call.
    check(unsafe { libc::ioctl(descriptor, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut raw) }.into())?;
    Ok(Notification { id: raw.id, thread: raw.pid, number: raw.data.nr.into(), arguments: raw.data.args })
}

/// Whether the process of that call still waits: whatever was found out about its thread was about it.
pub(crate) fn is_waiting(listener: impl AsFd, call: &Notification) -> bool {
    let descriptor = listener.as_fd().as_raw_fd();
    // SAFETY: the request reads one number, which outlives the call.
    unsafe { libc::ioctl(descriptor, libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const call.id) == 0 }
}

/// Answers a call. One whose process is gone needs no answer, which is no error.
pub(crate) fn answer_notification(listener: impl AsFd, call: &Notification, answer: Answer) {
    let mut response = libc::seccomp_notif_resp { id: call.id, val: 0, error: 0, flags: 0 };
    match answer {
        Answer::Continue => {
            response.flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or_default();
        }
        Answer::Done(value) => response.val = value,
        Answer::Failed(errno) => response.error = -errno.raw_os_error(),
    }
    // SAFETY: the request reads one `seccomp_notif_resp`, which outlives the call.
    unsafe { libc::ioctl(listener.as_fd().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
}

/// Answers a call with a copy of `file` as a new descriptor of its process (Linux 5.14).
pub(crate) fn answer_with_descriptor(
    listener: impl AsFd,
    call: &Notification,
    file: impl AsFd,
    close_on_exec: bool,
) -> Result<(), Errno> {
    let cloexec = if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 };
    let request = libc::seccomp_notif_addfd {
        id: call.id,
        flags: u32::try_from(libc::SECCOMP_ADDFD_FLAG_SEND).unwrap_or_default(),
        srcfd: file.as_fd().as_raw_fd().cast_unsigned(),
        newfd: 0,
        newfd_flags: cloexec,
    };
    let descriptor = listener.as_fd().as_raw_fd();
    // SAFETY: the request reads one `seccomp_notif_addfd`, which outlives the call.
    check(unsafe { libc::ioctl(descriptor, libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const request) }.into())?;
    Ok(())
}

/// Reads memory of another process from `address` on, up to the length of the buffer; how much could be read.
pub(crate) fn read_memory(thread: u32, address: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
    let process = libc::pid_t::try_from(thread).map_err(|_| Errno::SRCH)?;
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: pointer(address)?, iov_len: buffer.len() };
    // SAFETY: the kernel writes at most the buffer's length into it; the remote address is checked by the kernel.
    let result = unsafe { libc::process_vm_readv(process, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(check(result.try_into().map_err(|_| Errno::IO)?)?).map_err(|_| Errno::IO)
}

/// Writes all of `bytes` into the memory of another process.
pub(crate) fn write_memory(thread: u32, address: u64, bytes: &[u8]) -> Result<(), Errno> {
    let process = libc::pid_t::try_from(thread).map_err(|_| Errno::SRCH)?;
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: pointer(address)?, iov_len: bytes.len() };
    // SAFETY: the kernel only reads the local memory; the remote address is checked by the kernel.
    let result = unsafe { libc::process_vm_writev(process, &raw const local, 1, &raw const remote, 1, 0) };
    let written = check(result.try_into().map_err(|_| Errno::IO)?)?;
    if usize::try_from(written) == Ok(bytes.len()) { Ok(()) } else { Err(Errno::FAULT) }
}

fn pointer(address: u64) -> Result<*mut libc::c_void, Errno> {
    let address = usize::try_from(address).map_err(|_| Errno::FAULT)?;
    Ok(std::ptr::without_provenance_mut(address))
}
