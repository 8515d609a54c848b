//! What the chores need of the system, and how it gets there.
//!
//! As root on Debian or Ubuntu missing packages are installed with apt-get. Anybody else is shown
//! the one command that does it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

/// A file that a chore needs, and the package that brings it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// The name of a program, or the absolute path of a file.
    pub(crate) file: &'static str,
    /// The Debian package that has it.
    pub(crate) package: &'static str,
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a program is on the search path, or among the programs for administrators.
pub(crate) fn has_program(name: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "looks for programs where the shell of the user would")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administration = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(administration).any(|directory| directory.join(name).is_file())
}

/// Sees to it that everything needed is there.
pub(crate) fn require(needs: &[Need]) -> Result<()> {
    let packages = missing(needs);
    if packages.is_empty() {
        return Ok(());
    }
    command::heading(&format!("packages that are missing: {}", packages.join(" ")));
    let install = ["install", "--yes", "--no-install-recommends"];
    if !has_program("apt-get") {
        bail!(
            "these Debian packages, or what your distribution has in their place, are needed: {packages:?}"
        );
    }
    if !is_root() {
        println!("They can be installed with this command:\n");
        println!("  sudo apt-get update && sudo apt-get {} {}\n", install.join(" "), packages.join(" "));
        bail!("packages are missing, and only root can install them");
    }
    command::run(apt_get().arg("update"))?;
    command::run(apt_get().args(install).args(&packages))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-q").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    let there = |file: &str| if file.starts_with('/') { Path::new(file).exists() } else { has_program(file) };
    let mut packages: Vec<_> =
        needs.iter().filter(|need| !there(need.file)).map(|need| need.package).collect();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_missing() {
        let needs = [
            Need { file: "sh", package: "dash" },
            Need { file: "/etc/passwd", package: "base-passwd" },
            Need { file: "no-such-program", package: "one" },
            Need { file: "/no/such/file", package: "two" },
            Need { file: "/no/other/file", package: "two" },
        ];
        assert_eq!(missing(&needs), ["one", "two"]);
    }
}
