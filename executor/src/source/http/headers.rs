//! Two headers that a download is described by.

use jiff::fmt::rfc2822;

/// `Last-Modified` in seconds since 1970; none if it is no date.
pub(super) fn unix_seconds(date: &str) -> Option<i64> {
    Some(rfc2822::parse(date).ok()?.timestamp().as_second())
}

/// The name that `Content-Disposition` gives the file (RFC 6266), without directories; none if it gives none
/// that can be used.
pub(super) fn file_name(header: &str) -> Option<String> {
    let mut plain = None;
    let mut extended = None;
    for (name, value) in parameters(header) {
        match name.as_str() {
            "filename" => plain = Some(value),
            "filename*" => extended = decode(&value),
            _ => {}
        }
    }
    let path = extended.or(plain)?;
    let name = path.rsplit('/').next().unwrap_or_default();
    (!matches!(name, "" | "." | "..") && !name.contains('\0')).then(|| name.to_owned())
}

/// The parameters of a header: `; name=value` or `; name="value"`. Names are in lower case.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some((_, mut rest)) = header.split_once(';') else { return found };
    while let Some((name, after)) = rest.split_once('=') {
        let mut value = String::new();
        let mut letters = after.trim_start().chars();
        let is_quoted = letters.as_str().starts_with('"');
        if is_quoted {
            letters.next();
        }
        while let Some(letter) = letters.next() {
            match letter {
                '"' if is_quoted => break,
                '\\' if is_quoted => value.extend(letters.next()),
                ';' if !is_quoted => break,
                letter => value.push(letter),
            }
        }
        let value = if is_quoted { value } else { value.trim_end().to_owned() };
        found.push((name.trim().to_lowercase(), value));
        rest = letters.as_str().trim_start_matches([' ', '\t', ';']);
    }
    found
}

/// `UTF-8''na%20me` (RFC 8187).
fn decode(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let mut parts = encoded.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{file_name, unix_seconds};

    #[test]
    fn names_of_files() {
        for (header, expected) in [
            ("attachment; filename=\"a b.txt\"", Some("a b.txt")),
            ("attachment; filename=a.txt", Some("a.txt")),
            ("attachment;FileName=a.txt ; x=y", Some("a.txt")),
            (r#"attachment; filename="a\"b;c""#, Some("a\"b;c")),
            ("attachment; filename=x; filename*=UTF-8''%e2%82%ac%20rates", Some("€ rates")),
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename=\"..\"", None),
            ("attachment; filename=\"\"", None),
            ("inline", None),
        ] {
            assert_eq!(file_name(header).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn dates() {
        assert_eq!(unix_seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(unix_seconds("yesterday"), None);
    }
}
