//! Installing a system call filter.

use rustix::io::Errno;

use super::check;

/// One instruction of classic BPF: `struct sock_filter` of linux/filter.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// What to do.
    pub(crate) code: u16,
    /// How many instructions a conditional jump skips if its condition holds.
    pub(crate) jump_true: u8,
    /// How many it skips if not.
    pub(crate) jump_false: u8,
    /// The operand.
    pub(crate) operand: u32,
}

/// Installs `program` as a filter for this process and all that it becomes or forks (seccomp(2)). Needs
/// `CAP_SYS_ADMIN` in the user namespace, or `no_new_privs`.
pub(crate) fn install_filter(program: &[Instruction]) -> Result<(), Errno> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let program =
        libc::sock_fprog { len: length, filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut() };
    // SAFETY: `Instruction` has the layout of `sock_filter`; the kernel only reads the program, whose length
    // is passed with it, and copies it before the call returns.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    check(result).map(drop)
}
