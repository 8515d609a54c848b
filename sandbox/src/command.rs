//! Finding the command inside the root, and becoming it.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::error::{Failure, Stage};
use crate::spec::Process;
use crate::sys;

/// The search path of a process that has none, as in execvp(3).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Becomes the command. Returns only if that is impossible.
pub(crate) fn execute(process: &Process) -> Failure {
    let Some(command) = process.args.first() else {
        return Failure::CommandNotFound { command: String::new(), searched: None };
    };
    let Some((arguments, environment)) = strings(process) else {
        return Failure::setup(Stage::Execute, "a command with a NUL byte", Errno::INVAL);
    };
    let run = |path: &Path| match CString::new(path.as_os_str().as_bytes()) {
        Ok(path) => sys::execute(&path, &arguments, &environment),
        Err(_) => Errno::INVAL,
    };
    let not_found =
        |searched| Failure::CommandNotFound { command: command.to_string_lossy().into_owned(), searched };
    if command.as_bytes().contains(&b'/') {
        let path = Path::new(command);
        return match run(path) {
            Errno::NOENT | Errno::NOTDIR if !path.exists() => not_found(None),
            errno => classify(path, errno),
        };
    }
    let search = variable(process, "PATH").unwrap_or_else(|| OsString::from(DEFAULT_PATH));
    let mut refused = None;
    for directory in search.as_bytes().split(|byte| *byte == b':') {
        let directory =
            if directory.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(directory)) };
        let path = directory.join(command);
        match run(&path) {
            Errno::NOENT | Errno::NOTDIR if !path.exists() => {}
            // Like shells, go on looking, but say what was found if nothing else is.
            Errno::ACCESS => refused = refused.or(Some(path)),
            errno => return classify(&path, errno),
        }
    }
    match refused {
        Some(path) => classify(&path, Errno::ACCESS),
        None => not_found(Some(search.to_string_lossy().into_owned())),
    }
}

/// What it means that a file which is there was not executed.
fn classify(path: &Path, errno: Errno) -> Failure {
    let path = path.to_owned();
    match errno {
        Errno::NOEXEC => Failure::ExecFormat { path },
        Errno::NOENT => match interpreter(&path) {
            Some(interpreter) => Failure::MissingInterpreter { path, interpreter },
            None => Failure::setup(Stage::Execute, path.display(), errno),
        },
        Errno::ACCESS | Errno::ISDIR => Failure::CommandNotExecutable { path, errno: errno.raw_os_error() },
        errno => Failure::setup(Stage::Execute, path.display(), errno),
    }
}

fn variable(process: &Process, name: &str) -> Option<OsString> {
    process.env.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.clone())
}

/// The argument list and the environment as the kernel takes them; none if there is a NUL byte.
fn strings(process: &Process) -> Option<(Vec<CString>, Vec<CString>)> {
    let arguments = process.args.iter().map(|argument| CString::new(argument.as_bytes()).ok());
    let environment = process
        .env
        .iter()
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok());
    Some((arguments.collect::<Option<_>>()?, environment.collect::<Option<_>>()?))
}

/// How much of a file is looked at: the kernel reads 256 bytes of a script and the program headers
/// of a binary, which follow its file header.
const HEAD: u64 = 4096;

/// The program that a script or a dynamically linked binary wants to be run by.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    let name = match head.strip_prefix(b"#!") {
        Some(rest) => {
            let line = rest.split(|byte| *byte == b'\n').next()?;
            let line = line.trim_ascii_start();
            // A carriage return is part of the name here, as it is for the kernel.
            line.split(|byte| matches!(byte, b' ' | b'\t')).next()?.to_vec()
        }
        None => elf_interpreter(&head)?,
    };
    Some(PathBuf::from(OsString::from_vec(name)))
}

/// The string of the `PT_INTERP` header of a little-endian ELF file (elf(5)).
fn elf_interpreter(head: &[u8]) -> Option<Vec<u8>> {
    const INTERPRETER: u64 = 3;
    let number = |at: usize, size: usize| -> Option<u64> {
        let bytes = head.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let position = |at: usize, size: usize| usize::try_from(number(at, size)?).ok();
    // Size of an address, then where the file header tells the table of program headers, the size of one
    // and their count, then where a program header tells its offset and size.
    let (word, table, size, count, start, length) = if head.starts_with(b"\x7fELF\x02\x01") {
        (8, 32, 54, 56, 8, 32)
    } else if head.starts_with(b"\x7fELF\x01\x01") {
        (4, 28, 42, 44, 4, 16)
    } else {
        return None;
    };
    let (table, size) = (position(table, word)?, position(size, 2)?);
    for index in 0..position(count, 2)? {
        let header = table.checked_add(index.checked_mul(size)?)?;
        if number(header, 4)? == INTERPRETER {
            let start = position(header.checked_add(start)?, word)?;
            let length = position(header.checked_add(length)?, word)?;
            let name = head.get(start..start.checked_add(length)?)?;
            return Some(name.split(|byte| *byte == 0).next()?.to_vec());
        }
    }
    None
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
    fn binaries_of_both_sizes_name_their_loader() {
        let wide = elf(2, 120, &[(32, 64), (54, 56), (56, 1), (64, 3), (64 + 8, 120), (64 + 32, 8)]);
        assert_eq!(elf_interpreter(&wide), Some(b"/lib/ld".to_vec()));
        let narrow = elf(1, 84, &[(28, 52), (42, 32), (44, 1), (52, 3), (52 + 4, 84), (52 + 16, 8)]);
        assert_eq!(elf_interpreter(&narrow), Some(b"/lib/ld".to_vec()));
    }

    #[test]
    fn damaged_binaries_name_none() {
        let mut image = vec![0xff; 64];
        for class in [1, 2] {
            image[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1]);
            assert_eq!(elf_interpreter(&image), None);
        }
        let mut far = elf(2, 120, &[(32, 64), (54, 56), (56, 1), (64, 3), (64 + 8, 120), (64 + 32, 8)]);
        far[64 + 8..64 + 16].fill(0xff);
        assert_eq!(elf_interpreter(&far), None);
        assert_eq!(elf_interpreter(b"\x7fELF\x02\x01"), None);
    }
}
