//! What surrounds `RUN` steps: `--shm-size`, `--ulimit`.

use engine::{Resource, Ulimit};

use super::request::usage;
use crate::report::Failure;
use crate::units;

/// The size of `/dev/shm` where no flag gives one.
const SHM_SIZE: u64 = 64 << 20;

/// The size of `/dev/shm` in bytes.
pub(super) fn shm_size(flag: Option<&str>) -> Result<u64, Failure> {
    match flag {
        None => Ok(SHM_SIZE),
        Some(text) => match units::parse_size(text) {
            Some(0) => Ok(SHM_SIZE),
            Some(size) => Ok(size),
            None => usage(format!("invalid size: {text:?}")),
        },
    }
}

/// Resource limits: `NAME=SOFT[:HARD]`, -1 for none.
pub(super) fn ulimits(flags: &[String]) -> Result<Vec<Ulimit>, Failure> {
    flags.iter().map(|flag| ulimit(flag)).collect()
}

fn ulimit(flag: &str) -> Result<Ulimit, Failure> {
    let limit = |text: &str| match text {
        "-1" => Some(u64::MAX),
        text => text.parse().ok(),
    };
    let wrong = || Failure::Usage(format!("invalid ulimit argument: {flag}"));
    let (name, values) = flag.split_once('=').ok_or_else(wrong)?;
    if name.parse::<Resource>().is_err() {
        return usage(format!("invalid ulimit type: {name}"));
    }
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = limit(soft).zip(limit(hard)).ok_or_else(wrong)?;
    if soft > hard {
        return usage(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"));
    }
    Ok(Ulimit { name: name.to_owned(), soft, hard })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_one_or_two_values() {
        let values =
            |flag| ulimit(flag).map(|limit| (limit.soft, limit.hard)).map_err(|failure| failure.to_string());
        assert_eq!(values("nofile=1024"), Ok((1024, 1024)));
        assert_eq!(values("nofile=1024:-1"), Ok((1024, u64::MAX)));
        for wrong in ["nofile", "nofile=", "nofile=1:2:3", "nofile=2:1", "files=1", "nofile=-2"] {
            assert!(values(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shared_memory_has_a_default() {
        let size = |flag| shm_size(flag).map_err(|failure| failure.to_string());
        assert_eq!(size(None), Ok(67_108_864));
        assert_eq!(size(Some("1g")), Ok(1 << 30));
        assert!(size(Some("much")).is_err());
    }
}
