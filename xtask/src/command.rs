//! Running programs: what is run is said first, and what fails names the program.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("the package lies in a directory of the workspace").to_path_buf()
}

/// The cargo that runs this, started in the root of the workspace.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace()).args(arguments);
    command
}

/// Where cargo puts what it makes; `CARGO_TARGET_DIR` and configuration files may have moved it.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let text = output(&mut cargo(["metadata", "--no-deps", "--format-version", "1", "--locked"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text).context("the output of cargo metadata")?;
    match metadata["target_directory"].as_str() {
        Some(directory) => Ok(PathBuf::from(directory)),
        None => bail!("cargo metadata names no target directory"),
    }
}

/// Prints a heading, so that what follows can be told apart in a long output.
pub(crate) fn heading(text: &str) {
    println!("\n== {text}");
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| format!("cannot start {}", name(command)))?;
    succeeded(command, status)
}

/// Runs a program and kills it when it takes longer than `limit`.
pub(crate) fn run_bounded(command: &mut Command, limit: Duration) -> Result<()> {
    const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
    announce(command);
    let end = Instant::now() + limit;
    let mut child = command.spawn().with_context(|| format!("cannot start {}", name(command)))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return succeeded(command, status);
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            bail!("{} was not done after {} s", name(command), limit.as_secs());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Runs a program and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    command.stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("cannot start {}", name(command)))?;
    succeeded(command, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("the output of {}", name(command)))
}

/// Prints a command the way it could be typed.
pub(crate) fn announce(command: &Command) {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    println!("$ {}", words.join(" "));
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { bail!("{} failed: {status}", name(command)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("--root=/a/b:c"), "--root=/a/b:c");
        assert_eq!(quoted("CMD [\"bash\"]"), "'CMD [\"bash\"]'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_program_that_fails_is_named() {
        let error = run(&mut Command::new("false")).expect_err("false fails");
        assert_eq!(error.to_string(), "false failed: exit status: 1");
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed() {
        let mut command = Command::new("sleep");
        let error = run_bounded(command.arg("60"), Duration::ZERO).expect_err("the limit is over at once");
        assert_eq!(error.to_string(), "sleep was not done after 0 s");
    }
}
