//! `builder info`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use engine::doctor::{CgroupVersion, Controller, Examination, Identity};
use image::Platform;
use serde::Serialize;

use super::Session;
use super::doctor::items;
use crate::report::Failure;

/// Show what builds run on, in the fields of docker's info
#[derive(Debug, clap::Args)]
pub(crate) struct InfoArgs {
    /// "text" or "json"
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

/// Docker's names.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "docker's fields are such")]
#[serde(rename_all = "PascalCase")]
struct Info {
    server_version: &'static str,
    driver: &'static str,
    docker_root_dir: String,
    kernel_version: Option<String>,
    #[serde(rename = "OSType")]
    os_type: String,
    architecture: String,
    #[serde(rename = "NCPU")]
    processors: Option<usize>,
    cgroup_version: &'static str,
    memory_limit: bool,
    cpu_shares: bool,
    #[serde(rename = "CPUSet")]
    cpu_set: bool,
    pids_limit: bool,
    security_options: Vec<&'static str>,
    warnings: Vec<String>,
}

/// Tries what the doctor tries, and prints it.
pub(crate) fn run(arguments: &InfoArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let root = session.store_root()?;
    let found = engine::examine(&root, PathBuf::from("/proc/self/exe"));
    let processors = thread::available_parallelism().ok().map(std::num::NonZero::get);
    let info = Info { processors, ..info(&found) };
    let text = if arguments.format == "json" {
        let json = serde_json::to_string(&info);
        json.map_err(|error| Failure::because("cannot write JSON", error))? + "\n"
    } else {
        text(&info)
    };
    super::print(&text)
}

fn info(found: &Examination) -> Info {
    let inside = found.sandbox.as_ref().ok().and_then(|facts| facts.inside.as_ref().ok());
    let has = |controller: Controller| {
        let mut all = found.cgroups.controllers.iter();
        all.any(|each| each.controller == controller && each.obstacle.is_none())
    };
    let mut security_options = Vec::new();
    if inside.is_some_and(|inside| inside.seccomp.is_ok()) {
        security_options.push("name=seccomp,profile=builtin");
    }
    if !matches!(found.identity, Ok(Identity::Root)) {
        security_options.push("name=rootless");
    }
    let platform = Platform::host();
    Info {
        server_version: env!("CARGO_PKG_VERSION"),
        driver: if inside.is_some_and(|inside| inside.overlay.is_ok()) { "overlay" } else { "copy" },
        docker_root_dir: found.root.display().to_string(),
        kernel_version: found.sandbox.as_ref().ok().map(|facts| facts.kernel.clone()),
        os_type: platform.os,
        architecture: platform.architecture,
        processors: None,
        cgroup_version: match found.cgroups.version {
            CgroupVersion::None => "",
            CgroupVersion::First | CgroupVersion::Hybrid => "1",
            CgroupVersion::Second => "2",
        },
        memory_limit: has(Controller::Memory),
        cpu_shares: has(Controller::Cpu),
        cpu_set: has(Controller::Cpuset),
        pids_limit: has(Controller::Pids),
        security_options,
        warnings: items::of(found)
            .iter()
            .filter(|item| item.state != items::State::Good)
            .map(|item| format!("WARNING: {}: {}", item.name, item.text))
            .collect(),
    }
}

fn text(info: &Info) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "Server Version: {}", info.server_version);
    let _ = writeln!(text, "Storage Driver: {}", info.driver);
    let _ = writeln!(text, "Cgroup Version: {}", info.cgroup_version);
    text.push_str("Security Options:\n");
    for option in &info.security_options {
        let _ = writeln!(text, " {option}");
    }
    let _ = writeln!(text, "Kernel Version: {}", info.kernel_version.as_deref().unwrap_or("unknown"));
    let _ = writeln!(text, "OSType: {}", info.os_type);
    let _ = writeln!(text, "Architecture: {}", info.architecture);
    if let Some(processors) = info.processors {
        let _ = writeln!(text, "CPUs: {processors}");
    }
    let _ = writeln!(text, "Docker Root Dir: {}", info.docker_root_dir);
    for warning in &info.warnings {
        let _ = writeln!(text, "{warning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::tests::healthy;

    /// On a machine and of a version that do not change.
    fn somewhere(found: &Examination) -> Info {
        Info { server_version: "1.2.3", architecture: "amd64".to_owned(), ..info(found) }
    }

    #[test]
    fn fields_have_dockers_names() {
        let json = serde_json::to_string_pretty(&somewhere(&healthy())).expect("it can be written");
        insta::assert_snapshot!(json, @r#"
        {
          "ServerVersion": "1.2.3",
          "Driver": "overlay",
          "DockerRootDir": "/var/lib/builder",
          "KernelVersion": "6.12.1",
          "OSType": "linux",
          "Architecture": "amd64",
          "NCPU": null,
          "CgroupVersion": "2",
          "MemoryLimit": true,
          "CpuShares": true,
          "CPUSet": true,
          "PidsLimit": true,
          "SecurityOptions": [
            "name=seccomp,profile=builtin"
          ],
          "Warnings": []
        }
        "#);
    }

    #[test]
    fn what_is_lost_is_a_warning() {
        let mut found = healthy();
        found.network = Err(engine::doctor::Unavailable::NoProgram);
        insta::assert_snapshot!(text(&somewhere(&found)), @r"
        Server Version: 1.2.3
        Storage Driver: overlay
        Cgroup Version: 2
        Security Options:
         name=seccomp,profile=builtin
        Kernel Version: 6.12.1
        OSType: linux
        Architecture: amd64
        Docker Root Dir: /var/lib/builder
        WARNING: network: that of this machine: neither pasta nor slirp4netns is installed
        ");
    }
}
