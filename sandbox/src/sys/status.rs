//! The answers of `stat(2)` and `statx(2)` as the bytes that a process expects in its memory.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use super::check;

/// What is to be told differently of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its owner.
    pub(crate) uid: u32,
    /// Its group.
    pub(crate) gid: u32,
    /// The device that it stands for.
    pub(crate) device: Option<ToldDevice>,
}

/// A device that an empty file stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ToldDevice {
    /// `S_IFCHR` or `S_IFBLK`.
    pub(crate) file_type: u32,
    /// The driver.
    pub(crate) major: u32,
    /// The device of that driver.
    pub(crate) minor: u32,
}

/// `struct stat` of an open file.
pub(crate) fn stat_bytes(file: impl AsFd, told: Told) -> Result<Vec<u8>, Errno> {
    // SAFETY: `stat` is plain data for which all zeros is a valid value.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    let (descriptor, flags) = (file.as_fd().as_raw_fd(), libc::AT_EMPTY_PATH);
    // SAFETY: the path is an empty C string, and the kernel writes one `stat`, which outlives the call.
    check(unsafe { libc::fstatat(descriptor, c"".as_ptr(), &raw mut status, flags) }.into())?;
    (status.st_uid, status.st_gid) = (told.uid, told.gid);
    if let Some(device) = told.device {
        status.st_mode = (status.st_mode & !libc::S_IFMT) | device.file_type;
        status.st_rdev = libc::makedev(device.major, device.minor);
        status.st_size = 0;
    }
    Ok(bytes_of(&status))
}

/// `struct statx` of an open file, with the caller's flags and mask.
pub(crate) fn statx_bytes(file: impl AsFd, told: Told, flags: i32, mask: u32) -> Result<Vec<u8>, Errno> {
    // SAFETY: `statx` is plain data for which all zeros is a valid value.
    let mut status: libc::statx = unsafe { std::mem::zeroed() };
    let descriptor = file.as_fd().as_raw_fd();
    let flags = flags | libc::AT_EMPTY_PATH;
    // SAFETY: the path is an empty C string, and the kernel writes one `statx`, which outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_statx, descriptor, c"".as_ptr(), flags, mask, &raw mut status) };
    check(result)?;
    (status.stx_uid, status.stx_gid) = (told.uid, told.gid);
    if let Some(device) = told.device {
        let file_type = u16::try_from(device.file_type).unwrap_or_default();
        let type_mask = u16::try_from(libc::S_IFMT).unwrap_or_default();
        status.stx_mode = (status.stx_mode & !type_mask) | file_type;
        (status.stx_rdev_major, status.stx_rdev_minor) = (device.major, device.minor);
        status.stx_size = 0;
    }
    Ok(bytes_of(&status))
}

fn bytes_of<T: Copy>(value: &T) -> Vec<u8> {
    // SAFETY: both structures were zeroed as a whole before the kernel filled them, so that every byte, padding
    // included, has a value; they hold numbers only.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) }.to_vec()
}
