//! Programs of one system call, for roots that have no compiler: the smallest executables that Linux takes.
//!
//! ```text
//! header of the file │ header of its only segment │ load the arguments, call, exit │ bytes that arguments point to
//! ```
//! The exit code is 0 if the call succeeded, and otherwise its errno.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where the kernel loads the file.
const BASE: u32 = 0x0040_0000;

/// An argument of a system call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Argument<'a> {
    Number(u64),
    /// The address of these bytes.
    Bytes(&'a [u8]),
}

use Argument::{Bytes, Number};

/// How the program enters the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    X8664,
    I386,
}

/// An executable that makes one call.
pub(crate) fn program(entry: Entry, number: u32, arguments: &[Argument<'_>]) -> Vec<u8> {
    // The length of the code does not depend on the addresses in it.
    let header = usize::from(header_length(entry));
    let length = code(entry, number, &vec![0; arguments.len()]).len();
    let mut data = Vec::new();
    let mut values = Vec::new();
    for argument in arguments {
        values.push(match argument {
            Number(number) => *number,
            Bytes(bytes) => {
                let address = u64::from(BASE) + (header + length + data.len()) as u64;
                data.extend_from_slice(bytes);
                address
            }
        });
    }
    let body = [code(entry, number, &values), data].concat();
    [file_header(entry, header + body.len()), body].concat()
}

/// Writes an executable.
pub(crate) fn install(path: &Path, program: &[u8]) {
    fs::write(path, program).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn code(entry: Entry, number: u32, values: &[u64]) -> Vec<u8> {
    let mut code = Vec::new();
    match entry {
        Entry::X8664 => {
            // mov rdi, rsi, rdx, r10, r8, r9
            let registers: [[u8; 2]; 6] =
                [[0x48, 0xbf], [0x48, 0xbe], [0x48, 0xba], [0x49, 0xba], [0x49, 0xb8], [0x49, 0xb9]];
            for (register, value) in registers.iter().zip(values) {
                code.extend(register);
                code.extend(value.to_le_bytes());
            }
            // mov eax, number; syscall; mov rdi, rax; neg rdi; test rax, rax; js over; xor edi, edi; over:
            code.push(0xb8);
            code.extend(number.to_le_bytes());
            code.extend([
                0x0f, 0x05, 0x48, 0x89, 0xc7, 0x48, 0xf7, 0xdf, 0x48, 0x85, 0xc0, 0x78, 0x02, 0x31, 0xff,
            ]);
            // mov eax, 60 (exit); syscall
            code.extend([0xb8, 60, 0, 0, 0, 0x0f, 0x05]);
        }
        Entry::I386 => {
            // mov ebx, ecx, edx, esi, edi
            for (register, value) in [0xbb, 0xb9, 0xba, 0xbe, 0xbf].iter().zip(values) {
                code.push(*register);
                code.extend(u32::try_from(*value).unwrap().to_le_bytes());
            }
            // mov eax, number; int 0x80; mov ebx, eax; neg ebx; test eax, eax; js over; xor ebx, ebx; over:
            code.push(0xb8);
            code.extend(number.to_le_bytes());
            code.extend([0xcd, 0x80, 0x89, 0xc3, 0xf7, 0xdb, 0x85, 0xc0, 0x78, 0x02, 0x31, 0xdb]);
            // mov eax, 1 (exit); int 0x80
            code.extend([0xb8, 1, 0, 0, 0, 0xcd, 0x80]);
        }
    }
    code
}

fn header_length(entry: Entry) -> u16 {
    match entry {
        Entry::X8664 => 64 + 56,
        Entry::I386 => 52 + 32,
    }
}

/// The headers of an executable of this length, all of which is loaded (elf(5)).
fn file_header(entry: Entry, length: usize) -> Vec<u8> {
    let is_wide = entry == Entry::X8664;
    let word = |value: u64| {
        let bytes = value.to_le_bytes();
        if is_wide { bytes.to_vec() } else { bytes[..4].to_vec() }
    };
    let half = |value: u16| value.to_le_bytes().to_vec();
    let plain = |value: u32| value.to_le_bytes().to_vec();
    let start = u64::from(BASE) + u64::from(header_length(entry));
    let (file, segment) = if is_wide { (64, 56) } else { (52, 32) };
    let mut header = vec![0x7f, b'E', b'L', b'F', if is_wide { 2 } else { 1 }, 1, 1, 0];
    header.extend([0; 8]);
    // An executable, for this machine, of version 1.
    header.extend([half(2), half(if is_wide { 62 } else { 3 }), plain(1)].concat());
    header.extend([word(start), word(u64::from(file)), word(0), plain(0)].concat());
    header.extend([half(file), half(segment), half(1), half(0), half(0), half(0)].concat());
    // The segment: loaded, readable and executable.
    let (base, length) = (word(u64::from(BASE)), word(length as u64));
    let place = [word(0), base.clone(), base, length.clone(), length].concat();
    if is_wide {
        header.extend([plain(1), plain(5), place, word(0x1000)].concat());
    } else {
        header.extend([plain(1), place, plain(5), word(0x1000)].concat());
    }
    header
}
