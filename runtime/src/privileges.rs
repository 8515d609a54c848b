//! What a container may do more, or less, than others: `--privileged`, `--cap-add`, `--device` and their like.

use sandbox::{Capability, CapabilitySet, Device, Devices, Seccomp, Spec};

/// Privileges of a container. The default is what Docker gives to all.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of docker's, independent of the others")]
pub struct Privileges {
    /// `--privileged`: as good as root of the host, whatever else is said about capabilities.
    pub all: bool,
    /// `--cap-add`
    pub added: Capabilities,
    /// `--cap-drop`
    pub dropped: Capabilities,
    /// `--security-opt no-new-privileges`
    pub no_new_privileges: bool,
    /// `--security-opt seccomp=unconfined`
    pub all_system_calls: bool,
    /// `--security-opt systempaths=unconfined`: nothing in `/proc` and `/sys` is hidden.
    pub all_system_paths: bool,
    /// `--device`
    pub devices: Vec<Device>,
}

/// Capabilities that are added or dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capabilities {
    /// `ALL`
    All,
    /// These.
    These(Vec<Capability>),
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Privileges {
    /// Gives them to a container that has what all have.
    pub(crate) fn give(&self, spec: &mut Spec) {
        spec.process.no_new_privileges = self.no_new_privileges;
        spec.devices = Devices::Given(self.devices.clone());
        if self.all {
            spec.unconfine();
            return;
        }
        spec.process.capabilities = capabilities(&self.added, &self.dropped);
        if self.all_system_calls {
            spec.seccomp = Seccomp::Unconfined;
        }
        if self.all_system_paths {
            spec.masked_paths.clear();
            spec.read_only_paths.clear();
        }
    }
}

/// What Docker makes of both lists: who adds all loses what is dropped, who drops all has what is added, and who
/// does neither has what is added even where it is dropped, too.
fn capabilities(added: &Capabilities, dropped: &Capabilities) -> CapabilitySet {
    let with = |set: CapabilitySet, more: &[Capability]| more.iter().fold(set, |set, each| set.with(*each));
    let without =
        |set: CapabilitySet, less: &[Capability]| less.iter().fold(set, |set, each| set.without(*each));
    match (added, dropped) {
        (Capabilities::All, Capabilities::All) => CapabilitySet::EMPTY,
        (Capabilities::All, Capabilities::These(less)) => without(CapabilitySet::ALL, less),
        (Capabilities::These(more), Capabilities::All) => with(CapabilitySet::EMPTY, more),
        (Capabilities::These(more), Capabilities::These(less)) => {
            with(without(CapabilitySet::DOCKER_DEFAULT, less), more)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &str) -> Capabilities {
        if words == "ALL" {
            return Capabilities::All;
        }
        Capabilities::These(words.split_whitespace().map(|word| word.parse().unwrap()).collect())
    }

    #[test]
    fn capabilities_are_added_and_dropped_as_docker_does() {
        let set = |added: &str, dropped: &str| capabilities(&list(added), &list(dropped));
        assert_eq!(set("", ""), CapabilitySet::DOCKER_DEFAULT);
        assert!(set("NET_ADMIN", "CHOWN").contains(Capability::NetAdmin));
        assert!(!set("NET_ADMIN", "CHOWN").contains(Capability::Chown));
        assert!(set("CHOWN", "CHOWN").contains(Capability::Chown));
        assert_eq!(set("ALL", "CHOWN"), CapabilitySet::ALL.without(Capability::Chown));
        assert_eq!(set("CHOWN", "ALL"), CapabilitySet::EMPTY.with(Capability::Chown));
        assert_eq!(set("", "ALL"), CapabilitySet::EMPTY);
    }
}
