//! Sizes and times in the words that docker uses for them.

/// A size in decimal units with three significant digits: `7.05MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    let mut unit = 0;
    // 999.5 would be shown as 1000 of this unit, and is 1 of the next one.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    let number = format!("{value:.decimals$}");
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    format!("{number}{}", UNITS[unit])
}

/// How long ago something was that is `seconds` old: `3 weeks ago`.
pub(crate) fn ago(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const WEEK: i64 = 7 * DAY;
    const MONTH: i64 = 30 * DAY;
    const YEAR: i64 = 365 * DAY;
    let seconds = seconds.max(0);
    let text = match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        s if s < MINUTE => format!("{s} seconds"),
        s if s < 2 * MINUTE => "About a minute".to_owned(),
        s if s < HOUR => format!("{} minutes", s / MINUTE),
        s if s < 90 * MINUTE => "About an hour".to_owned(),
        // Docker rounds hours to the nearest one, and cuts off the rest.
        s if s < 2 * DAY => format!("{} hours", (s + HOUR / 2) / HOUR),
        s if s < 2 * WEEK => format!("{} days", s / DAY),
        s if s < 2 * MONTH => format!("{} weeks", s / WEEK),
        s if s < 2 * YEAR => format!("{} months", s / MONTH),
        s => format!("{} years", s / YEAR),
    };
    format!("{text} ago")
}

/// A size with an optional binary unit, as `--shm-size` takes it: `64m` is 67108864. None for
/// what is no size.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << shift);
    }
    let value: f64 = number.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a size with decimals is not meant to the byte")]
    let bytes = value * (1_u64 << shift) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "was checked just now")]
    (bytes.is_finite() && bytes < 1e18).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let cases = [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (1_240, "1.24kB"),
            (12_345_678, "12.3MB"),
            (74_832_123, "74.8MB"),
            (999_999, "1MB"),
            (123_456_789_012, "123GB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn ages_are_given_in_the_largest_unit_that_says_something() {
        let cases = [
            (-5, "Less than a second ago"),
            (42, "42 seconds ago"),
            (90, "About a minute ago"),
            (600, "10 minutes ago"),
            (3600, "About an hour ago"),
            (3 * 3600, "3 hours ago"),
            (3 * 86_400, "3 days ago"),
            (21 * 86_400, "3 weeks ago"),
            (100 * 86_400, "3 months ago"),
            (1000 * 86_400, "2 years ago"),
        ];
        for (seconds, text) in cases {
            assert_eq!(ago(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn sizes_of_flags_are_binary() {
        assert_eq!(parse_size("64m"), Some(64 << 20));
        assert_eq!(parse_size("1GiB"), Some(1 << 30));
        assert_eq!(parse_size("1.5k"), Some(1536));
        assert_eq!(parse_size("100"), Some(100));
        for wrong in ["", "m", "-1", "1x", "1.2.3", "99999999999g"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }
}
