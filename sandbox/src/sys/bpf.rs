//! Loading a program that decides about devices, and attaching it to a cgroup (bpf(2)).

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use super::check;

/// One instruction of extended BPF: `struct bpf_insn` of linux/bpf.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExtendedInstruction {
    /// What to do.
    pub(crate) code: u8,
    /// The source register in the upper four bits, the destination in the lower.
    pub(crate) registers: u8,
    /// Offset of a load or a jump.
    pub(crate) offset: i16,
    /// The operand.
    pub(crate) operand: i32,
}

/// `BPF_PROG_LOAD` and `BPF_PROG_ATTACH`
const LOAD: libc::c_long = 5;
const ATTACH: libc::c_long = 8;
/// `BPF_PROG_TYPE_CGROUP_DEVICE`
const DEVICE_PROGRAM: u32 = 15;
/// `BPF_CGROUP_DEVICE`
const DEVICE_HOOK: u32 = 6;
/// `BPF_F_ALLOW_MULTI`: the programs of the cgroups above go on to be asked.
const TOGETHER: u32 = 2;

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`, as of Linux 4.15.
#[repr(C)]
struct LoadAttributes {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// The head of `union bpf_attr` for `BPF_PROG_ATTACH`.
#[repr(C)]
struct AttachAttributes {
    target: RawFd,
    program: RawFd,
    hook: u32,
    flags: u32,
}

/// Loads a program of the kind that decides about devices.
pub(crate) fn load_device_program(program: &[ExtendedInstruction]) -> Result<OwnedFd, Errno> {
    let license = c"Apache-2.0";
    let attributes = LoadAttributes {
        kind: DEVICE_PROGRAM,
        count: u32::try_from(program.len()).map_err(|_| Errno::INVAL)?,
        instructions: program.as_ptr().addr() as u64,
        license: license.as_ptr().addr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the attributes have the layout and the size that the kernel expects; the program, with the length
    // that is passed, and the license, which ends with a zero, are only read and outlive the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, LOAD, &raw const attributes, size_of::<LoadAttributes>()) };
    let descriptor = RawFd::try_from(check(result)?).map_err(|_| Errno::BADF)?;
    // SAFETY: the kernel has made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Has a loaded program decide about the devices of the processes in the cgroup whose directory is open, besides
/// the programs that decide there already. It stays as long as the cgroup.
pub(crate) fn attach_device_program(program: impl AsFd, cgroup: impl AsFd) -> Result<(), Errno> {
    let attributes = AttachAttributes {
        target: cgroup.as_fd().as_raw_fd(),
        program: program.as_fd().as_raw_fd(),
        hook: DEVICE_HOOK,
        flags: TOGETHER,
    };
    // SAFETY: the attributes have the layout and the size that the kernel expects, and are only read.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, ATTACH, &raw const attributes, size_of::<AttachAttributes>()) };
    check(result).map(drop)
}
