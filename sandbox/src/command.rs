//! Finding the command inside the root, and becoming it.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;

use crate::error::{Failure, Stage};
use crate::program::{self, Program};
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
        Errno::NOEXEC => Failure::ExecFormat { program: program(&path).unwrap_or(Program::Data), path },
        Errno::NOENT => match program(&path) {
            Some(Program::Script { interpreter } | Program::Linked { loader: interpreter, .. }) => {
                Failure::MissingInterpreter { path, interpreter }
            }
            _ => Failure::setup(Stage::Execute, path.display(), errno),
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

/// What a file is, if it can be read.
fn program(path: &Path) -> Option<Program> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(program::HEAD).read_to_end(&mut head).ok()?;
    Some(Program::of(&head))
}
