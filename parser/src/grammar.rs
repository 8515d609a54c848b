//! The pest grammar (`dockerfile.pest`) and what its rules give to the instructions.
//!
//! A grammar is fixed when the program is compiled, the escape character is chosen by the file. Both
//! possible characters are one byte long, so where it is the backtick, the two are exchanged before the
//! text is given to pest: the structure comes out the same, and only offsets are taken from it, never
//! text.

use std::borrow::Cow;
use std::ops::Range;

use pest::Parser as _;
use pest::iterators::Pair;
use serde::de::IgnoredAny;

#[derive(pest_derive::Parser)]
#[grammar = "dockerfile.pest"]
struct Grammar;

/// A JSON array, or why a text is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Json {
    /// The strings, each with the range of its element.
    Strings(Vec<(String, Range<usize>)>),
    /// An array, but with other elements than strings.
    OtherElements,
    /// Not a JSON array.
    Other,
}

/// The leading flags of a text as written, and where the rest begins.
pub(crate) fn flags(text: &str, escape: char) -> (Vec<Range<usize>>, usize) {
    if !text.trim_start().starts_with("--") {
        return (Vec::new(), 0);
    }
    let text = with_backslashes(text, escape);
    let mut flags = Vec::new();
    let mut end = 0;
    for pair in inner(Rule::flags, &text) {
        end = pair.as_span().end();
        if pair.as_rule() == Rule::flag {
            flags.push(range(&pair));
        }
    }
    (flags, end)
}

/// Words in which quotes hold blanks together. Without quotes and escapes, blanks alone part words; that
/// needs no grammar, and is what most lines of a long file are.
pub(crate) fn words(text: &str, escape: char) -> Vec<Range<usize>> {
    if text.contains(['"', '\'', escape]) {
        return quoted_words(text, escape);
    }
    let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(|word| start(word)..start(word) + word.len()).collect()
}

fn quoted_words(text: &str, escape: char) -> Vec<Range<usize>> {
    let text = with_backslashes(text, escape);
    inner(Rule::words, &text).filter(|pair| pair.as_rule() == Rule::word).map(|pair| range(&pair)).collect()
}

/// Words parted by blanks, whatever is in them.
pub(crate) fn items(text: &str) -> Vec<Range<usize>> {
    inner(Rule::items, text).filter(|pair| pair.as_rule() == Rule::item).map(|pair| range(&pair)).collect()
}

/// The key and the value of `KEY VALUE`.
pub(crate) fn legacy_pair(text: &str) -> Option<(Range<usize>, Range<usize>)> {
    let mut parts = inner(Rule::legacy_pair, text);
    Some((range(&parts.next()?), range(&parts.next()?)))
}

/// The ranges of AS and NAME.
pub(crate) type AsName = (Range<usize>, Range<usize>);

/// `BASE`, or `BASE AS NAME`.
pub(crate) fn from(text: &str) -> Option<(Range<usize>, Option<AsName>)> {
    let mut parts = inner(Rule::from, text);
    let base = range(&parts.next()?);
    let keyword = parts.next().filter(|pair| pair.as_rule() == Rule::as_keyword);
    let name = keyword.and_then(|keyword| Some((range(&keyword), range(&parts.next()?))));
    Some((base, name))
}

/// The first word and the rest of a HEALTHCHECK.
pub(crate) fn healthcheck(text: &str) -> Option<(Range<usize>, Range<usize>)> {
    let mut parts = inner(Rule::healthcheck, text);
    Some((range(&parts.next()?), range(&parts.next()?)))
}

/// Reads a JSON array of strings.
pub(crate) fn json_array(text: &str) -> Json {
    if !text.starts_with('[') {
        return Json::Other;
    }
    if let Ok(mut pairs) = Grammar::parse(Rule::json_array, text) {
        let strings = pairs.next().map(Pair::into_inner).into_iter().flatten();
        let strings = strings.filter(|pair| pair.as_rule() == Rule::json_string).map(|pair| {
            let span = range(&pair);
            (unescape_json(&text[span.start + 1..span.end - 1]), span)
        });
        return Json::Strings(strings.collect());
    }
    match serde_json::from_str::<Vec<IgnoredAny>>(text) {
        Ok(_) => Json::OtherElements,
        Err(_) => Json::Other,
    }
}

/// The fields of one record of comma-separated values; `None` where a quote is misplaced.
pub(crate) fn csv(text: &str) -> Option<Vec<(String, Range<usize>)>> {
    let record = Grammar::parse(Rule::csv, text).ok()?.next()?;
    let fields = record.into_inner().filter(|pair| pair.as_rule() == Rule::csv_field);
    let fields = fields.map(|field| {
        let span = range(&field);
        let written = field.as_str();
        let quoted = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        (quoted.map_or_else(|| written.to_owned(), |text| text.replace("\"\"", "\"")), span)
    });
    Some(fields.collect())
}

/// The parts of `[DESCRIPTOR]<<[-]WORD` that matter: whether there is a dash, and the word.
pub(crate) fn heredoc(text: &str) -> Option<(bool, &str)> {
    let mut parts = inner(Rule::heredoc, text);
    Some((!parts.next()?.as_str().is_empty(), parts.next()?.as_str()))
}

/// The name and the value of `# NAME = VALUE`.
pub(crate) fn directive(line: &str) -> Option<(&str, &str)> {
    let mut parts = inner(Rule::directive, line);
    let (name, value) = (parts.next()?.as_str(), parts.next()?.as_str().trim_end());
    (!value.is_empty()).then_some((name, value))
}

/// The pairs inside an entry rule; none where the text does not match it.
fn inner(rule: Rule, text: &str) -> impl Iterator<Item = Pair<'_, Rule>> {
    Grammar::parse(rule, text).into_iter().flatten().flat_map(Pair::into_inner)
}

fn range(pair: &Pair<'_, Rule>) -> Range<usize> {
    pair.as_span().start()..pair.as_span().end()
}

fn with_backslashes(text: &str, escape: char) -> Cow<'_, str> {
    if escape != '`' || !text.contains(['`', '\\']) {
        return Cow::Borrowed(text);
    }
    let exchange = |character| match character {
        '`' => '\\',
        '\\' => '`',
        other => other,
    };
    Cow::Owned(text.chars().map(exchange).collect())
}

/// The text of a JSON string that the grammar accepted. A surrogate without its other half becomes the
/// replacement character.
fn unescape_json(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escaped = rest[at + 1..].chars().next().unwrap_or('\\');
        rest = rest.get(at + 1 + escaped.len_utf8()..).unwrap_or_default();
        match escaped {
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => out.push(unescape_unicode(&mut rest)),
            other => out.push(other),
        }
    }
    out.push_str(rest);
    out
}

/// The character of four hexadecimal digits, or of eight with a `\u` between them, which are a
/// surrogate pair; `rest` moves past it.
fn unescape_unicode(rest: &mut &str) -> char {
    let unit = |text: &str| text.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let Some(first) = unit(rest) else { return char::REPLACEMENT_CHARACTER };
    *rest = &rest[4..];
    let second = rest.strip_prefix("\\u").and_then(unit);
    let units = [first, second.unwrap_or_default()];
    let used = if (0xD800..0xDC00).contains(&first) && second.is_some() { 2 } else { 1 };
    match char::decode_utf16(units[..used].iter().copied()).next() {
        Some(Ok(character)) => {
            if used == 2 {
                *rest = &rest[6..];
            }
            character
        }
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'t>(text: &'t str, ranges: &[Range<usize>]) -> Vec<&'t str> {
        ranges.iter().map(|range| &text[range.clone()]).collect()
    }

    fn strings(text: &str) -> Vec<String> {
        match json_array(text) {
            Json::Strings(strings) => strings.into_iter().map(|(text, _)| text).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn words_keep_quoted_blanks_together() {
        let text = r#"a=1 "b c"='d e'f  g\ h=i "open"#;
        assert_eq!(texts(text, &words(text, '\\')), ["a=1", r#""b c"='d e'f"#, r"g\ h=i", "\"open"]);
        let text = r#"a="x\" y" b='x\' c"#;
        assert_eq!(texts(text, &words(text, '\\')), [r#"a="x\" y""#, r"b='x\'", "c"]);
    }

    #[test]
    fn plain_words_are_those_of_the_grammar() {
        for text in ["a=1  b=ü\tc", "", " a ", "a\u{2003}b\u{85}c", "\u{feff}a"] {
            assert_eq!(words(text, '\\'), quoted_words(text, '\\'), "{text:?}");
        }
    }

    #[test]
    fn the_escape_character_is_chosen_at_run_time() {
        let text = r"a=C:\ b=x` y";
        assert_eq!(texts(text, &words(text, '`')), [r"a=C:\", "b=x` y"]);
        assert_eq!(texts(text, &words(text, '\\')), [r"a=C:\ b=x`", "y"]);
    }

    #[test]
    fn flags_end_at_the_first_other_word() {
        let text = r#"--a=b --c="d e" --f\ g x --y"#;
        let (found, end) = flags(text, '\\');
        assert_eq!(texts(text, &found), ["--a=b", r#"--c="d e""#, r"--f\ g"]);
        assert_eq!(&text[end..], " x --y");
        let text = "--a -- --b";
        let (found, end) = flags(text, '\\');
        assert_eq!((texts(text, &found), &text[end..]), (vec!["--a"], " --b"));
        assert_eq!(flags("-x --a", '\\'), (vec![], 0));
        assert_eq!(flags("--a=\u{a0}b \u{a0}--c", '\\').1, "--a=\u{a0}b".len());
        assert_eq!(flags("--", '\\'), (vec![], 2));
    }

    #[test]
    fn json_arrays() {
        assert_eq!(strings(r#"[ "a" , "b c" ]"#), ["a", "b c"]);
        assert_eq!(strings("[]"), Vec::<String>::new());
        assert_eq!(strings(r#"["\"\\\/\b\f\n\r\t"]"#), ["\"\\/\u{8}\u{c}\n\r\t"]);
        assert_eq!(strings(r#"["\u00fc\ud83d\ude00 \ud83d \ud83dx"]"#), ["ü😀 \u{fffd} \u{fffd}x"]);
        assert_eq!(json_array("['a']"), Json::Other);
        assert_eq!(json_array(r#"["a" "b"]"#), Json::Other);
        assert_eq!(json_array(r#"["a",]"#), Json::Other);
        assert_eq!(json_array(r#"["a"] x"#), Json::Other);
        assert_eq!(json_array(r#"["\x"]"#), Json::Other);
        assert_eq!(json_array("[\"a\tb\"]"), Json::Other);
        assert_eq!(json_array(r#"["a", 1]"#), Json::OtherElements);
        assert_eq!(json_array(r#"[["a"]]"#), Json::OtherElements);
        assert_eq!(json_array(r#"["\ud800", 1]"#), Json::OtherElements);
        assert_eq!(json_array("[ -f x ]"), Json::Other);
        assert_eq!(json_array(&"[".repeat(1_000_000)), Json::Other);
    }

    #[test]
    fn csv_fields() {
        let fields = |text| csv(text).map(|all| all.into_iter().map(|(text, _)| text).collect::<Vec<_>>());
        assert_eq!(fields("type=bind,source=a"), Some(vec!["type=bind".into(), "source=a".into()]));
        assert_eq!(fields(r#""a=b,c",d"#), Some(vec!["a=b,c".into(), "d".into()]));
        assert_eq!(fields(r#""a""b""#), Some(vec!["a\"b".into()]));
        assert_eq!(fields(""), Some(vec![String::new()]));
        assert_eq!(fields(r#"a"b"#), None);
        assert_eq!(fields(r#""a"#), None);
    }

    #[test]
    fn stage_names() {
        assert_eq!(from("a"), Some((0..1, None)));
        assert_eq!(from("a aS b"), Some((0..1, Some((2..4, 5..6)))));
        assert_eq!(from("a b"), None);
        assert_eq!(from("a to b"), None);
        assert_eq!(from("a AS b c"), None);
        assert_eq!(from(""), None);
    }
}
