//! The system call filter: Docker's default profile as a program for the kernel (seccomp(2)).
//!
//! [`profile`] is the table of rules, [`program`] turns rules into instructions; this module picks the rules
//! that hold for a process's capabilities and the conventions that this machine's kernel accepts.

mod profile;
mod program;

use std::collections::BTreeMap;

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

/// Confines this process, and what it executes, to Docker's default profile. Needs `CAP_SYS_ADMIN` or
/// `no_new_privs`.
pub(crate) fn install_default(capabilities: CapabilitySet) -> Result<(), Errno> {
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
