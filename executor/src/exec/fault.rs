//! Why a program did not run, as far as something can be advised.
//!
//! There are two witnesses. The sandbox knows why the command itself could not be executed. A shell that
//! could not execute one of its commands says so in its output and exits with code 126 or 127; that names the
//! file, which is then looked at in the tree that the step has left.

use std::path::Path;

use sandbox::{Machine, Program, SandboxError};

/// What is wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The shell that should run the command is not in the image.
    NoShell {
        /// The shell.
        shell: String,
    },
    /// There is no program of that name.
    NotFound {
        /// The name.
        command: String,
    },
    /// The first line of the script ends with a carriage return, which the kernel takes for a part of the name of
    /// the interpreter.
    WindowsLineEnds {
        /// The script.
        script: String,
    },
    /// The interpreter of the script is not in the image.
    MissingInterpreter {
        /// The script.
        script: String,
        /// The program that its first line names.
        interpreter: String,
    },
    /// The loader of the program is not in the image.
    MissingLoader {
        /// The program.
        program: String,
        /// The loader that it names.
        loader: String,
    },
    /// The program is for another kind of machine.
    Foreign {
        /// The program.
        program: String,
        /// What it is for.
        machine: Machine,
    },
    /// The script does not say what is to run it.
    NoInterpreterLine {
        /// The script.
        script: String,
    },
    /// The file may not be executed.
    NotExecutable {
        /// The file.
        path: String,
    },
}

impl Fault {
    /// What the sandbox knows.
    pub(crate) fn of_error(error: &SandboxError) -> Option<Self> {
        let text = |path: &Path| path.display().to_string();
        match error {
            SandboxError::CommandNotFound { command, .. } if is_shell(command) => {
                Some(Self::NoShell { shell: command.clone() })
            }
            SandboxError::CommandNotFound { command, .. } => {
                Some(Self::NotFound { command: command.clone() })
            }
            SandboxError::MissingInterpreter { path, interpreter } => {
                Some(Self::missing(text(path), text(interpreter)))
            }
            SandboxError::ExecFormat { path, program } => Self::of_program(text(path), program),
            SandboxError::CommandNotExecutable { path, .. } => Some(Self::NotExecutable { path: text(path) }),
            _ => None,
        }
    }

    /// What is wrong with a file whose interpreter or loader is not there.
    pub(crate) fn missing(file: String, interpreter: String) -> Self {
        if interpreter.ends_with('\r') {
            Self::WindowsLineEnds { script: file }
        } else if interpreter.rsplit('/').next().is_some_and(|name| name.starts_with("ld-")) {
            Self::MissingLoader { program: file, loader: interpreter }
        } else {
            Self::MissingInterpreter { script: file, interpreter }
        }
    }

    /// What is wrong with a file of a form that the kernel does not run.
    pub(crate) fn of_program(file: String, program: &Program) -> Option<Self> {
        match program {
            Program::Text => Some(Self::NoInterpreterLine { script: file }),
            Program::Binary(machine) | Program::Linked { machine, .. } => {
                let is_foreign = Machine::HOST.is_some_and(|host| host != *machine);
                is_foreign.then_some(Self::Foreign { program: file, machine: *machine })
            }
            Program::Script { .. } | Program::Empty | Program::Data => None,
        }
    }
}

fn is_shell(command: &str) -> bool {
    matches!(command.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash" | "zsh" | "ksh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: &SandboxError) -> Option<Fault> {
        Fault::of_error(error)
    }

    #[test]
    fn the_sandbox_knows_what_is_wrong_with_the_command() {
        let not_found =
            |command: &str| SandboxError::CommandNotFound { command: command.into(), searched: None };
        assert_eq!(of(&not_found("/bin/sh")), Some(Fault::NoShell { shell: "/bin/sh".into() }));
        assert_eq!(of(&not_found("make")), Some(Fault::NotFound { command: "make".into() }));
        let missing = |interpreter: &str| SandboxError::MissingInterpreter {
            path: "/run".into(),
            interpreter: interpreter.into(),
        };
        assert_eq!(of(&missing("/bin/sh\r")), Some(Fault::WindowsLineEnds { script: "/run".into() }));
        assert_eq!(
            of(&missing("/lib64/ld-linux-x86-64.so.2")),
            Some(Fault::MissingLoader {
                program: "/run".into(),
                loader: "/lib64/ld-linux-x86-64.so.2".into()
            })
        );
        let text = SandboxError::ExecFormat { path: "/run".into(), program: Program::Text };
        assert_eq!(of(&text), Some(Fault::NoInterpreterLine { script: "/run".into() }));
        let empty = SandboxError::ExecFormat { path: "/run".into(), program: Program::Empty };
        assert_eq!(of(&empty), None);
    }
}
