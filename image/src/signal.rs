//! Signals by name or number, as STOPSIGNAL and `docker kill --signal` take them.
//!
//! The numbers are Linux's on x86, arm and most other architectures (`man 7 signal`). The real-time
//! signals start at 34, as the C libraries count: they keep 32 and 33 for themselves.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const REAL_TIME_FIRST: u8 = 34;
const REAL_TIME_LAST: u8 = 64;
/// The first one that is counted down to, from the last: Docker and the C libraries' own tables know
/// names up to `RTMIN+15` and `RTMAX-14`.
const REAL_TIME_MIDDLE: u8 = 50;

/// The first name of a number is the one that is printed.
const NAMES: [(&str, u8); 34] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// A Linux signal, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(u8);

impl Signal {
    /// Ends a process at once; it cannot be caught.
    pub const KILL: Self = Self(9);
    /// Asks a process to end; what a container gets when its image names no other.
    pub const TERM: Self = Self(15);

    /// The signal of a number, `None` outside 1 to 64.
    pub fn from_number(number: i32) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..=REAL_TIME_LAST).contains(number)).map(Self)
    }

    /// The number that `kill(2)` takes.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }
}

/// The full name, `SIGTERM` or `SIGRTMIN+3`; the number for the two signals that have no name.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMES.iter().find(|(_, number)| *number == self.0) {
            return write!(f, "SIG{name}");
        }
        match self.0 {
            REAL_TIME_FIRST => f.write_str("SIGRTMIN"),
            REAL_TIME_LAST => f.write_str("SIGRTMAX"),
            number @ REAL_TIME_MIDDLE.. => write!(f, "SIGRTMAX-{}", REAL_TIME_LAST - number),
            number @ REAL_TIME_FIRST.. => write!(f, "SIGRTMIN+{}", number - REAL_TIME_FIRST),
            number => write!(f, "{number}"),
        }
    }
}

/// A text that names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid signal: {0}")]
pub struct InvalidSignal(pub String);

/// Takes a number, or a name in any case with or without `SIG`: `15`, `SIGTERM`, `term`, `RTMIN+3`.
impl FromStr for Signal {
    type Err = InvalidSignal;

    fn from_str(text: &str) -> Result<Self, InvalidSignal> {
        parse(text).ok_or_else(|| InvalidSignal(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Signal> {
    if let Ok(number) = text.parse::<i32>() {
        return Signal::from_number(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(Signal(*number));
    }
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset = parse_offset(offset, '+').filter(|offset| *offset < REAL_TIME_MIDDLE - REAL_TIME_FIRST);
        return offset.map(|offset| Signal(REAL_TIME_FIRST + offset));
    }
    let offset = parse_offset(name.strip_prefix("RTMAX")?, '-')?;
    (offset <= REAL_TIME_LAST - REAL_TIME_MIDDLE).then(|| Signal(REAL_TIME_LAST - offset))
}

/// The `n` of `+n` or `-n`; nothing at all is 0.
fn parse_offset(text: &str, sign: char) -> Option<u8> {
    if text.is_empty() {
        return Some(0);
    }
    let digits = text.strip_prefix(sign)?;
    // `u8::from_str` would take a second sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl TryFrom<String> for Signal {
    type Error = InvalidSignal;

    fn try_from(text: String) -> Result<Self, InvalidSignal> {
        text.parse()
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<i32> {
        text.parse::<Signal>().ok().map(Signal::number)
    }

    #[test]
    fn names_are_taken_in_any_case_with_and_without_sig() {
        for text in ["15", "SIGTERM", "sigterm", "TERM", "term", "SigTerm"] {
            assert_eq!(number(text), Some(15), "{text}");
        }
        assert_eq!(number("IOT"), Some(6));
        assert_eq!(number("CLD"), Some(17));
    }

    #[test]
    fn real_time_signals_count_from_both_ends() {
        assert_eq!(number("RTMIN"), Some(34));
        assert_eq!(number("RTMIN+3"), Some(37));
        assert_eq!(number("SIGRTMAX-14"), Some(50));
        assert_eq!(number("rtmax"), Some(64));
        for text in [
            "RTMIN-1", "RTMIN+", "RTMIN+31", "RTMIN++1", "RTMIN+16", "RTMAX-15", "RTMAX+1", "RTMAX-31",
            "RTMAX-99",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_signal_is_named_as_it_was_written() {
        for text in ["", "0", "-9", "65", "SIGNAL", "SIG", "9x", " 9"] {
            let error = text.parse::<Signal>().expect_err(text);
            assert_eq!(error.to_string(), format!("invalid signal: {text}"));
        }
    }

    #[test]
    fn every_signal_prints_as_a_text_that_names_it() {
        for signal in (1..=64).filter_map(Signal::from_number) {
            assert_eq!(signal.to_string().parse(), Ok(signal), "{signal}");
        }
        assert_eq!(Signal::KILL.to_string(), "SIGKILL");
        assert_eq!(Signal(37).to_string(), "SIGRTMIN+3");
        assert_eq!(Signal(62).to_string(), "SIGRTMAX-2");
        assert_eq!(Signal(32).to_string(), "32");
    }
}
