//! Values as Go's `fmt` package writes them.
//!
//! History entries of `BuildKit` are made with `%q`, `%v` and `%+v`; tools compare them, so ours
//! read the same: `CMD ["top" "-b"]`, `EXPOSE [80/tcp 81/udp]`, `Interval:1m30s`.

use std::fmt::Write as _;
use std::time::Duration;

/// `%q` of a list of strings: `["a" "b c"]`.
pub(crate) fn quoted_list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item.as_ref())).collect();
    format!("[{}]", items.join(" "))
}

/// `%v` of a list of strings: `[a b c]`.
pub(crate) fn list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    format!("[{}]", items.join(" "))
}

/// `%q` of a string: double quotes, with escapes for what does not print.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' '..='~' => out.push(c),
            c if (c as u32) < 0x80 => _ = write!(out, "\\x{:02x}", c as u32),
            c if prints(c) => out.push(c),
            c if (c as u32) < 0x1_0000 => _ = write!(out, "\\u{:04x}", c as u32),
            c => _ = write!(out, "\\U{:08x}", c as u32),
        }
    }
    out.push('"');
    out
}

/// Go's `unicode.IsPrint`, as far as Rust's character tables know it: everything but controls,
/// blanks other than the space, and code points without a character.
fn prints(c: char) -> bool {
    // `escape_debug` escapes exactly what is not printable, and marks that combine with the
    // character before them, which Go prints.
    !c.is_control() && !c.is_whitespace() && (c.escape_debug().len() == 1 || is_combining(c))
}

fn is_combining(c: char) -> bool {
    matches!(c as u32, 0x300..=0x36F | 0x483..=0x489 | 0x591..=0x5BD | 0x610..=0x61A | 0x64B..=0x65F
        | 0x900..=0x903 | 0x93A..=0x94F | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF
        | 0x3099..=0x309A | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F | 0xE0100..=0xE01EF)
}

/// `%v` of a duration: `0s`, `1.5ms`, `1h2m3s`.
pub(crate) fn duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    for (unit, name) in [(1_000, "ns"), (1_000_000, "µs"), (1_000_000_000, "ms")] {
        if nanoseconds < unit {
            return format!("{}{name}", decimal(nanoseconds, unit / 1_000));
        }
    }
    let second = 1_000_000_000;
    let seconds = format!("{}s", decimal(nanoseconds % (60 * second), second));
    let minutes = nanoseconds / (60 * second);
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// `value / unit` with as many digits after the point as there are.
fn decimal(value: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    let rest = value % unit;
    if rest == 0 {
        return (value / unit).to_string();
    }
    let fraction = format!("{rest:0digits$}");
    format!("{}.{}", value / unit, fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_by_strconv() {
        assert_eq!(quoted("plain"), r#""plain""#);
        assert_eq!(quoted("a \"b\" \\c\n\t"), r#""a \"b\" \\c\n\t""#);
        assert_eq!(quoted("\u{1}\u{7f}ü☃\u{a0}\u{200b}"), r#""\x01\x7fü☃\u00a0\u200b""#);
        assert_eq!(quoted("e\u{301} 🚀"), "\"e\u{301} 🚀\"");
    }

    #[test]
    fn lists() {
        assert_eq!(quoted_list(&["a", "b c"]), r#"["a" "b c"]"#);
        assert_eq!(quoted_list::<&str>(&[]), "[]");
        assert_eq!(list(&["80/tcp", "81/udp"]), "[80/tcp 81/udp]");
    }

    #[test]
    fn durations_as_by_time_duration() {
        let nanoseconds = |n| duration(Duration::from_nanos(n));
        assert_eq!(nanoseconds(0), "0s");
        assert_eq!(nanoseconds(1), "1ns");
        assert_eq!(nanoseconds(1_500), "1.5µs");
        assert_eq!(nanoseconds(2_000_000), "2ms");
        assert_eq!(nanoseconds(2_010_000_000), "2.01s");
        assert_eq!(duration(Duration::from_secs(60)), "1m0s");
        assert_eq!(duration(Duration::from_secs(90)), "1m30s");
        assert_eq!(duration(Duration::from_secs(3600)), "1h0m0s");
        assert_eq!(duration(Duration::from_millis(3_723_500)), "1h2m3.5s");
    }
}
