//! `execve` with an argument list and environment of our own order.

use std::ffi::{CStr, CString};
use std::ptr;

use rustix::io::Errno;

/// Replaces this process by the program at `path` (execve(2)). Returns only if that failed.
pub(crate) fn execute(path: &CStr, arguments: &[CString], environment: &[CString]) -> Errno {
    let arguments = null_terminated(arguments);
    let environment = null_terminated(environment);
    // SAFETY: both arrays end with a null pointer, and their strings, like `path`, outlive the call.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

fn null_terminated(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}
