//! `HEALTHCHECK [flags] CMD COMMAND` and `HEALTHCHECK NONE`

use std::time::Duration;

use super::flags::{Flags, Takes};
use super::request::Arguments;
use super::{CommandLine, Request};
use crate::diagnostic::{Code, Diagnostic};
use crate::grammar;

/// HEALTHCHECK
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// `NONE`: switches off the check of the base image.
    None,
    /// `CMD`: how to check.
    Probe(Probe),
}

/// The check of `HEALTHCHECK CMD`; zero always means "as inherited".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The command.
    pub command: CommandLine,
    /// `--interval=`
    pub interval: Duration,
    /// `--timeout=`
    pub timeout: Duration,
    /// `--start-period=`
    pub start_period: Duration,
    /// `--start-interval=`
    pub start_interval: Duration,
    /// `--retries=`
    pub retries: u32,
}

const FLAGS: [(&str, Takes); 5] = [
    ("interval", Takes::Value),
    ("timeout", Takes::Value),
    ("start-period", Takes::Value),
    ("start-interval", Takes::Value),
    ("retries", Takes::Value),
];

const SHORTEST: Duration = Duration::from_millis(1);

pub(super) fn parse(request: &mut Request<'_>) -> Option<Healthcheck> {
    let arguments = request.arguments;
    let Some((kind, command)) = grammar::healthcheck(arguments.text()) else {
        request.wrong_count("requires at least one argument");
        return None;
    };
    let (kind, command) = (arguments.part(kind), arguments.part(command));
    match kind.text().to_uppercase().as_str() {
        "NONE" if command.text().is_empty() => {
            request.ignore_flags();
            Some(Healthcheck::None)
        }
        "NONE" => {
            request.error(Code::ArgumentCount, command.span(), "HEALTHCHECK NONE takes no arguments");
            None
        }
        "CMD" => {
            let flags = request.read_flags(&FLAGS);
            let arguments = request.command_arguments(command)?;
            probe(request, &flags, arguments).map(Healthcheck::Probe)
        }
        other => {
            request.read_flags(&FLAGS);
            let message = format!("Unknown type {other:?} in HEALTHCHECK (try CMD)");
            request.error(Code::InvalidArgument, kind.span(), message);
            None
        }
    }
}

fn probe(request: &mut Request<'_>, flags: &Flags, arguments: Arguments) -> Option<Probe> {
    let command = match arguments {
        Arguments::Json(strings) if !strings.is_empty() => CommandLine::Exec(strings),
        Arguments::Text(text) if !text.is_empty() => CommandLine::Shell(text),
        _ => {
            request.error(Code::ArgumentCount, request.span(), "Missing command after HEALTHCHECK CMD");
            return None;
        }
    };
    Some(Probe {
        command,
        interval: interval(request, flags, "interval"),
        timeout: interval(request, flags, "timeout"),
        start_period: interval(request, flags, "start-period"),
        start_interval: interval(request, flags, "start-interval"),
        retries: retries(request, flags),
    })
}

/// The value of a flag that takes a time; zero where it is absent or wrong.
fn interval(request: &mut Request<'_>, flags: &Flags, name: &str) -> Duration {
    let Some(value) = flags.literal(name).filter(|value| !value.text.is_empty()) else {
        return Duration::ZERO;
    };
    match parse_duration(&value.text) {
        Ok(Some(time)) if time.is_zero() || time >= SHORTEST => return time,
        Ok(_) => {
            let message = format!("Interval {name:?} cannot be less than 1ms");
            request.error(Code::InvalidFlagValue, value.span, message);
        }
        Err(reason) => {
            let error = Diagnostic::error(Code::InvalidFlagValue, value.span, reason);
            request.diagnostics.push(error.with_help("write a number and a unit, as in 30s or 1m30s"));
        }
    }
    Duration::ZERO
}

fn retries(request: &mut Request<'_>, flags: &Flags) -> u32 {
    let Some(value) = flags.literal("retries").filter(|value| !value.text.is_empty()) else { return 0 };
    let message = match value.text.parse::<i32>().map(u32::try_from) {
        Ok(Ok(retries)) => return retries,
        Ok(Err(_)) => format!("--retries cannot be negative ({})", value.text),
        Err(_) => format!("invalid value for --retries: {}: it must be a whole number", value.text),
    };
    request.error(Code::InvalidFlagValue, value.span, message);
    0
}

/// A time as Go writes it: signed decimal numbers, each with a unit, as in `1h2m`, `1.5s`. `None` is a
/// negative one.
fn parse_duration(text: &str) -> Result<Option<Duration>, String> {
    let invalid = || format!("invalid duration {text:?}");
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_negative = text.starts_with('-');
    if unsigned == "0" {
        return Ok(Some(Duration::ZERO));
    }
    let mut rest = unsigned;
    let mut total = 0_f64;
    while !rest.is_empty() {
        let number = &rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())];
        let value: f64 = number.parse().map_err(|_| invalid())?;
        rest = &rest[number.len()..];
        let unit =
            &rest[..rest.find(|c: char| c.is_ascii_digit() || c == '.' || c == '-').unwrap_or(rest.len())];
        rest = &rest[unit.len()..];
        total += value
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "" => return Err(format!("missing unit in duration {text:?}")),
                _ => return Err(format!("unknown unit {unit:?} in duration {text:?}")),
            };
    }
    if unsigned.is_empty() {
        return Err(invalid());
    }
    // Go counts nanoseconds in 63 bits; whole nanoseconds are what is stored in the image.
    let nanoseconds = (total * 1e9).round();
    if nanoseconds >= 9.223_372_036_854_775e18 {
        return Err(invalid());
    }
    let time = Duration::from_secs_f64(nanoseconds / 1e9);
    Ok((!is_negative || time.is_zero()).then_some(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let microseconds = |text| parse_duration(text).map(|time| time.map(|time| time.as_micros()));
        assert_eq!(microseconds("1m30s"), Ok(Some(90_000_000)));
        assert_eq!(microseconds("1.5h"), Ok(Some(5_400_000_000)));
        assert_eq!(microseconds(".5ms"), Ok(Some(500)));
        assert_eq!(microseconds("0"), Ok(Some(0)));
        assert_eq!(microseconds("-1s"), Ok(None));
        assert_eq!(microseconds("5"), Err("missing unit in duration \"5\"".into()));
        assert_eq!(microseconds("5y"), Err("unknown unit \"y\" in duration \"5y\"".into()));
        for bad in ["x", "", "-", "1s-1s", ".s", "1..5s", "99999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
