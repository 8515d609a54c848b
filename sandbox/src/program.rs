//! What the kernel would make of a file, judged by its first bytes: a script, a binary, nothing.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::wire;

/// How much of a file has to be looked at: the kernel reads 256 bytes of a script and the program headers of a
/// binary, which follow its file header.
pub const HEAD: u64 = 4096;

/// A file that somebody wants to execute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// A script with a `#!` line.
    Script {
        /// The program that the line names. A carriage return at the end of the line is part of it, as it is
        /// for the kernel.
        #[serde(with = "wire::one")]
        interpreter: PathBuf,
    },
    /// A binary (elf(5)) that is complete in itself.
    Binary(Machine),
    /// A binary that a loader puts together with its libraries.
    Linked {
        /// What it is for.
        machine: Machine,
        /// The loader.
        #[serde(with = "wire::one")]
        loader: PathBuf,
    },
    /// A text that names no interpreter.
    Text,
    /// No bytes at all.
    Empty,
    /// Anything else.
    Data,
}

/// A kind of machine, by its number in binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine(u16);

impl Machine {
    /// This machine's kind.
    pub const HOST: Option<Self> = if cfg!(target_arch = "x86_64") {
        Some(Self(62))
    } else if cfg!(target_arch = "aarch64") {
        Some(Self(183))
    } else if cfg!(target_arch = "riscv64") {
        Some(Self(243))
    } else {
        None
    };
}

/// The name that platforms of images have for it.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            3 => "386",
            8 => "mips",
            20 | 21 => "ppc64",
            22 => "s390x",
            40 => "arm",
            62 => "amd64",
            183 => "arm64",
            243 => "riscv64",
            258 => "loong64",
            number => return write!(f, "machine {number}"),
        };
        f.write_str(name)
    }
}

impl Program {
    /// Judges a file by its first bytes, up to [`HEAD`] of them.
    pub fn of(head: &[u8]) -> Self {
        if head.is_empty() {
            return Self::Empty;
        }
        if let Some(interpreter) = script_interpreter(head) {
            return Self::Script { interpreter: PathBuf::from(OsString::from_vec(interpreter)) };
        }
        if let Some(elf) = Elf::of(head)
            && let Some(machine) = elf.machine()
        {
            return match elf.loader() {
                Some(loader) => Self::Linked { machine, loader: PathBuf::from(OsString::from_vec(loader)) },
                None => Self::Binary(machine),
            };
        }
        if is_text(head) { Self::Text } else { Self::Data }
    }

    /// What it is made for, if it is a binary.
    pub fn machine(&self) -> Option<Machine> {
        match self {
            Self::Binary(machine) | Self::Linked { machine, .. } => Some(*machine),
            Self::Script { .. } | Self::Text | Self::Empty | Self::Data => None,
        }
    }
}

/// Whether these are characters, the last of which may have been cut.
fn is_text(head: &[u8]) -> bool {
    let is_cut = |error: std::str::Utf8Error| error.error_len().is_none();
    !head.contains(&0) && !head.starts_with(MAGIC) && std::str::from_utf8(head).err().is_none_or(is_cut)
}

/// What the `#!` line names; none if there is none.
fn script_interpreter(head: &[u8]) -> Option<Vec<u8>> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = line.trim_ascii_start();
    Some(line.split(|byte| matches!(byte, b' ' | b'\t')).next()?.to_vec())
}

/// How binaries begin.
const MAGIC: &[u8] = b"\x7fELF";

/// The head of a little-endian binary.
struct Elf<'a> {
    head: &'a [u8],
    is_wide: bool,
}

impl<'a> Elf<'a> {
    fn of(head: &'a [u8]) -> Option<Self> {
        let is_wide = head.starts_with(b"\x7fELF\x02\x01");
        (is_wide || head.starts_with(b"\x7fELF\x01\x01")).then_some(Self { head, is_wide })
    }

    fn number(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.head.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn position(&self, at: usize, size: usize) -> Option<usize> {
        usize::try_from(self.number(at, size)?).ok()
    }

    fn machine(&self) -> Option<Machine> {
        u16::try_from(self.number(18, 2)?).ok().map(Machine)
    }

    /// The string of the `PT_INTERP` header.
    fn loader(&self) -> Option<Vec<u8>> {
        const INTERPRETER: u64 = 3;
        // Size of an address, then where the file header tells the table of program headers, the size of one
        // and their count, then where a program header tells its offset and size.
        let (word, table, size, count, start, length) =
            if self.is_wide { (8, 32, 54, 56, 8, 32) } else { (4, 28, 42, 44, 4, 16) };
        let (table, size) = (self.position(table, word)?, self.position(size, 2)?);
        for index in 0..self.position(count, 2)? {
            let header = table.checked_add(index.checked_mul(size)?)?;
            if self.number(header, 4)? == INTERPRETER {
                let start = self.position(header.checked_add(start)?, word)?;
                let length = self.position(header.checked_add(length)?, word)?;
                let name = self.head.get(start..start.checked_add(length)?)?;
                return Some(name.split(|byte| *byte == 0).next()?.to_vec());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file header, one program header right after it, and the name of a loader.
    fn elf(class: u8, header: usize, fields: &[(usize, u8)]) -> Vec<u8> {
        let mut image = vec![0; header];
        image[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1]);
        for (at, value) in fields {
            image[*at] = *value;
        }
        image.extend_from_slice(b"/lib/ld\0");
        image
    }

    #[test]
    fn binaries_of_both_sizes_name_machine_and_loader() {
        let linked = |number| Program::Linked { machine: Machine(number), loader: "/lib/ld".into() };
        let wide =
            elf(2, 120, &[(18, 183), (32, 64), (54, 56), (56, 1), (64, 3), (64 + 8, 120), (64 + 32, 8)]);
        assert_eq!(Program::of(&wide), linked(183));
        let narrow =
            elf(1, 84, &[(18, 40), (28, 52), (42, 32), (44, 1), (52, 3), (52 + 4, 84), (52 + 16, 8)]);
        assert_eq!(Program::of(&narrow), linked(40));
        assert_eq!((Machine(183).to_string(), Machine(9).to_string()), ("arm64".into(), "machine 9".into()));
    }

    #[test]
    fn damaged_binaries_name_no_loader() {
        let mut image = vec![0xff; 64];
        for class in [1, 2] {
            image[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1]);
            assert_eq!(Program::of(&image), Program::Binary(Machine(0xffff)));
        }
        let mut far = elf(2, 120, &[(32, 64), (54, 56), (56, 1), (64, 3), (64 + 8, 120), (64 + 32, 8)]);
        far[64 + 8..64 + 16].fill(0xff);
        assert_eq!(Program::of(&far), Program::Binary(Machine(0)));
        assert_eq!(Program::of(b"\x7fELF\x02\x01"), Program::Data);
    }

    #[test]
    fn scripts_texts_and_the_rest_are_told_apart() {
        let script = |interpreter: &str| Program::Script { interpreter: interpreter.into() };
        assert_eq!(Program::of(b"#! /bin/sh -e\necho\n"), script("/bin/sh"));
        assert_eq!(Program::of(b"#!/bin/sh\r\necho\r\n"), script("/bin/sh\r"));
        assert_eq!(Program::of(b"echo \xe2\x82"), Program::Text);
        assert_eq!(Program::of(b"echo \xff more"), Program::Data);
        assert_eq!(Program::of(b"a\0b"), Program::Data);
        assert_eq!(Program::of(b""), Program::Empty);
    }
}
