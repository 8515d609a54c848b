//! From rules to a classic BPF program.
//!
//! The numbers of one architecture are cut into ranges with equal actions, about seventy to a hundred and sixty
//! of them, and the ranges become a binary search: seven or eight comparisons decide any call, against hundreds in a linear list.
//! Generating it takes microseconds, so nothing is compiled ahead or kept. (The kernel, from 5.11 on, runs
//! the program once per number and remembers those that are always allowed.)

use crate::sys::Instruction;

/// What happens to a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    /// Return this errno.
    Refuse(u16),
    /// Allow it if the low half of its first argument satisfies the test, else `EPERM`.
    Test(Test),
}

/// A test of the low 32 bits of the first argument. The kernel takes no more of these arguments than that, so
/// a caller gains nothing by setting upper bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// None of these bits is set.
    Without(u32),
    /// It is one of these values.
    Among(&'static [u32]),
    /// It is none of these values.
    Outside(&'static [u32]),
}

/// All numbers of one architecture: from each start on, up to the next, one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Architecture {
    /// `AUDIT_ARCH_*` of linux/audit.h.
    pub(super) audit: u32,
    /// Sorted by start; the first start is 0.
    pub(super) ranges: Vec<(u32, Action)>,
}

/// Offsets in `struct seccomp_data` (seccomp(2)); the argument's low half comes first on little endian.
pub(crate) const NUMBER: u32 = 0;
pub(crate) const ARCHITECTURE: u32 = 4;
pub(crate) const FIRST_ARGUMENT: u32 = 16;

/// Operation codes of `linux/bpf_common.h`, put together as needed here.
pub(crate) const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
pub(crate) const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
pub(crate) const JUMP_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
pub(crate) const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Return values of linux/seccomp.h.
pub(crate) const ALLOW: u32 = 0x7fff_0000;
pub(crate) const USER_NOTIFICATION: u32 = 0x7fc0_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

const EPERM: u16 = 1;

/// The whole program. Calls of an architecture that is not listed kill the process.
pub(super) fn assemble(architectures: &[Architecture]) -> Vec<Instruction> {
    let mut program = vec![plain(LOAD, ARCHITECTURE)];
    for architecture in architectures {
        let mut body = vec![plain(LOAD, NUMBER)];
        body.extend(search(&architecture.ranges));
        // Equal: over the skip, into the body, whose every path ends in a return.
        program.push(conditional(JUMP_EQUAL, architecture.audit, 1, 0));
        program.push(skip(body.len()));
        program.extend(body);
    }
    program.push(plain(RETURN, KILL_PROCESS));
    program
}

/// Decides between ranges by halving them; the number is loaded.
fn search(ranges: &[(u32, Action)]) -> Vec<Instruction> {
    match ranges {
        [] => decide(Action::Refuse(EPERM)),
        [(_, action)] => decide(*action),
        _ => {
            let (lower, upper) = ranges.split_at(ranges.len() / 2);
            let (boundary, lower, upper) = (upper[0].0, search(lower), search(upper));
            let mut code = Vec::with_capacity(lower.len() + upper.len() + 2);
            match u8::try_from(lower.len()) {
                Ok(distance) => code.push(conditional(JUMP_AT_LEAST, boundary, distance, 0)),
                // Conditional jumps reach 255 instructions, plain ones everywhere.
                Err(_) => code.extend([conditional(JUMP_AT_LEAST, boundary, 0, 1), skip(lower.len())]),
            }
            code.extend(lower);
            code.extend(upper);
            code
        }
    }
}

/// Ends the program with `action`.
fn decide(action: Action) -> Vec<Instruction> {
    let (allow, refuse) = (plain(RETURN, ALLOW), plain(RETURN, ERRNO | u32::from(EPERM)));
    let first_argument = plain(LOAD, FIRST_ARGUMENT);
    match action {
        Action::Allow => vec![allow],
        Action::Refuse(errno) => vec![plain(RETURN, ERRNO | u32::from(errno))],
        Action::Test(Test::Without(bits)) => {
            vec![first_argument, conditional(JUMP_ANY_BIT, bits, 1, 0), allow, refuse]
        }
        Action::Test(Test::Among(values)) => compare(first_argument, values, refuse, allow),
        Action::Test(Test::Outside(values)) => compare(first_argument, values, allow, refuse),
    }
}

/// Compares with a few `values` one after the other.
fn compare(load: Instruction, values: &[u32], other: Instruction, equal: Instruction) -> Vec<Instruction> {
    let mut code = vec![load];
    for value in values {
        // Not equal: over the return, to the next comparison.
        code.extend([conditional(JUMP_EQUAL, *value, 0, 1), equal]);
    }
    code.push(other);
    code
}

pub(crate) fn plain(code: u16, operand: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, operand }
}

pub(crate) fn conditional(code: u16, operand: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction { code, jump_true, jump_false, operand }
}

fn skip(instructions: usize) -> Instruction {
    plain(JUMP, u32::try_from(instructions).expect("a filter is far smaller than 4 billion instructions"))
}

#[cfg(test)]
pub(crate) mod simulator {
    //! A reading of linux/filter.h that runs programs in tests.
    use super::{
        ALLOW, ARCHITECTURE, ERRNO, FIRST_ARGUMENT, Instruction, JUMP, JUMP_ANY_BIT, JUMP_AT_LEAST,
        JUMP_EQUAL, KILL_PROCESS, LOAD, NUMBER, RETURN, USER_NOTIFICATION,
    };

    /// What the kernel would do.
    #[derive(Debug, PartialEq, Eq)]
    pub(crate) enum Verdict {
        Allowed,
        Refused(u32),
        Notified,
        Killed,
    }

    pub(in crate::seccomp) fn run(
        program: &[Instruction],
        audit: u32,
        number: u32,
        argument: u64,
    ) -> Verdict {
        run_with(program, audit, number, [argument, 0, 0, 0, 0, 0])
    }

    pub(crate) fn run_with(program: &[Instruction], audit: u32, number: u32, arguments: [u64; 6]) -> Verdict {
        let mut accumulator = 0;
        let mut at = 0;
        loop {
            let instruction = program[at];
            at += 1;
            let holds = match instruction.code {
                LOAD => {
                    accumulator = match instruction.operand {
                        NUMBER => number,
                        ARCHITECTURE => audit,
                        offset => {
                            let argument = arguments[(offset - FIRST_ARGUMENT) as usize / 8];
                            u32::try_from(argument & u64::from(u32::MAX)).unwrap()
                        }
                    };
                    continue;
                }
                JUMP => {
                    at += instruction.operand as usize;
                    continue;
                }
                RETURN => {
                    return match instruction.operand {
                        ALLOW => Verdict::Allowed,
                        KILL_PROCESS => Verdict::Killed,
                        USER_NOTIFICATION => Verdict::Notified,
                        other => Verdict::Refused(other - ERRNO),
                    };
                }
                JUMP_EQUAL => accumulator == instruction.operand,
                JUMP_AT_LEAST => accumulator >= instruction.operand,
                JUMP_ANY_BIT => accumulator & instruction.operand != 0,
                other => panic!("operation {other:#x}"),
            };
            at += usize::from(if holds { instruction.jump_true } else { instruction.jump_false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::simulator::{Verdict, run};
    use super::*;

    #[test]
    fn search_finds_every_range_also_over_long_distances() {
        let actions = [Action::Allow, Action::Refuse(38), Action::Test(Test::Outside(&[1, 2, 3]))];
        let ranges: Vec<_> = (0..500_u32).map(|index| (index * 3, actions[index as usize % 3])).collect();
        let program = assemble(&[Architecture { audit: 7, ranges }]);
        for number in 0..1600 {
            let expected = match (number / 3).min(499) % 3 {
                0 => Verdict::Allowed,
                1 => Verdict::Refused(38),
                _ => Verdict::Refused(1),
            };
            assert_eq!(run(&program, 7, number, 2), expected, "number {number}");
        }
        assert_eq!(run(&program, 7, 6, 4), Verdict::Allowed);
        assert_eq!(run(&program, 8, 0, 0), Verdict::Killed);
    }

    #[test]
    fn tests_look_at_the_low_half_of_the_argument() {
        let verdict = |test, argument| {
            let ranges = vec![(0, Action::Test(test))];
            run(&assemble(&[Architecture { audit: 1, ranges }]), 1, 5, argument)
        };
        assert_eq!(verdict(Test::Without(0b110), 0b001), Verdict::Allowed);
        assert_eq!(verdict(Test::Without(0b110), 0b010), Verdict::Refused(1));
        assert_eq!(verdict(Test::Among(&[0, 8]), 8), Verdict::Allowed);
        assert_eq!(verdict(Test::Among(&[0, 8]), 1), Verdict::Refused(1));
        assert_eq!(verdict(Test::Outside(&[38, 40]), 2), Verdict::Allowed);
        assert_eq!(verdict(Test::Outside(&[38, 40]), 0x1_0000_0028), Verdict::Refused(1));
    }
}
