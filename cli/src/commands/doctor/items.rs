//! From what was found to what is said of it: one item for each thing that can be lost.

use std::error::Error;

use engine::SandboxError;
use engine::doctor::{Blocker, CgroupSupport, CgroupVersion, Examination};
use engine::doctor::{Facts, Identity, Inside, NoRange, Origin, Refused, Unavailable, Uplink};
use serde::Serialize;

/// What is said of one thing.
#[derive(Debug, Serialize)]
pub(in super::super) struct Item {
    /// Its name.
    pub(in super::super) name: &'static str,
    /// How it is.
    pub(in super::super) state: State,
    /// What there is.
    pub(in super::super) text: String,
    /// What builds have to do without.
    pub(in super::super) lost: Option<&'static str>,
    /// What would help.
    pub(in super::super) remedy: Option<String>,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum State {
    /// As it should be.
    Good,
    /// Builds run, with a loss.
    Limited,
    /// No build with a `RUN` runs.
    Failed,
}

impl Item {
    fn good(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, state: State::Good, text: text.into(), lost: None, remedy: None }
    }

    fn limited(name: &'static str, text: impl Into<String>, lost: &'static str) -> Self {
        Self { name, state: State::Limited, text: text.into(), lost: Some(lost), remedy: None }
    }

    fn failed(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, state: State::Failed, text: text.into(), lost: None, remedy: None }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// All items, in the order in which a step needs the things.
pub(in super::super) fn of(found: &Examination) -> Vec<Item> {
    let mut items = vec![user(&found.identity)];
    match &found.sandbox {
        Ok(facts) => items.extend(sandbox(facts, found)),
        Err(error) => items.push(Item::failed("store", chain(error)).remedy("choose a store with --root")),
    }
    items.push(network(&found.network));
    items.push(limits(&found.cgroups));
    items
}

fn user(identity: &Result<Identity, SandboxError>) -> Item {
    const NAME: &str = "user";
    match identity {
        Ok(Identity::Root) => Item::good(NAME, "root"),
        Ok(Identity::MappedUser { uid, subordinate_uids, .. }) => {
            Item::good(NAME, format!("uid {uid}, with {subordinate_uids} subordinate ids"))
        }
        Ok(Identity::SingleId { uid, reason, .. }) => {
            let text = format!("uid {uid} alone: {reason}");
            let item = Item::limited(NAME, text, "rights that differ between users, who are recorded only");
            match reason {
                NoRange::NotGranted { .. } => item.remedy(format!(
                    "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$(id -un {uid})\""
                )),
                NoRange::ProgramMissing { .. } => {
                    item.remedy("install newuidmap (package uidmap or shadow-utils)")
                }
                NoRange::ProgramFailed { .. } => item,
            }
        }
        Err(error) => {
            let remedy = match error {
                SandboxError::UserNamespace { blockers, .. } if !blockers.is_empty() => {
                    blockers.iter().map(lifting).collect::<Vec<_>>().join(" && ")
                }
                _ => {
                    "in a container: --security-opt seccomp=unconfined, or root with CAP_SYS_ADMIN".to_owned()
                }
            };
            Item::failed(NAME, chain(error)).remedy(remedy)
        }
    }
}

/// The command that lifts a prohibition of user namespaces.
fn lifting(blocker: &Blocker) -> String {
    let allowing = match blocker.sysctl {
        "user.max_user_namespaces" => "15000",
        "kernel.unprivileged_userns_clone" => "1",
        _ => "0",
    };
    format!("sysctl -w {}={allowing}", blocker.sysctl)
}

fn sandbox(facts: &Facts, found: &Examination) -> Vec<Item> {
    let mut items = vec![namespaces(facts)];
    if let Ok(inside) = &facts.inside {
        items.push(files(inside, facts, found));
        items.extend(mounts(inside));
    }
    items
}

fn namespaces(facts: &Facts) -> Item {
    const NAME: &str = "namespaces";
    let refused = facts.namespaces.iter().filter(|(_, trial)| trial.is_err());
    let names = refused.map(|(namespace, _)| namespace.to_string()).collect::<Vec<_>>().join(", ");
    match &facts.inside {
        Ok(_) if names.is_empty() => Item::good(NAME, "all can be made"),
        Ok(_) => Item::limited(NAME, format!("no {names}"), "steps share it with this machine"),
        Err(why) => {
            let remedy = if facts.is_filtered {
                "in a container: --cap-add SYS_ADMIN and --security-opt seccomp=unconfined"
            } else {
                "in a container: --cap-add SYS_ADMIN"
            };
            let text = if names.is_empty() { "not all together".to_owned() } else { format!("no {names}") };
            Item::failed(NAME, format!("{text}: {why}")).remedy(remedy)
        }
    }
}

fn files(inside: &Inside, facts: &Facts, found: &Examination) -> Item {
    const NAME: &str = "files";
    let root = found.root.display();
    let Err(why) = &inside.overlay else { return Item::good(NAME, format!("overlays in {root}")) };
    let (kind, lost) = match &facts.reflinks {
        Ok(()) => ("copies that share their blocks", "time, as every step copies its tree"),
        Err(_) => ("copies", "time and space, as every step copies its tree"),
    };
    Item::limited(NAME, format!("{kind} in {root}, since overlays fail: {why}"), lost)
        .remedy("a store on ext4, xfs, btrfs or tmpfs (in a container: on a volume), with --root")
}

fn mounts(inside: &Inside) -> Vec<Item> {
    let of = |name, trial: &Result<Origin, Refused>| match trial {
        Ok(Origin::Own) => Item::good(name, "the sandbox's own"),
        Ok(Origin::Machine) => Item::good(name, "those of this machine, shown"),
        Err(why) => Item::failed(name, format!("not to be had: {why}")),
    };
    let proc = match &inside.proc {
        Ok(()) => Item::good("proc", "the sandbox's own"),
        Err(why) => Item::failed("proc", format!("not to be had: {why}")).remedy(
            "in a container: --security-opt systempaths=unconfined (Kubernetes: procMount: Unmasked)",
        ),
    };
    let seccomp = match &inside.seccomp {
        Ok(()) => Item::good("seccomp", "docker's profile"),
        Err(why) => Item::failed("seccomp", format!("no filter can be installed: {why}"))
            .remedy("a kernel with CONFIG_SECCOMP_FILTER"),
    };
    vec![proc, of("sys", &inside.sys), of("devices", &inside.devices), seccomp]
}

fn network(network: &Result<Uplink, Unavailable>) -> Item {
    const NAME: &str = "network";
    let why = match network {
        Ok(Uplink { program: Some(program), .. }) => {
            return Item::good(NAME, format!("isolated, with outgoing access by {program}"));
        }
        Ok(Uplink { program: None, .. }) => return Item::good(NAME, "isolated, with outgoing access"),
        Err(why) => why,
    };
    let lost = "isolation, as steps reach what listens on this machine alone";
    let item = Item::limited(NAME, format!("that of this machine: {why}"), lost);
    match why {
        Unavailable::NoProgram => item.remedy("install pasta (package passt) or slirp4netns"),
        Unavailable::TunClosed { .. } => item.remedy("chmod 0666 /dev/net/tun"),
        Unavailable::NotForwarding { .. } => item.remedy("sysctl -w net.ipv4.ip_forward=1"),
        Unavailable::ForwardingDropped { chain } => {
            item.remedy(format!("a rule in {chain} that accepts what is forwarded"))
        }
        _ => item,
    }
}

fn limits(support: &CgroupSupport) -> Item {
    const NAME: &str = "limits";
    const LOST: &str = "--memory and its like for what is missing";
    let version = match support.version {
        CgroupVersion::None => {
            return Item::limited(NAME, "no control groups are mounted", "--memory and its like");
        }
        CgroupVersion::First => "version 1",
        CgroupVersion::Second => "version 2",
        CgroupVersion::Hybrid => "versions 1 and 2",
    };
    let names = |usable: bool| {
        let of_kind = support.controllers.iter().filter(|each| each.obstacle.is_none() == usable);
        let names: Vec<_> = of_kind.map(|each| each.controller.name()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    let usable = format!("{} (control groups of {version})", names(true));
    match support.controllers.iter().find_map(|each| each.obstacle.as_ref()) {
        None => Item::good(NAME, usable),
        Some(why) => Item::limited(NAME, format!("{usable}, but not {}: {why}", names(false)), LOST)
            .remedy("root, or a delegated group: systemd-run --user --scope -p Delegate=yes builder …"),
    }
}

/// An error and its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
