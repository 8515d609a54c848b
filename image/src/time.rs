//! [`Timestamp`]: a point in time, written as Go writes it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time. Its text form is RFC 3339 in UTC, with as many digits of a fraction as are
/// needed and none if it is zero: what Go's `time.RFC3339Nano` gives, and so what configs hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The beginning of 1970.
    pub const EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);

    /// From seconds and nanoseconds since 1970. Years beyond 9999 become the last one.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        let nanoseconds = i32::try_from(nanoseconds.min(999_999_999)).unwrap_or_default();
        Self(jiff::Timestamp::new(seconds, nanoseconds).unwrap_or(jiff::Timestamp::MAX))
    }

    /// From the clock of the system.
    pub fn from_system(time: std::time::SystemTime) -> Self {
        Self(jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::MAX))
    }

    /// Whole seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse().map(Self)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn text_is_what_go_writes() {
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_unix(1_700_000_000, 0).to_string(), "2023-11-14T22:13:20Z");
        assert_eq!(Timestamp::from_unix(1_700_000_000, 120_000_000).to_string(), "2023-11-14T22:13:20.12Z");
    }

    #[test]
    fn other_zones_are_understood() {
        let there: Timestamp = "2023-11-14T23:13:20+01:00".parse().unwrap();
        assert_eq!(there, Timestamp::from_unix(1_700_000_000, 0));
        let zero: Timestamp = "0001-01-01T00:00:00Z".parse().unwrap();
        assert!(zero < Timestamp::EPOCH);
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
