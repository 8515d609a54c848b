//! `mount_setattr`, which rustix lacks.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use super::check;

/// Options to switch on for a mount.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one of the kernel's independent flags")]
pub(crate) struct MountAttributes {
    /// Refuse writes.
    pub(crate) read_only: bool,
    /// Ignore set-user-id bits and file capabilities.
    pub(crate) no_suid: bool,
    /// Refuse to open device nodes.
    pub(crate) no_dev: bool,
    /// Refuse to execute programs.
    pub(crate) no_exec: bool,
}

/// `struct mount_attr` of `mount_setattr(2)`.
#[repr(C)]
struct RawAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Switches `attributes` on for the mount that `tree` refers to and all mounts below it, in one step
/// (`mount_setattr(2)`, Linux 5.12).
pub(crate) fn set_mount_attributes(tree: impl AsFd, attributes: MountAttributes) -> Result<(), Errno> {
    let mut set = 0;
    for (wanted, flag) in [
        (attributes.read_only, libc::MOUNT_ATTR_RDONLY),
        (attributes.no_suid, libc::MOUNT_ATTR_NOSUID),
        (attributes.no_dev, libc::MOUNT_ATTR_NODEV),
        (attributes.no_exec, libc::MOUNT_ATTR_NOEXEC),
    ] {
        if wanted {
            set |= flag;
        }
    }
    let raw = RawAttributes { set, clear: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is an empty C string and the structure has the size that is passed with it; both
    // outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const raw,
            size_of::<RawAttributes>(),
        )
    };
    check(result).map(drop)
}
