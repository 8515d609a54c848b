//! From limits to the files of a group and what is written into them, in order.
//!
//! The files of version 1 are described in `Documentation/admin-guide/cgroup-v1` of the kernel's source, those
//! of version 2 in `admin-guide/cgroup-v2.rst`.

use super::{Controller, Limits, SwapLimit};

/// One file of a group.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its name.
    pub(super) file: &'static str,
    /// What is written into it.
    pub(super) value: String,
    /// What it is for, as in "memory limit cannot be set".
    pub(super) what: &'static str,
    /// Whether it follows from another limit and may be left out where the kernel does not have it.
    pub(super) is_optional: bool,
}

impl Setting {
    fn text(file: &'static str, value: String, what: &'static str) -> Self {
        Self { file, value, what, is_optional: false }
    }

    fn number(file: &'static str, value: u64, what: &'static str) -> Self {
        Self::text(file, value.to_string(), what)
    }
}

/// What version 1 needs in the hierarchy of a controller.
pub(super) fn version1(controller: Controller, limits: &Limits) -> Vec<Setting> {
    let mut settings = Vec::new();
    match controller {
        Controller::Memory => {
            let memory =
                limits.memory.map(|bytes| Setting::number("memory.limit_in_bytes", bytes, "memory limit"));
            settings.extend(memory);
            // After the limit of memory alone, which may not be above it.
            let swap = match swap(limits) {
                None => None,
                Some(SwapLimit::Total(bytes)) => Some(bytes.to_string()),
                Some(SwapLimit::Unlimited) => Some("-1".to_owned()),
            };
            settings.extend(swap.map(|value| Setting {
                is_optional: limits.memory_and_swap.is_none(),
                ..Setting::text("memory.memsw.limit_in_bytes", value, "swap limit")
            }));
        }
        Controller::Cpu => {
            let shares =
                limits.cpu_shares.map(|shares| Setting::number("cpu.shares", shares.max(2), "cpu shares"));
            let period =
                limits.cpu_period.map(|period| Setting::number("cpu.cfs_period_us", period, "cpu period"));
            let quota = limits.cpu_quota.map(|quota| Setting::number("cpu.cfs_quota_us", quota, "cpu quota"));
            settings.extend([shares, period, quota].into_iter().flatten());
        }
        Controller::Cpuset => settings.extend(cpuset(limits)),
        Controller::Pids => settings.extend(pids(limits)),
    }
    settings
}

/// What version 2 needs for a controller.
pub(super) fn version2(controller: Controller, limits: &Limits) -> Vec<Setting> {
    let mut settings = Vec::new();
    match controller {
        Controller::Memory => {
            settings.extend(limits.memory.map(|bytes| Setting::number("memory.max", bytes, "memory limit")));
            // Version 2 counts swap alone.
            let swap = match swap(limits) {
                None => None,
                Some(SwapLimit::Total(bytes)) => {
                    Some(bytes.saturating_sub(limits.memory.unwrap_or(0)).to_string())
                }
                Some(SwapLimit::Unlimited) => Some("max".to_owned()),
            };
            settings.extend(swap.map(|value| Setting {
                is_optional: limits.memory_and_swap.is_none(),
                ..Setting::text("memory.swap.max", value, "swap limit")
            }));
        }
        Controller::Cpu => {
            let weight =
                limits.cpu_shares.map(|shares| Setting::number("cpu.weight", weight(shares), "cpu shares"));
            settings.extend(weight);
            if limits.cpu_quota.is_some() || limits.cpu_period.is_some() {
                let quota = limits.cpu_quota.map_or("max".to_owned(), |quota| quota.to_string());
                let period = limits.cpu_period.map_or(String::new(), |period| format!(" {period}"));
                settings.push(Setting::text("cpu.max", quota + &period, "cpu quota"));
            }
        }
        Controller::Cpuset => settings.extend(cpuset(limits)),
        Controller::Pids => settings.extend(pids(limits)),
    }
    settings
}

/// The limit of memory and swap together: as much swap as memory if only that is limited.
fn swap(limits: &Limits) -> Option<SwapLimit> {
    let twice = |memory: u64| SwapLimit::Total(memory.saturating_mul(2));
    limits.memory_and_swap.or(limits.memory.map(twice))
}

fn cpuset(limits: &Limits) -> impl Iterator<Item = Setting> {
    let cpus = limits.cpuset_cpus.as_ref().map(|list| Setting::text("cpuset.cpus", list.clone(), "cpuset"));
    let nodes = limits.cpuset_mems.as_ref().map(|list| Setting::text("cpuset.mems", list.clone(), "cpuset"));
    cpus.into_iter().chain(nodes)
}

fn pids(limits: &Limits) -> Option<Setting> {
    limits.pids.map(|count| Setting::number("pids.max", count, "pids limit"))
}

/// The weight (1 to 10000) that corresponds to shares (2 to 262144): a straight line between the ends of both,
/// as the OCI runtime specification's reference implementation had it for years.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(settings: &[Setting]) -> Vec<(&str, &str)> {
        settings.iter().map(|setting| (setting.file, setting.value.as_str())).collect()
    }

    #[test]
    fn memory_implies_as_much_swap() {
        let limits = Limits { memory: Some(100), ..Limits::default() };
        let first = version1(Controller::Memory, &limits);
        assert_eq!(
            written(&first),
            [("memory.limit_in_bytes", "100"), ("memory.memsw.limit_in_bytes", "200")]
        );
        assert_eq!(first.iter().map(|setting| setting.is_optional).collect::<Vec<_>>(), [false, true]);
        let second = version2(Controller::Memory, &limits);
        assert_eq!(written(&second), [("memory.max", "100"), ("memory.swap.max", "100")]);
        let limits = Limits { memory_and_swap: Some(SwapLimit::Unlimited), ..limits };
        let second = version2(Controller::Memory, &limits);
        assert_eq!(written(&second), [("memory.max", "100"), ("memory.swap.max", "max")]);
        assert!(!second[1].is_optional);
    }

    #[test]
    fn processor_time_has_a_weight_and_a_quota() {
        let limits = Limits {
            cpu_shares: Some(1024),
            cpu_quota: Some(50_000),
            cpu_period: Some(100_000),
            ..Limits::default()
        };
        let second = version2(Controller::Cpu, &limits);
        assert_eq!(written(&second), [("cpu.weight", "39"), ("cpu.max", "50000 100000")]);
        let period_alone = Limits { cpu_quota: None, cpu_shares: None, ..limits };
        assert_eq!(written(&version2(Controller::Cpu, &period_alone)), [("cpu.max", "max 100000")]);
        assert_eq!((weight(2), weight(0), weight(262_144)), (1, 1, 10_000));
    }
}
