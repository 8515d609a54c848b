//! Limits for whole containers and steps: the flags, in docker's words, and what they mean.

use engine::{Limits, SwapLimit};

use crate::report::Failure;
use crate::units;

/// The least memory that docker allows.
const LEAST_MEMORY: u64 = 6 << 20;

/// The period of a quota that is given as a number of processors, in microseconds.
const PERIOD_OF_CPUS: u64 = 100_000;

/// The flags.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct LimitArgs {
    /// Limit of the memory, such as "512m"
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Limit of memory and swap together; -1 is unlimited swap [default: twice the memory]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Weight against others when processors are scarce; everybody has 1024
    #[arg(short, long, value_name = "WEIGHT", allow_hyphen_values = true)]
    cpu_shares: Option<String>,
    /// Period of --cpu-quota in microseconds [default: 100000]
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    cpu_period: Option<String>,
    /// Processor time in each period, in microseconds
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    cpu_quota: Option<String>,
    /// How many processors' time can be used, such as "1.5"
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<String>,
    /// Which processors are used: "0-2,5"
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Which memory nodes are used: "0-1"
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// How many processes and threads there can be at once; -1 is unlimited
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<String>,
    /// Control group below which the limits are set: "/ci/builds" or "builds.slice"
    #[arg(long, value_name = "CGROUP")]
    cgroup_parent: Option<String>,
}

impl LimitArgs {
    /// The same with what `--resource NAME=VALUE` says instead.
    pub(crate) fn with_resources(mut self, resources: &[String]) -> Result<Self, Failure> {
        for resource in resources {
            let Some((name, value)) = resource.split_once('=') else {
                return usage(format!("invalid resource {resource:?}: it is NAME=VALUE"));
            };
            let flag = match name {
                "memory" => &mut self.memory,
                "memory-swap" => &mut self.memory_swap,
                "cpu-shares" => &mut self.cpu_shares,
                "cpu-period" => &mut self.cpu_period,
                "cpu-quota" => &mut self.cpu_quota,
                "cpus" => &mut self.cpus,
                "cpuset-cpus" => &mut self.cpuset_cpus,
                "cpuset-mems" => &mut self.cpuset_mems,
                "pids-limit" => &mut self.pids_limit,
                _ => return usage(format!("unknown resource {name:?}")),
            };
            *flag = Some(value.to_owned());
        }
        Ok(self)
    }

    /// The control group that was asked for.
    pub(crate) fn cgroup_parent(&self) -> Option<String> {
        self.cgroup_parent.clone().filter(|parent| !parent.is_empty())
    }

    /// The limits. Zero is none, as in docker.
    pub(crate) fn limits(&self) -> Result<Limits, Failure> {
        let memory = size(self.memory.as_deref())?;
        if memory.is_some_and(|bytes| bytes < LEAST_MEMORY) {
            return usage("Minimum memory limit allowed is 6MB");
        }
        let shares = number("cpu-shares", self.cpu_shares.as_deref())?;
        if let Some(shares) = shares.filter(|shares| *shares < 0) {
            return usage(format!("invalid CPU shares ({shares}): value must be a positive integer"));
        }
        let (cpu_period, cpu_quota) = self.quota()?;
        Ok(Limits {
            memory,
            memory_and_swap: self.memory_and_swap(memory)?,
            cpu_shares: shares.and_then(positive),
            cpu_period,
            cpu_quota,
            cpuset_cpus: list("cpus", self.cpuset_cpus.as_deref())?,
            cpuset_mems: list("mems", self.cpuset_mems.as_deref())?,
            pids: number("pids-limit", self.pids_limit.as_deref())?.and_then(positive),
        })
    }

    fn memory_and_swap(&self, memory: Option<u64>) -> Result<Option<SwapLimit>, Failure> {
        let limit = match self.memory_swap.as_deref() {
            Some("-1") => return Ok(Some(SwapLimit::Unlimited)),
            text => size(text)?,
        };
        match (limit, memory) {
            (Some(_), None) => {
                usage("You should always set the Memory limit when using Memoryswap limit, see usage")
            }
            (Some(both), Some(memory)) if both < memory => {
                usage("Minimum memoryswap limit should be larger than memory limit, see usage")
            }
            (limit, _) => Ok(limit.map(SwapLimit::Total)),
        }
    }

    /// Period and quota of processor time, in microseconds.
    fn quota(&self) -> Result<(Option<u64>, Option<u64>), Failure> {
        let period = number("cpu-period", self.cpu_period.as_deref())?.filter(|period| *period != 0);
        let quota = number("cpu-quota", self.cpu_quota.as_deref())?.and_then(positive);
        if let Some(cpus) = cpus(self.cpus.as_deref())? {
            let conflict = |what| format!("Conflicting options: Nano CPUs and CPU {what} cannot both be set");
            return match (period, quota) {
                (Some(_), _) => usage(conflict("Period")),
                (_, Some(_)) => usage(conflict("Quota")),
                (None, None) => Ok((Some(PERIOD_OF_CPUS), Some(cpus))),
            };
        }
        if period.is_some_and(|period| !(1000..=1_000_000).contains(&period)) {
            return usage(
                "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
            );
        }
        if quota.is_some_and(|quota| quota < 1000) {
            return usage("CPU cfs quota can not be less than 1ms (i.e. 1000)");
        }
        Ok((period.and_then(positive), quota))
    }
}

fn usage<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Usage(message.into()))
}

fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|number| *number > 0)
}

fn size(text: Option<&str>) -> Result<Option<u64>, Failure> {
    match text.map(|text| (units::parse_size(text), text)) {
        Some((None, text)) => usage(format!("invalid size: {text:?}")),
        other => Ok(other.and_then(|(bytes, _)| bytes).filter(|bytes| *bytes > 0)),
    }
}

fn number(flag: &str, text: Option<&str>) -> Result<Option<i64>, Failure> {
    match text.map(|text| (text.parse(), text)) {
        Some((Err(_), text)) => usage(format!("invalid value {text:?} for --{flag}: it is a number")),
        other => Ok(other.and_then(|(number, _)| number.ok())),
    }
}

/// The quota for a number of processors with decimals, in microseconds of the period that goes with it.
fn cpus(text: Option<&str>) -> Result<Option<u64>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpus = text.parse::<f64>().ok().filter(|cpus| cpus.is_finite());
    let Some(cpus) = cpus else { return usage(format!("failed to parse {text:?} as a rational number")) };
    if cpus == 0.0 {
        return Ok(None);
    }
    #[expect(clippy::cast_precision_loss, reason = "a machine has few processors")]
    let most = available as f64;
    if !(0.01..=most).contains(&cpus) {
        return usage(format!(
            "range of CPUs is from 0.01 to {available}.00, as there are only {available} CPUs available"
        ));
    }
    #[expect(clippy::cast_precision_loss, reason = "it is a hundred thousand")]
    let quota = (cpus * PERIOD_OF_CPUS as f64).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in the range above")]
    Ok(Some(quota as u64))
}

/// A list of numbers and ranges, as it is written.
fn list(what: &str, text: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let is_number = |text: &str| text.parse::<u16>().ok();
    let is_range = |part: &str| match part.split_once('-') {
        None => is_number(part).is_some(),
        Some((first, last)) => {
            is_number(first).zip(is_number(last)).is_some_and(|(first, last)| first <= last)
        }
    };
    if text.split(',').all(is_range) {
        return Ok(Some(text.to_owned()));
    }
    usage(format!("Invalid value {text} for cpuset {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(words: &str) -> Result<Limits, String> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            limits: LimitArgs,
        }
        let words = std::iter::once("run").chain(words.split_ascii_whitespace());
        let line: Line = clap::Parser::try_parse_from(words).map_err(|error| error.to_string())?;
        line.limits.limits().map_err(|failure| failure.to_string())
    }

    #[test]
    fn flags_become_limits() {
        assert_eq!(limits(""), Ok(Limits::default()));
        let all = limits("-m 6m --memory-swap -1 -c 512 --cpus 0.5 --cpuset-cpus 0-1,3 --pids-limit 100");
        let expected = Limits {
            memory: Some(6 << 20),
            memory_and_swap: Some(SwapLimit::Unlimited),
            cpu_shares: Some(512),
            cpu_period: Some(100_000),
            cpu_quota: Some(50_000),
            cpuset_cpus: Some("0-1,3".to_owned()),
            cpuset_mems: None,
            pids: Some(100),
        };
        assert_eq!(all, Ok(expected));
        let none = "-m 0 --memory-swap 0 -c 0 --cpus 0 --cpu-period 0 --cpu-quota -1 --pids-limit -1";
        assert_eq!(limits(none), Ok(Limits::default()));
    }

    #[test]
    fn mistakes_are_named_in_dockers_words() {
        let refused = |words| limits(words).expect_err("this is a mistake");
        assert_eq!(refused("-m 5m"), "Minimum memory limit allowed is 6MB");
        assert_eq!(refused("-m much"), "invalid size: \"much\"");
        assert_eq!(
            refused("--memory-swap 1g"),
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        );
        assert_eq!(
            refused("-m 1g --memory-swap 512m"),
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        );
        assert_eq!(refused("-c -1"), "invalid CPU shares (-1): value must be a positive integer");
        assert_eq!(
            refused("--cpus 1 --cpu-quota 5000"),
            "Conflicting options: Nano CPUs and CPU Quota cannot both be set"
        );
        assert_eq!(
            refused("--cpu-period 999"),
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        );
        assert_eq!(refused("--cpu-quota 1"), "CPU cfs quota can not be less than 1ms (i.e. 1000)");
        assert!(refused("--cpus 100000").starts_with("range of CPUs is from 0.01 to "));
        assert_eq!(refused("--cpuset-cpus 2-1"), "Invalid value 2-1 for cpuset cpus");
    }
}
