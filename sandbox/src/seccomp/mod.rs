//! The system call filter: Docker's default profile as a program for the kernel (seccomp(2)).
//!
//! [`profile`] is the table of rules, [`program`] turns rules into instructions; this module picks the rules
//! that hold for a process's capabilities and the conventions that this machine's kernel accepts.

mod profile;
pub(crate) mod program;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rustix::io::Errno;

use crate::capability::{Capability, CapabilitySet};
use crate::sys;
use profile::{Convention, PROFILE, When};
use program::{Action, Architecture, Test};

const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

/// Every `CLONE_NEW*` flag but `CLONE_NEWTIME`, which `clone` does not take.
const NAMESPACE_FLAGS: u32 = 0x7e02_0000;
/// `PER_LINUX`, `PER_LINUX32`, both with `UNAME26`, and "what is it now?" (personality(2)).
const HARMLESS_PERSONALITIES: &[u32] = &[0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// `AF_ALG` and `AF_VSOCK` (`address_families(7)`).
const CLOSED_FAMILIES: &[u32] = &[38, 40];

/// An architecture as the kernel names it to filters, with the conventions that arrive under that name. Each
/// convention comes with the bits that its numbers carry.
struct Native {
    audit: u32,
    conventions: &'static [(Convention, u32)],
}

#[cfg(target_arch = "x86_64")]
const NATIVE: &[Native] = &[
    Native { audit: 0xc000_003e, conventions: &[(Convention::X8664, 0), (Convention::X32, 0x4000_0000)] },
    Native { audit: 0x4000_0003, conventions: &[(Convention::I386, 0)] },
];
#[cfg(target_arch = "aarch64")]
const NATIVE: &[Native] = &[
    Native { audit: 0xc000_00b7, conventions: &[(Convention::Aarch64, 0)] },
    Native { audit: 0x4000_0028, conventions: &[(Convention::Arm, 0)] },
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the seccomp profile has no system call numbers for this architecture");

/// The program for Docker's own set of capabilities, which nearly every process has.
static DOCKERS: LazyLock<Vec<sys::Instruction>> =
    LazyLock::new(|| default_program(CapabilitySet::DOCKER_DEFAULT));

/// Works the usual program out. Whoever is forked afterwards has it.
pub(crate) fn prepare() {
    LazyLock::force(&DOCKERS);
}

/// Confines this process, and what it executes, to Docker's default profile. Needs `CAP_SYS_ADMIN` or
/// `no_new_privs`.
pub(crate) fn install_default(capabilities: CapabilitySet) -> Result<(), Errno> {
    if capabilities == CapabilitySet::DOCKER_DEFAULT {
        return sys::install_filter(&DOCKERS);
    }
    sys::install_filter(&default_program(capabilities))
}

fn default_program(capabilities: CapabilitySet) -> Vec<sys::Instruction> {
    let architectures: Vec<_> = NATIVE
        .iter()
        .map(|native| Architecture { audit: native.audit, ranges: ranges(native.conventions, capabilities) })
        .collect();
    program::assemble(&architectures)
}

/// Lays out all numbers: known calls with their action, gaps with `EPERM`, and what lies above the highest
/// known number of a convention with `ENOSYS`.
fn ranges(conventions: &[(Convention, u32)], capabilities: CapabilitySet) -> Vec<(u32, Action)> {
    let mut starts: BTreeMap<u32, Action> = BTreeMap::new();
    for (_, base) in conventions {
        starts.insert(*base, Action::Refuse(EPERM));
    }
    for (convention, base) in conventions {
        let mut highest = 0;
        let mut known: Vec<(u32, Action)> = PROFILE
            .iter()
            .filter_map(|row| Some((row.number(*convention)?, action(row.when, capabilities))))
            .collect();
        known.sort_by_key(|(number, _)| *number);
        for (number, action) in known {
            starts.insert(base + number, action);
            highest = number;
            starts.insert(base + number + 1, Action::Refuse(EPERM));
        }
        starts.insert(base + highest + 1, Action::Refuse(ENOSYS));
    }
    let mut ranges: Vec<(u32, Action)> = starts.into_iter().collect();
    ranges.dedup_by_key(|(_, action)| *action);
    ranges
}

fn action(when: When, capabilities: CapabilitySet) -> Action {
    let administrator = capabilities.contains(Capability::SysAdmin);
    let allow_if = |condition| if condition { Action::Allow } else { Action::Refuse(EPERM) };
    match when {
        When::Always => Action::Allow,
        When::With(any) => allow_if(any.iter().any(|capability| capabilities.contains(*capability))),
        When::CloneFlags | When::Clone3 if administrator => Action::Allow,
        When::CloneFlags => Action::Test(Test::Without(NAMESPACE_FLAGS)),
        When::Clone3 => Action::Refuse(ENOSYS),
        When::Personality => Action::Test(Test::Among(HARMLESS_PERSONALITIES)),
        When::Socket => Action::Test(Test::Outside(CLOSED_FAMILIES)),
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::program::simulator::{Verdict, run};
    use super::*;

    const X86_64: u32 = 0xc000_003e;
    const I386: u32 = 0x4000_0003;
    const X32: u32 = 0x4000_0000;
    const REFUSED: Verdict = Verdict::Refused(1);
    const ABSENT: Verdict = Verdict::Refused(38);

    fn verdict(capabilities: CapabilitySet, audit: u32, number: u32, argument: u64) -> Verdict {
        run(&default_program(capabilities), audit, number, argument)
    }

    fn docker(audit: u32, number: u32, argument: u64) -> Verdict {
        verdict(CapabilitySet::DOCKER_DEFAULT, audit, number, argument)
    }

    #[test]
    fn default_profile_decides_as_docker_does() {
        let number = |number: libc::c_long| u32::try_from(number).unwrap();
        for allowed in [libc::SYS_read, libc::SYS_execve, libc::SYS_ptrace, libc::SYS_chroot, libc::SYS_mknod]
        {
            assert_eq!(docker(X86_64, number(allowed), 0), Verdict::Allowed, "{allowed}");
        }
        for refused in [
            libc::SYS_mount,
            libc::SYS_bpf,
            libc::SYS_keyctl,
            libc::SYS_userfaultfd,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_io_uring_setup,
            libc::SYS_open_by_handle_at,
            libc::SYS_kexec_load,
            libc::SYS_pivot_root,
        ] {
            assert_eq!(docker(X86_64, number(refused), 0), REFUSED, "{refused}");
        }
        assert_eq!(docker(X86_64, number(libc::SYS_clone3), 0), ABSENT);
        assert_eq!(docker(X86_64, 5000, 0), ABSENT);
        assert_eq!(docker(0x1234, 0, 0), Verdict::Killed);
    }

    #[test]
    fn arguments_decide_where_docker_looks_at_them() {
        let clone = u32::try_from(libc::SYS_clone).unwrap();
        let thread = u64::from(libc::CLONE_VM.cast_unsigned() | libc::CLONE_THREAD.cast_unsigned());
        assert_eq!(docker(X86_64, clone, thread), Verdict::Allowed);
        for namespace in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET, libc::CLONE_NEWCGROUP] {
            assert_eq!(docker(X86_64, clone, u64::from(namespace.cast_unsigned())), REFUSED);
        }
        let socket = u32::try_from(libc::SYS_socket).unwrap();
        for (family, expected) in
            [(2, Verdict::Allowed), (38, REFUSED), (39, Verdict::Allowed), (40, REFUSED)]
        {
            assert_eq!(docker(X86_64, socket, family), expected, "family {family}");
        }
        let personality = u32::try_from(libc::SYS_personality).unwrap();
        assert_eq!(docker(X86_64, personality, 0xffff_ffff), Verdict::Allowed);
        // ADDR_NO_RANDOMIZE
        assert_eq!(docker(X86_64, personality, 0x004_0000), REFUSED);
    }

    #[test]
    fn other_conventions_follow_the_same_rules_by_their_own_numbers() {
        // i386: read, mount, socket(AF_VSOCK), clone(CLONE_NEWUSER)
        assert_eq!(docker(I386, 3, 0), Verdict::Allowed);
        assert_eq!(docker(I386, 21, 0), REFUSED);
        assert_eq!(docker(I386, 359, 40), REFUSED);
        assert_eq!(docker(I386, 120, 0x1000_0000), REFUSED);
        // x32: read; its own ioctl and the one of x86-64; mount
        assert_eq!(docker(X86_64, X32, 0), Verdict::Allowed);
        assert_eq!(docker(X86_64, X32 + 514, 0), Verdict::Allowed);
        assert_eq!(docker(X86_64, X32 + 16, 0), REFUSED);
        assert_eq!(docker(X86_64, X32 + 165, 0), REFUSED);
    }

    #[test]
    fn capabilities_open_what_they_need() {
        let mount = u32::try_from(libc::SYS_mount).unwrap();
        let clone = u32::try_from(libc::SYS_clone).unwrap();
        let administrator = CapabilitySet::DOCKER_DEFAULT.with(Capability::SysAdmin);
        assert_eq!(verdict(administrator, X86_64, mount, 0), Verdict::Allowed);
        assert_eq!(verdict(administrator, X86_64, clone, 0x1000_0000), Verdict::Allowed);
        assert_eq!(
            verdict(CapabilitySet::EMPTY, X86_64, u32::try_from(libc::SYS_chroot).unwrap(), 0),
            REFUSED
        );
    }
}
