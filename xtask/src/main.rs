//! The chores of the project: `cargo xtask demo`, `cargo xtask test`, `cargo xtask bench` and `cargo xtask fuzz`.
//!
//! Each is one file with one `run` function. What they need is in [`system`] (packages of the
//! distribution) and [`command`] (running programs, and saying so).
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to whoever started it")]

mod bench;
mod command;
mod demo;
mod fuzz;
mod system;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

Commands:
  demo   Build the release binary, a base image and testdata/demo; run it; build it again
  test   Run all tests, and say what could not run
  bench  Measure what a sandbox, a step of a build and a container cost
  fuzz   [TARGET] [--seconds N]: run one fuzz target, or each of them, for a minute or N seconds
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["demo"] => demo::run(),
        ["test"] => test::run(),
        ["bench"] => bench::run(),
        ["fuzz", ref rest @ ..] => fuzz::run(rest),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
