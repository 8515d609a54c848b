//! The system calls that need `unsafe`, each behind a safe function. Everything else goes through rustix.
#![expect(
    unsafe_code,
    reason = "the only place of the project where the kernel is called without a safe binding"
)]

mod bpf;
mod exec;
mod fork;
mod mount;
mod network;
mod notify;
mod process;
mod seccomp;
mod status;

pub(crate) use bpf::{ExtendedInstruction, attach_device_program, load_device_program};
pub(crate) use exec::execute;
pub(crate) use fork::{Forked, fork};
pub(crate) use mount::{MountAttributes, set_mount_attributes};
pub(crate) use network::bring_interface_up;
pub(crate) use notify::{
    Answer, Notification, answer_notification, answer_with_descriptor, install_listener, is_waiting,
    read_memory, receive_notification, wake_synchronously, write_memory,
};
pub(crate) use process::{
    close_from, close_on_exec_from, join_new_session_keyring, reset_signals, send_signal, unshare,
};
pub(crate) use seccomp::{Instruction, install_filter};
pub(crate) use status::{Told, ToldDevice, stat_bytes, statx_bytes};

use rustix::io::Errno;

/// The result of a raw system call: -1 stands for the error in `errno`.
fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result == -1 {
        let errno = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&errno).unwrap_or(Errno::IO));
    }
    Ok(result)
}
