//! The comma separated fields of `--output` and `--secret`, with quotes as in a CSV file: a field
//! that holds a comma stands in double quotes, a double quote in it is doubled.

/// What is wrong with such a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CsvError {
    /// A quoted field does not end, or goes on after its end.
    Quotes,
    /// A field is not `key=value`.
    NoPair(String),
}

impl std::fmt::Display for CsvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Quotes => f.write_str("a quoted field does not end in a quote before the comma"),
            Self::NoPair(field) => write!(f, "invalid field '{field}' must be a key=value pair"),
        }
    }
}

/// The fields of a line.
pub(crate) fn fields(line: &str) -> Result<Vec<String>, CsvError> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => match rest.split_once(',') {
                Some((field, after)) => (field.to_owned(), Some(after)),
                None => (rest.to_owned(), None),
            },
        };
        fields.push(field);
        match after {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

/// The fields of a line as keys in lower case and values.
pub(crate) fn pairs(line: &str) -> Result<Vec<(String, String)>, CsvError> {
    let pair = |field: String| match field.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_ascii_lowercase(), value.to_owned())),
        None => Err(CsvError::NoPair(field)),
    };
    fields(line)?.into_iter().map(pair).collect()
}

fn quoted_field(text: &str) -> Result<(String, Option<&str>), CsvError> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"').ok_or(CsvError::Quotes)?;
        field.push_str(before);
        match after.chars().next() {
            None => return Ok((field, None)),
            Some(',') => return Ok((field, Some(&after[1..]))),
            Some('"') => {
                field.push('"');
                rest = &after[1..];
            }
            Some(_) => return Err(CsvError::Quotes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_be_quoted() {
        assert_eq!(
            fields("type=local,dest=out").as_deref(),
            Ok(&["type=local".into(), "dest=out".into()][..])
        );
        assert_eq!(
            fields(r#"type=local,"dest=a,b""#).as_deref(),
            Ok(&["type=local".into(), "dest=a,b".into()][..])
        );
        assert_eq!(fields(r#""a ""b""",c"#).as_deref(), Ok(&["a \"b\"".into(), "c".into()][..]));
        assert_eq!(fields("").as_deref(), Ok(&[String::new()][..]));
        assert_eq!(fields(r#""a"#), Err(CsvError::Quotes));
        assert_eq!(fields(r#""a"b"#), Err(CsvError::Quotes));
    }

    #[test]
    fn pairs_have_an_equals_sign() {
        assert_eq!(
            pairs("Type=oci,x=").as_deref(),
            Ok(&[("type".into(), "oci".into()), ("x".into(), String::new())][..])
        );
        assert_eq!(pairs("oci"), Err(CsvError::NoPair("oci".into())));
    }
}
