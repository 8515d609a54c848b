//! `builder doctor`.

pub(super) mod items;

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::Session;
use crate::report::{FAILED, Failure};
use items::{Item, State};

/// Show what works on this machine, what is lost, and what would help
///
/// The exit code is 0 if builds can run.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// "text" or "json"
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

/// The form for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    builds: bool,
    store: String,
    kernel: Option<&'a str>,
    items: &'a [Item],
}

/// Prints a line for everything that was tried.
pub(crate) fn run(arguments: &DoctorArgs, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let root = session.store_root()?;
    let found = engine::examine(&root, PathBuf::from("/proc/self/exe"));
    let items = items::of(&found);
    let builds = items.iter().all(|item| item.state != State::Failed);
    let text = if arguments.format == "json" {
        let kernel = found.sandbox.as_ref().ok().map(|facts| facts.kernel.as_str());
        let report = Report { builds, store: root.display().to_string(), kernel, items: &items };
        let json = serde_json::to_string_pretty(&report);
        json.map_err(|error| Failure::because("cannot write JSON", error))? + "\n"
    } else {
        text(&items, builds, io::stdout().is_terminal())
    };
    super::print(&text)?;
    Ok(if builds { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// A line for each item and one for all of them; signs on a terminal, words elsewhere.
fn text(items: &[Item], builds: bool, signs: bool) -> String {
    let mut text = String::new();
    for item in items {
        let state = match (item.state, signs) {
            (State::Good, true) => "✓",
            (State::Limited, true) => "!",
            (State::Failed, true) => "✗",
            (State::Good, false) => "ok     ",
            (State::Limited, false) => "limited",
            (State::Failed, false) => "failed ",
        };
        let _ = write!(text, "{state} {:<10} {}", item.name, item.text);
        for (name, more) in [("lost", item.lost), ("remedy", item.remedy.as_deref())] {
            if let Some(more) = more {
                let _ = write!(text, "; {name}: {more}");
            }
        }
        text.push('\n');
    }
    text.push_str(if builds { "builds can run\n" } else { "builds cannot run here\n" });
    text
}

#[cfg(test)]
pub(super) mod tests {
    use engine::SandboxError;
    use engine::doctor::{Blocker, CgroupSupport, CgroupVersion, Controller, ControllerSupport, Examination};
    use engine::doctor::{Facts, Identity, Inside, Namespace, NoRange, Origin, Refused, Unavailable, Uplink};

    use super::*;

    const EPERM: i32 = 1;
    const EINVAL: i32 = 22;

    fn refused(errno: i32) -> Refused {
        Refused { detail: None, errno }
    }

    /// Root of a machine where everything works.
    pub(in super::super) fn healthy() -> Examination {
        let inside = Inside {
            overlay: Ok(()),
            proc: Ok(()),
            sys: Ok(Origin::Own),
            devices: Ok(Origin::Own),
            seccomp: Ok(()),
        };
        Examination {
            root: "/var/lib/builder".into(),
            identity: Ok(Identity::Root),
            sandbox: Ok(Facts {
                kernel: "6.12.1".to_owned(),
                is_filtered: false,
                namespaces: Namespace::ALL.map(|one| (one, Ok(()))).into(),
                inside: Ok(inside),
                reflinks: Err(refused(95)),
            }),
            network: Ok(Uplink { program: None, gateway: [10, 0, 0, 1].into(), host: None }),
            cgroups: CgroupSupport {
                version: CgroupVersion::Second,
                controllers: Controller::ALL
                    .map(|controller| ControllerSupport { controller, obstacle: None })
                    .into(),
            },
        }
    }

    fn shown(found: &Examination) -> String {
        let items = items::of(found);
        text(&items, items.iter().all(|item| item.state != State::Failed), false)
    }

    #[test]
    fn a_healthy_machine() {
        insta::assert_snapshot!(shown(&healthy()), @r#"
        ok      user       root
        ok      namespaces all can be made
        ok      files      overlays in /var/lib/builder
        ok      proc       the sandbox's own
        ok      sys        the sandbox's own
        ok      devices    the sandbox's own
        ok      seccomp    docker's profile
        ok      network    isolated, with outgoing access
        ok      limits     memory, cpu, cpuset, pids (control groups of version 2)
        builds can run
        "#);
    }

    #[test]
    fn an_ordinary_user_without_anything() {
        let mut found = healthy();
        let reason = NoRange::NotGranted { file: "/etc/subuid".to_owned() };
        found.identity = Ok(Identity::SingleId { uid: 1000, gid: 1000, reason });
        found.network = Err(Unavailable::NoProgram);
        if let Ok(Facts { inside: Ok(inside), .. }) = &mut found.sandbox {
            inside.sys = Ok(Origin::Machine);
            inside.devices = Ok(Origin::Machine);
            inside.overlay = Err(refused(EINVAL));
        }
        insta::assert_snapshot!(shown(&found), @r#"
        limited user       uid 1000 alone: /etc/subuid grants no range to this user; lost: rights that differ between users, who are recorded only; remedy: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "$(id -un 1000)"
        ok      namespaces all can be made
        limited files      copies in /var/lib/builder, since overlays fail: Invalid argument (os error 22); lost: time and space, as every step copies its tree; remedy: a store on ext4, xfs, btrfs or tmpfs (in a container: on a volume), with --root
        ok      proc       the sandbox's own
        ok      sys        those of this machine, shown
        ok      devices    those of this machine, shown
        ok      seccomp    docker's profile
        limited network    that of this machine: neither pasta nor slirp4netns is installed; lost: isolation, as steps reach what listens on this machine alone; remedy: install pasta (package passt) or slirp4netns
        ok      limits     memory, cpu, cpuset, pids (control groups of version 2)
        builds can run
        "#);
    }

    #[test]
    fn root_of_a_container_that_may_nothing() {
        let mut found = healthy();
        if let Ok(facts) = &mut found.sandbox {
            facts.is_filtered = true;
            facts.namespaces = Namespace::ALL.map(|one| (one, Err(refused(EPERM)))).into();
            facts.inside = Err(refused(EPERM));
        }
        found.network = Err(Unavailable::Setup { attempt: "make a network namespace".into(), errno: EPERM });
        insta::assert_snapshot!(shown(&found), @r#"
        ok      user       root
        failed  namespaces no mnt, pid, ipc, uts, cgroup, net: Operation not permitted (os error 1); remedy: in a container: --cap-add SYS_ADMIN and --security-opt seccomp=unconfined
        limited network    that of this machine: cannot make a network namespace: Operation not permitted (os error 1); lost: isolation, as steps reach what listens on this machine alone
        ok      limits     memory, cpu, cpuset, pids (control groups of version 2)
        builds cannot run here
        "#);
    }

    #[test]
    fn a_machine_that_forbids_user_namespaces() {
        let blocker = Blocker { sysctl: "user.max_user_namespaces", value: "0".to_owned() };
        let source = io::Error::from_raw_os_error(28);
        let error = SandboxError::UserNamespace { blockers: vec![blocker], source };
        let found = Examination { identity: Err(error), ..healthy() };
        insta::assert_snapshot!(shown(&found).lines().next().unwrap_or_default(), @"failed  user       cannot enter a user namespace (user.max_user_namespaces = 0): No space left on device (os error 28); remedy: sysctl -w user.max_user_namespaces=15000");
    }

    #[test]
    fn a_container_whose_proc_is_masked() {
        let mut found = healthy();
        if let Ok(Facts { inside: Ok(inside), .. }) = &mut found.sandbox {
            inside.proc = Err(refused(EPERM));
        }
        insta::assert_snapshot!(shown(&found), @r#"
        ok      user       root
        ok      namespaces all can be made
        ok      files      overlays in /var/lib/builder
        failed  proc       not to be had: Operation not permitted (os error 1); remedy: in a container: --security-opt systempaths=unconfined (Kubernetes: procMount: Unmasked)
        ok      sys        the sandbox's own
        ok      devices    the sandbox's own
        ok      seccomp    docker's profile
        ok      network    isolated, with outgoing access
        ok      limits     memory, cpu, cpuset, pids (control groups of version 2)
        builds cannot run here
        "#);
    }
}
