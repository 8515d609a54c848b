//! Which system calls are answered here, and what their arguments mean.
//!
//! Only calls of the machine's own convention: a 32-bit program on a 64-bit machine is left to the kernel.

use rustix::fs::OFlags;

use super::credentials::{Change, Kind};
use crate::seccomp::program::{self, ALLOW, ARCHITECTURE, NUMBER, USER_NOTIFICATION};
use crate::sys::{Instruction, Notification};

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

/// A file as the arguments of a call name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    /// Where relative paths begin; `None` is the working directory.
    pub(super) directory: Option<i32>,
    /// Where the path lies in memory; `None` where the call has only a descriptor.
    pub(super) path: Option<u64>,
    /// Whether a symbolic link at the end is followed.
    pub(super) follow: bool,
    /// Whether an empty path means `directory` itself.
    pub(super) may_be_empty: bool,
}

/// What is made by a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Make {
    Directory {
        mode: u32,
    },
    /// The target lies in memory.
    Symlink {
        target: u64,
    },
    Node {
        mode: u32,
        device: u64,
    },
}

/// How a call wants to hear of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Stat,
    Statx { flags: i32, mask: u32 },
}

/// Which of its ids a process asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Real,
    Effective,
}

/// A call that is answered here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// `chown` and its like.
    Give { file: File, user: Option<u32>, group: Option<u32> },
    /// `stat` and its like.
    Status { file: File, into: u64, form: Form },
    /// `mkdir`, `symlink`, `mknod`.
    Make { file: File, what: Make },
    /// `open` and its like, with `O_CREAT`.
    Open { file: File, flags: u32, mode: u32 },
    /// `openat2`, whose flags and mode lie in memory.
    OpenHow { file: File, how: u64 },
    /// `listxattr` and its like.
    ListAttributes { file: File, into: u64, size: u64 },
    /// `execve`
    Execute { file: File },
    /// `setuid` and its like.
    Change { kind: Kind, change: Change },
    /// `setgroups`
    SetOthers { count: u64, list: u64 },
    /// `getuid` and its like.
    Get { kind: Kind, which: Which },
    /// `getresuid` and its like: real, effective, saved.
    GetThree { kind: Kind, into: [u64; 3] },
    /// `getgroups`
    GetOthers { count: u64, list: u64 },
}

const CREATE: u32 = OFlags::CREATE.bits();

/// The numbers of the calls, and for those that open files, in which argument `O_CREAT` has to be set.
const CALLS: &[(i64, Option<u32>)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chown, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lchown, None),
    (libc::SYS_fchown, None),
    (libc::SYS_fchownat, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_stat, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lstat, None),
    (libc::SYS_fstat, None),
    (libc::SYS_newfstatat, None),
    (libc::SYS_statx, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, None),
    (libc::SYS_mkdirat, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_symlink, None),
    (libc::SYS_symlinkat, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, None),
    (libc::SYS_mknodat, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, None),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, Some(1)),
    (libc::SYS_openat, Some(2)),
    (libc::SYS_openat2, None),
    (libc::SYS_listxattr, None),
    (libc::SYS_llistxattr, None),
    (libc::SYS_flistxattr, None),
    (libc::SYS_execve, None),
    (libc::SYS_execveat, None),
    (libc::SYS_setuid, None),
    (libc::SYS_setgid, None),
    (libc::SYS_setreuid, None),
    (libc::SYS_setregid, None),
    (libc::SYS_setresuid, None),
    (libc::SYS_setresgid, None),
    (libc::SYS_setfsuid, None),
    (libc::SYS_setfsgid, None),
    (libc::SYS_setgroups, None),
    (libc::SYS_getuid, None),
    (libc::SYS_geteuid, None),
    (libc::SYS_getgid, None),
    (libc::SYS_getegid, None),
    (libc::SYS_getresuid, None),
    (libc::SYS_getresgid, None),
    (libc::SYS_getgroups, None),
];

/// The filter: these calls wait for an answer, all others are no business of it.
pub(super) fn filter() -> Vec<Instruction> {
    let allow = program::plain(program::RETURN, ALLOW);
    let notify = program::plain(program::RETURN, USER_NOTIFICATION);
    let mut code = vec![
        program::plain(program::LOAD, ARCHITECTURE),
        program::conditional(program::JUMP_EQUAL, NATIVE, 1, 0),
        allow,
        program::plain(program::LOAD, NUMBER),
    ];
    for (number, argument) in CALLS {
        let number = u32::try_from(*number).unwrap_or(u32::MAX);
        match argument {
            None => code.extend([program::conditional(program::JUMP_EQUAL, number, 0, 1), notify]),
            Some(argument) => code.extend([
                program::conditional(program::JUMP_EQUAL, number, 0, 4),
                program::plain(program::LOAD, program::FIRST_ARGUMENT + 8 * argument),
                program::conditional(program::JUMP_ANY_BIT, CREATE, 0, 1),
                notify,
                allow,
            ]),
        }
    }
    code.push(allow);
    code
}

/// What a call wants; `None` for one that the filter does not let through.
pub(super) fn decode(call: &Notification) -> Option<Call> {
    let arguments = call.arguments;
    old(call.number, arguments)
        .or_else(|| about_files(call.number, arguments))
        .or_else(|| about_ids(call.number, arguments))
}

/// The low half of an argument: what the kernel takes of an `int`.
fn int(argument: u64) -> u32 {
    u32::try_from(argument & u64::from(u32::MAX)).unwrap_or_default()
}

/// An id; -1 stands for none.
fn id(argument: u64) -> Option<u32> {
    Some(int(argument)).filter(|id| *id != u32::MAX)
}

fn here(path: u64, follow: bool) -> File {
    File { directory: None, path: Some(path), follow, may_be_empty: false }
}

fn at(directory: u64, path: u64, flags: u64) -> File {
    let flags = int(flags).cast_signed();
    let directory = int(directory).cast_signed();
    File {
        directory: (directory != libc::AT_FDCWD).then_some(directory),
        path: (path != 0).then_some(path),
        follow: flags & libc::AT_SYMLINK_NOFOLLOW == 0,
        may_be_empty: flags & libc::AT_EMPTY_PATH != 0,
    }
}

fn descriptor(descriptor: u64) -> File {
    File { directory: Some(int(descriptor).cast_signed()), path: None, follow: false, may_be_empty: true }
}

/// The calls that newer architectures do without.
#[cfg(target_arch = "x86_64")]
fn old(number: i64, [first, second, third, ..]: [u64; 6]) -> Option<Call> {
    Some(match number {
        libc::SYS_chown => Call::Give { file: here(first, true), user: id(second), group: id(third) },
        libc::SYS_lchown => Call::Give { file: here(first, false), user: id(second), group: id(third) },
        libc::SYS_stat => Call::Status { file: here(first, true), into: second, form: Form::Stat },
        libc::SYS_lstat => Call::Status { file: here(first, false), into: second, form: Form::Stat },
        libc::SYS_mkdir => {
            Call::Make { file: here(first, false), what: Make::Directory { mode: int(second) } }
        }
        libc::SYS_symlink => Call::Make { file: here(second, false), what: Make::Symlink { target: first } },
        libc::SYS_mknod => {
            Call::Make { file: here(first, false), what: Make::Node { mode: int(second), device: third } }
        }
        libc::SYS_creat => {
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::TRUNC;
            Call::Open { file: here(first, true), flags: flags.bits(), mode: int(second) }
        }
        libc::SYS_open => Call::Open { file: here(first, true), flags: int(second), mode: int(third) },
        _ => return None,
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn old(_number: i64, _arguments: [u64; 6]) -> Option<Call> {
    None
}

fn about_files(number: i64, arguments: [u64; 6]) -> Option<Call> {
    let [first, second, third, fourth, fifth, _] = arguments;
    Some(match number {
        libc::SYS_fchown => Call::Give { file: descriptor(first), user: id(second), group: id(third) },
        libc::SYS_fchownat => {
            Call::Give { file: at(first, second, fifth), user: id(third), group: id(fourth) }
        }
        libc::SYS_fstat => Call::Status { file: descriptor(first), into: second, form: Form::Stat },
        libc::SYS_newfstatat => {
            Call::Status { file: at(first, second, fourth), into: third, form: Form::Stat }
        }
        libc::SYS_statx => Call::Status {
            file: at(first, second, third),
            into: fifth,
            form: Form::Statx { flags: int(third).cast_signed(), mask: int(fourth) },
        },
        libc::SYS_mkdirat => {
            Call::Make { file: at(first, second, 0), what: Make::Directory { mode: int(third) } }
        }
        libc::SYS_symlinkat => {
            Call::Make { file: at(second, third, 0), what: Make::Symlink { target: first } }
        }
        libc::SYS_mknodat => {
            Call::Make { file: at(first, second, 0), what: Make::Node { mode: int(third), device: fourth } }
        }
        libc::SYS_openat => Call::Open { file: at(first, second, 0), flags: int(third), mode: int(fourth) },
        libc::SYS_openat2 => Call::OpenHow { file: at(first, second, 0), how: third },
        libc::SYS_listxattr => Call::ListAttributes { file: here(first, true), into: second, size: third },
        libc::SYS_llistxattr => Call::ListAttributes { file: here(first, false), into: second, size: third },
        libc::SYS_flistxattr => Call::ListAttributes { file: descriptor(first), into: second, size: third },
        libc::SYS_execve => Call::Execute { file: here(first, true) },
        libc::SYS_execveat => Call::Execute { file: at(first, second, fifth) },
        _ => return None,
    })
}

fn about_ids(number: i64, [first, second, third, ..]: [u64; 6]) -> Option<Call> {
    use Kind::{Group, User};
    let one = |kind| Call::Change { kind, change: Change::One(int(first)) };
    let two = |kind| Call::Change { kind, change: Change::RealAndEffective(id(first), id(second)) };
    let three = |kind| Call::Change { kind, change: Change::Three(id(first), id(second), id(third)) };
    let file_system = |kind| Call::Change { kind, change: Change::FileSystem(int(first)) };
    Some(match number {
        libc::SYS_setuid => one(User),
        libc::SYS_setgid => one(Group),
        libc::SYS_setreuid => two(User),
        libc::SYS_setregid => two(Group),
        libc::SYS_setresuid => three(User),
        libc::SYS_setresgid => three(Group),
        libc::SYS_setfsuid => file_system(User),
        libc::SYS_setfsgid => file_system(Group),
        libc::SYS_setgroups => Call::SetOthers { count: first, list: second },
        libc::SYS_getuid => Call::Get { kind: User, which: Which::Real },
        libc::SYS_geteuid => Call::Get { kind: User, which: Which::Effective },
        libc::SYS_getgid => Call::Get { kind: Group, which: Which::Real },
        libc::SYS_getegid => Call::Get { kind: Group, which: Which::Effective },
        libc::SYS_getresuid => Call::GetThree { kind: User, into: [first, second, third] },
        libc::SYS_getresgid => Call::GetThree { kind: Group, into: [first, second, third] },
        libc::SYS_getgroups => Call::GetOthers { count: first, list: second },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::program::simulator::{Verdict, run_with};

    fn verdict(number: i64, arguments: [u64; 6]) -> Verdict {
        run_with(&filter(), NATIVE, u32::try_from(number).unwrap(), arguments)
    }

    #[test]
    fn every_call_of_the_filter_has_a_meaning() {
        for (number, _) in CALLS {
            let call = Notification::of_call(*number, [0; 6]);
            assert!(decode(&call).is_some(), "{number}");
            assert_eq!(verdict(*number, [u64::from(CREATE); 6]), Verdict::Notified, "{number}");
        }
        assert_eq!(decode(&Notification::of_call(libc::SYS_read, [0; 6])), None);
        assert_eq!(verdict(libc::SYS_read, [u64::MAX; 6]), Verdict::Allowed);
        assert_eq!(run_with(&filter(), 7, 92, [0; 6]), Verdict::Allowed);
    }

    #[test]
    fn opening_is_asked_for_only_where_it_may_create() {
        let flags = |argument: usize, bits: u32| {
            let mut arguments = [!u64::from(CREATE); 6];
            arguments[argument] = bits.into();
            arguments
        };
        assert_eq!(verdict(libc::SYS_openat, flags(2, 0)), Verdict::Allowed);
        assert_eq!(verdict(libc::SYS_openat, flags(2, CREATE | 1)), Verdict::Notified);
    }

    #[test]
    fn arguments_are_taken_as_the_kernel_takes_them() {
        let minus_one = u64::from(u32::MAX);
        let at_cwd = u64::from(libc::AT_FDCWD.cast_unsigned());
        let nofollow = u64::from(libc::AT_SYMLINK_NOFOLLOW.cast_unsigned());
        let call = Notification::of_call(libc::SYS_fchownat, [at_cwd, 99, 5, minus_one, nofollow, 0]);
        let file = File { directory: None, path: Some(99), follow: false, may_be_empty: false };
        assert_eq!(decode(&call), Some(Call::Give { file, user: Some(5), group: None }));
        let call = Notification::of_call(libc::SYS_fstat, [3, 77, 0, 0, 0, 0]);
        let file = File { directory: Some(3), path: None, follow: false, may_be_empty: true };
        assert_eq!(decode(&call), Some(Call::Status { file, into: 77, form: Form::Stat }));
    }
}
