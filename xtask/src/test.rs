//! `cargo xtask test`: everything that tests the project.
//!
//! Tests that need something which is not there say `SKIPPED: …` on their standard error and
//! pass. Test runners hide what passing tests print, so the messages are collected from the
//! report that nextest writes and repeated at the end, where nobody can overlook them.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command::{self, cargo, heading, workspace};
use crate::system::{self, Need};

/// What tests call: reference readers of the images that we write, a registry to push them to, a
/// static shell for small images, the set-uid programs behind rootless builds, and agents for ssh keys.
const NEEDS: [Need; 7] = [
    Need { file: "busybox", package: "busybox-static" },
    Need { file: "newuidmap", package: "uidmap" },
    Need { file: "skopeo", package: "skopeo" },
    Need { file: "umoci", package: "umoci" },
    Need { file: "podman", package: "podman" },
    Need { file: "docker-registry", package: "docker-registry" },
    Need { file: "ssh-agent", package: "openssh-client" },
];

/// What tests say when they cannot run.
const SKIPPED: &str = "SKIPPED: ";

/// Runs the chore.
pub(crate) fn run() -> Result<()> {
    system::require(&NEEDS)?;
    let skipped = if system::has_program("cargo-nextest") { with_nextest()? } else { with_cargo()? };
    heading("the examples in the documentation");
    command::run(&mut cargo(["test", "--workspace", "--doc", "--locked"]))?;
    say_what_was_skipped(&skipped);
    Ok(())
}

fn with_nextest() -> Result<BTreeSet<String>> {
    heading("unit, integration and command line tests, the corpus of Dockerfiles");
    // Where nextest keeps its reports, wherever cargo's own target directory is.
    let report = workspace().join("target/nextest/default/junit.xml");
    let _ = std::fs::remove_file(&report);
    command::run(&mut cargo(["nextest", "run", "--workspace", "--no-fail-fast", "--locked"]))?;
    read_skipped(&report)
}

fn with_cargo() -> Result<BTreeSet<String>> {
    heading("unit, integration and command line tests, the corpus of Dockerfiles");
    println!("cargo-nextest is not installed: cargo test takes its place");
    let mut command =
        cargo(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--locked"]);
    command::run(command.args(["--", "--show-output"]))?;
    let note = "cargo test does not say in one place what was skipped; look for SKIPPED above";
    Ok(BTreeSet::from([note.to_owned()]))
}

fn read_skipped(report: &Path) -> Result<BTreeSet<String>> {
    let text =
        std::fs::read_to_string(report).with_context(|| format!("cannot read {}", report.display()))?;
    Ok(skipped(&text))
}

/// The messages of skipped tests in a report in `JUnit`'s form.
fn skipped(report: &str) -> BTreeSet<String> {
    let messages = report.lines().filter_map(|line| line.split_once(SKIPPED)).map(|(_, message)| {
        let text = message.split('<').next().unwrap_or_default();
        let text =
            text.replace("&quot;", "\"").replace("&apos;", "'").replace("&lt;", "<").replace("&gt;", ">");
        text.replace("&amp;", "&").trim().to_owned()
    });
    messages.collect()
}

fn say_what_was_skipped(skipped: &BTreeSet<String>) {
    if skipped.is_empty() {
        heading("everything ran: no test was skipped");
        return;
    }
    heading("TESTS THAT COULD NOT RUN HERE");
    for message in skipped {
        println!(" - {message}");
    }
    if !system::is_root() {
        println!("You are not root; some of them need that.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_found_in_a_report() {
        let report = "<testcase name=\"a\">\n<system-err>SKIPPED: needs &quot;root&quot;</system-err>\n\
                      <system-err>thread 1\nSKIPPED: no podman\n</system-err><system-out>ok</system-out>\n";
        assert_eq!(skipped(report), BTreeSet::from(["needs \"root\"".to_owned(), "no podman".to_owned()]));
        assert_eq!(skipped("<testcase/>"), BTreeSet::new());
    }
}
