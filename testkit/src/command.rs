//! A hermetic command line: a program in a directory of its own, with no environment but its own.
//!
//! ```text
//! TEMPORARY/           what [`CommandLine::directory`] names; the working directory, and HOME
//! TEMPORARY/store/     BUILDER_ROOT
//! TEMPORARY/tmp/       TMPDIR
//! ```

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A program and the directory in which it runs, which is removed in the end.
#[derive(Debug)]
pub struct CommandLine {
    program: PathBuf,
    directory: TempDir,
}

impl CommandLine {
    /// An empty directory for a program.
    pub fn new(program: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = TempDir::with_prefix("command-")?;
        fs::create_dir(directory.path().join("tmp"))?;
        Ok(Self { program: program.into(), directory })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> io::Result<()> {
        let path = self.directory().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)
    }

    /// The program with these arguments, to be started by the caller.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let directory = self.directory();
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(directory).stdin(Stdio::null()).env_clear();
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", directory).env("TMPDIR", directory.join("tmp")).env("LC_ALL", "C.UTF-8");
        command.env("BUILDER_ROOT", directory.join("store"));
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> io::Result<Ran> {
        let output = self.command(arguments).output()?;
        Ok(self.ran(&output))
    }

    /// Runs the program with something on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> io::Result<Ran> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            match stdin.write_all(input) {
                // A program need not read what it is given.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                written => written?,
            }
        }
        Ok(self.ran(&child.wait_with_output()?))
    }

    fn ran(&self, output: &std::process::Output) -> Ran {
        let directory = self.directory().display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&directory, "[DIRECTORY]");
        Ran { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// What a program did. The directory in which it ran is called `[DIRECTORY]` in its output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "snapshot what was printed, or assert the exit code with .success()"]
pub struct Ran {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Ran {
    /// Panics with everything that was printed unless the exit code is 0.
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }
}

/// For snapshots: the exit code, then each output that is not empty.
impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "-- {name}")?;
                f.write_str(text)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_its_own_surroundings_only() {
        let shell = CommandLine::new("/bin/sh").expect("a directory");
        shell.write("a/b", "text\n").expect("a file");
        let ran =
            shell.run(&["-c", "cat a/b; pwd; env | cut -d= -f1 | sort | xargs; exit 3"]).expect("a shell");
        assert_eq!(
            ran.to_string(),
            "exit 3\n-- stdout\ntext\n[DIRECTORY]\nBUILDER_ROOT HOME LC_ALL PATH PWD TMPDIR\n"
        );
    }

    #[test]
    fn a_program_can_be_given_input() {
        let shell = CommandLine::new("/bin/sh").expect("a directory");
        let ran = shell.run_with_input(&["-c", "cat >&2"], b"in\n").expect("a shell");
        assert_eq!(ran.success().stderr, "in\n");
    }
}
