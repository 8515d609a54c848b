//! From rules to a program for the kernel, which asks it at every opening and making of a device node
//! (`BPF_PROG_TYPE_CGROUP_DEVICE`, linux/bpf.h).
//!
//! The rules are tried one after the other; the first that covers a request allows it, and what no rule covers
//! is refused with `EPERM`.

use super::{DeviceAccess, DeviceKind, Rule};
use crate::sys::ExtendedInstruction;

/// `struct bpf_cgroup_dev_ctx`: access in the upper half and kind in the lower half of the first word, then the
/// numbers.
const REQUEST: i16 = 0;
const MAJOR: i16 = 4;
const MINOR: i16 = 8;

/// Registers: the result, the context, and what is loaded from it.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const ACCESS_LOADED: u8 = 2;
const KIND_LOADED: u8 = 3;
const MAJOR_LOADED: u8 = 4;
const MINOR_LOADED: u8 = 5;

/// Operation codes of linux/bpf.h, put together as needed here.
const LOAD_WORD: u8 = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const COPY: u8 = 0xbc; // BPF_ALU | BPF_MOV | BPF_X
const SET: u8 = 0xb7; // BPF_ALU64 | BPF_MOV | BPF_K
const AND: u8 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT_RIGHT: u8 = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const JUMP_UNEQUAL: u8 = 0x55; // BPF_JMP | BPF_JNE | BPF_K
const JUMP_ANY_BIT: u8 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

/// `BPF_DEVCG_ACC_MKNOD`, `BPF_DEVCG_ACC_READ`, `BPF_DEVCG_ACC_WRITE`
const MAKE: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;

/// The program that allows what these rules allow.
pub(super) fn assemble(rules: &[Rule]) -> Vec<ExtendedInstruction> {
    let mut program = vec![
        load(ACCESS_LOADED, REQUEST),
        ExtendedInstruction {
            code: COPY,
            registers: ACCESS_LOADED << 4 | KIND_LOADED,
            offset: 0,
            operand: 0,
        },
        plain(AND, KIND_LOADED, 0xffff),
        plain(SHIFT_RIGHT, ACCESS_LOADED, 16),
        load(MAJOR_LOADED, MAJOR),
        load(MINOR_LOADED, MINOR),
    ];
    for rule in rules {
        program.extend(allow_where(rule));
    }
    program.extend(finish(0));
    program
}

/// Allows what the rule covers, and goes on behind it with everything else.
fn allow_where(rule: &Rule) -> Vec<ExtendedInstruction> {
    let kind = match rule.kind {
        DeviceKind::Block => 1,
        DeviceKind::Character => 2,
    };
    let mut conditions =
        vec![(JUMP_UNEQUAL, KIND_LOADED, kind), (JUMP_ANY_BIT, ACCESS_LOADED, !bits(rule.access) & 7)];
    conditions.extend(rule.major.map(|major| (JUMP_UNEQUAL, MAJOR_LOADED, major.cast_signed())));
    conditions.extend(rule.minor.map(|minor| (JUMP_UNEQUAL, MINOR_LOADED, minor.cast_signed())));
    let allow = finish(1);
    let length = conditions.len() + allow.len();
    let mut code = Vec::with_capacity(length);
    for (at, (operation, register, operand)) in conditions.into_iter().enumerate() {
        // Over the conditions that follow and the end.
        let offset = i16::try_from(length - at - 1).expect("a rule is a handful of instructions");
        code.push(ExtendedInstruction { offset, ..plain(operation, register, operand) });
    }
    code.extend(allow);
    code
}

fn bits(access: DeviceAccess) -> i32 {
    [(access.read, READ), (access.write, WRITE), (access.make, MAKE)]
        .into_iter()
        .filter_map(|(allowed, bit)| allowed.then_some(bit))
        .sum()
}

fn load(register: u8, offset: i16) -> ExtendedInstruction {
    ExtendedInstruction { code: LOAD_WORD, registers: CONTEXT << 4 | register, offset, operand: 0 }
}

fn plain(code: u8, register: u8, operand: i32) -> ExtendedInstruction {
    ExtendedInstruction { code, registers: register, offset: 0, operand }
}

fn finish(result: i32) -> [ExtendedInstruction; 2] {
    [plain(SET, RESULT, result), plain(EXIT, 0, 0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading of the instructions above: what the kernel would answer.
    fn allows(program: &[ExtendedInstruction], kind: u32, access: i32, numbers: (u32, u32)) -> bool {
        let mut registers = [0_u32; 6];
        let mut at = 0;
        loop {
            let ExtendedInstruction { code, registers: pair, offset, operand } = program[at];
            let (to, from) = (usize::from(pair & 15), usize::from(pair >> 4));
            at += 1;
            let operand = operand.cast_unsigned();
            let jump = match code {
                LOAD_WORD => {
                    registers[to] = match offset {
                        REQUEST => access.cast_unsigned() << 16 | kind,
                        MAJOR => numbers.0,
                        MINOR => numbers.1,
                        other => panic!("load of offset {other}"),
                    };
                    false
                }
                COPY => {
                    registers[to] = registers[from];
                    false
                }
                SET => {
                    registers[to] = operand;
                    false
                }
                AND => {
                    registers[to] &= operand;
                    false
                }
                SHIFT_RIGHT => {
                    registers[to] >>= operand;
                    false
                }
                JUMP_UNEQUAL => registers[to] != operand,
                JUMP_ANY_BIT => registers[to] & operand != 0,
                EXIT => return registers[0] == 1,
                other => panic!("operation {other:#x}"),
            };
            if jump {
                at += usize::try_from(offset).unwrap();
            }
        }
    }

    #[test]
    fn the_first_rule_that_covers_a_request_allows_it() {
        let rule =
            |kind, major, minor, access: &str| Rule { kind, major, minor, access: access.parse().unwrap() };
        let program = assemble(&[
            rule(DeviceKind::Block, None, None, "m"),
            rule(DeviceKind::Character, Some(136), None, "rw"),
            rule(DeviceKind::Character, Some(1), Some(3), "rwm"),
        ]);
        assert!(allows(&program, 1, MAKE, (8, 0)));
        assert!(!allows(&program, 1, READ, (8, 0)));
        assert!(!allows(&program, 1, READ | MAKE, (8, 0)));
        assert!(!allows(&program, 2, MAKE, (8, 0)));
        assert!(allows(&program, 2, READ | WRITE, (136, 77)));
        assert!(!allows(&program, 2, MAKE, (136, 77)));
        assert!(allows(&program, 2, READ | WRITE | MAKE, (1, 3)));
        assert!(!allows(&program, 2, READ, (1, 1)));
    }
}
