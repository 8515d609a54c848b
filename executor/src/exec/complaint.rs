//! What a shell says about a command that it could not run, looked into.
//!
//! The exit codes 126 and 127 are a shell's own: it found a file and could not run it, or found none. Its last
//! words name the command, in the form that shells and `env` have agreed on:
//!
//! ```text
//! /bin/sh: 1: make: not found                              dash
//! /bin/sh: ./run.sh: Permission denied                     busybox
//! ./run.sh: line 3: make: command not found                bash
//! env: 'python3\r': No such file or directory              env
//! ```
//! "Not found" is also said of a script whose interpreter, or of a program whose loader, is missing. So the file is
//! looked for in the tree that the step has left. What a step mounted is not in there any more; of that, nothing is
//! said.

use std::io::Read;

use graph::Exec;
use image::ImagePath;
use sandbox::{Exit, Program, program};
use store::{Entry, StoreError, Tree};

use crate::exec::fault::Fault;

/// What is said of a command, in the words that come last in the line.
const COMPLAINTS: [(&str, Kind); 8] = [
    (": command not found", Kind::NotFound),
    (": not found", Kind::NotFound),
    (": cannot execute: required file not found", Kind::NotFound),
    (": No such file or directory", Kind::NotFound),
    (": Permission denied", Kind::Denied),
    (": cannot execute binary file: Exec format error", Kind::Format),
    (": cannot execute binary file", Kind::Format),
    (": Exec format error", Kind::Format),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotFound,
    Denied,
    Format,
}

/// Says what is wrong with the command that the last output complains about. Failures of looking into it are no
/// reason to hide the failure that this is about.
pub(crate) fn explain(exit: Exit, last_output: &[u8], exec: &Exec, tree: &Tree) -> Option<Fault> {
    let kinds: &[Kind] = match exit {
        Exit::Code(127) => &[Kind::NotFound],
        Exit::Code(126) => &[Kind::Denied, Kind::Format],
        _ => return None,
    };
    let text = String::from_utf8_lossy(last_output);
    let (command, kind) = text.lines().rev().find_map(|line| complaint(line, kinds))?;
    let found = find(&command, exec, tree).unwrap_or_else(|error| {
        tracing::debug!(%error, command, "a command could not be looked at");
        None
    });
    match (found, kind) {
        (Some(entry), Kind::NotFound) => broken(command, &entry, exec, tree).ok().flatten(),
        (Some(entry), Kind::Format) => Fault::of_program(command, &judge(&entry).ok()?),
        (_, Kind::Denied) => Some(Fault::NotExecutable { path: command }),
        // A path may lead into a mount, or be meant from a directory that the shell had changed to.
        (None, Kind::NotFound) => (!command.contains('/')).then_some(Fault::NotFound { command }),
        (None, Kind::Format) => None,
    }
}

/// The command that a line is about, if it is a complaint of one of these kinds.
fn complaint(line: &str, kinds: &[Kind]) -> Option<(String, Kind)> {
    let line = line.trim_end();
    COMPLAINTS.iter().filter(|(_, kind)| kinds.contains(kind)).find_map(|(words, kind)| {
        let (_, command) = line.strip_suffix(words)?.rsplit_once(": ")?;
        let command = command.trim_start_matches("can't execute ");
        let command = command.trim_matches(['\'', '"', '‘', '’', '`']);
        (!command.is_empty()).then(|| (command.to_owned(), *kind))
    })
}

/// The file of a command: at its path, or in a directory of `PATH`.
fn find(command: &str, exec: &Exec, tree: &Tree) -> Result<Option<Entry>, StoreError> {
    let file = |path: ImagePath| Ok(tree.resolve(&path, true)?.filter(|entry| !entry.is_directory()));
    if command.contains('/') {
        return file(exec.cwd.join(command));
    }
    let search = exec.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_str());
    for directory in search.unwrap_or_default().split(':').filter(|directory| !directory.is_empty()) {
        if let Some(entry) = file(exec.cwd.join(directory).join(command))? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// What is wrong with a file that is there and was not found.
fn broken(command: String, entry: &Entry, exec: &Exec, tree: &Tree) -> Result<Option<Fault>, StoreError> {
    let (Program::Script { interpreter } | Program::Linked { loader: interpreter, .. }) = judge(entry)?
    else {
        return Ok(None);
    };
    let interpreter = interpreter.display().to_string();
    let is_there = tree.resolve(&exec.cwd.join(&interpreter), true)?.is_some();
    // `#!/usr/bin/env NAME` with a carriage return is a complaint about NAME, and not about the script.
    Ok((!is_there).then(|| Fault::missing(command, interpreter)))
}

fn judge(entry: &Entry) -> Result<Program, StoreError> {
    let mut head = Vec::new();
    let read = entry.open()?.take(program::HEAD).read_to_end(&mut head);
    read.map_err(|source| StoreError::Io { attempt: "read", path: entry.path().to_string().into(), source })?;
    Ok(Program::of(&head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<String> {
        complaint(line, &[Kind::NotFound]).map(|(command, _)| command)
    }

    #[test]
    fn shells_agree_on_what_comes_last() {
        for (line, command) in [
            ("/bin/sh: 1: make: not found", "make"),
            ("/bin/sh: make: not found", "make"),
            ("./run.sh: line 3: make: command not found", "make"),
            ("/bin/bash: line 1: ./run.sh: cannot execute: required file not found", "./run.sh"),
            ("/bin/bash: line 1: ./run.sh: No such file or directory", "./run.sh"),
            ("env: 'python3': No such file or directory", "python3"),
            ("env: can't execute 'python3': No such file or directory", "python3"),
            ("/usr/bin/env: ‘bash\r’: No such file or directory", "bash\r"),
        ] {
            assert_eq!(found(line).as_deref(), Some(command), "{line}");
        }
        for line in ["not found", ": not found", "all is well", "/bin/sh: ./x: Permission denied"] {
            assert_eq!(found(line), None, "{line}");
        }
        let denied = complaint("/bin/sh: ./x: Permission denied", &[Kind::Denied, Kind::Format]);
        assert_eq!(denied, Some(("./x".to_owned(), Kind::Denied)));
    }
}
