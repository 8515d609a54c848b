//! The `builder` command: arguments to requests, events to the terminal, errors to excerpts,
//! hints and exit codes.
//!
//! - [`commands`]: one file a command, with its flags and its function
//! - [`environment`]: the only place that reads variables, the working directory, the user
//! - [`interrupt`]: what ^C does
//! - [`terminal`]: the user's terminal, and a process that has it
//! - [`progress`]: what is shown while a build runs
//! - [`report`], [`excerpt`]: what is shown when something fails
//! - [`csv`], [`table`], [`units`]: text forms that docker's users know
#![forbid(unsafe_code)]

mod advice;
mod commands;
mod csv;
mod environment;
mod excerpt;
mod interrupt;
mod limits;
mod privileges;
mod progress;
mod report;
mod table;
mod terminal;
mod units;

use std::process::ExitCode;

use environment::Environment;
use report::Failure;

fn main() -> ExitCode {
    // Re-executed as the helper of a sandbox, this never returns.
    engine::sandbox_init();

    let arguments = match commands::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let result = Environment::read()
        .map_err(|error| Failure::because("cannot tell the working directory", error))
        .and_then(|environment| commands::run(arguments, &environment));
    match result {
        Ok(exit) => exit,
        Err(failure) => report::print(&failure),
    }
}
