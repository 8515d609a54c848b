//! Expansion, form by form.

use super::*;

fn lookup(name: &str) -> Option<String> {
    Some(match name {
        "v" => "value".to_owned(),
        "empty" => String::new(),
        "spaces" => " a  b ".to_owned(),
        "path" => "/usr/local/lib/libc.so.6".to_owned(),
        "lines" => "one\ntwo".to_owned(),
        _ => return None,
    })
}

fn expand(text: &str) -> String {
    match Word::new(text, Span::default(), '\\').expand(lookup) {
        Ok(expansion) => expansion.text,
        Err(error) => format!("error: {}", error.reason),
    }
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(expand(text), *expected, "expansion of {text}");
    }
}

#[test]
fn plain_variables() {
    check(&[
        ("$v", "value"),
        ("a${v}b", "avalueb"),
        ("$vx", ""),
        ("$v.x", "value.x"),
        ("$nope", ""),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("$1v", "v"),
        ("$12", ""),
        ("$$v", "v"),
        ("${*}", ""),
        ("$über", ""),
    ]);
}

#[test]
fn quotes_and_escapes() {
    check(&[
        (r"\$v", "$v"),
        (r"\${v}", "${v}"),
        (r"'$v'", "$v"),
        (r#""$v""#, "value"),
        (r#""\$v \" \\ \n""#, r#"$v " \ \n"#),
        (r"'it'\''s'", "it's"),
        (r"a\ b", "a b"),
        (r"end\", "end"),
        (r#""a 'b' c""#, "a 'b' c"),
        (r#""open"#, "error: unexpected end of statement while looking for matching double-quote"),
        (r"'open", "error: unexpected end of statement while looking for matching single-quote"),
        (r#""x\"#, "error: unexpected end of statement while looking for matching double-quote"),
    ]);
    let backtick = Word::new(r"C:\$v`$v", Span::default(), '`');
    assert_eq!(backtick.expand(lookup).map(|e| e.text), Ok(r"C:\value$v".to_owned()));
}

#[test]
fn defaults_and_alternatives() {
    check(&[
        ("${v-w}", "value"),
        ("${nope-w}", "w"),
        ("${empty-w}", ""),
        ("${empty:-w}", "w"),
        ("${nope:-${v}}", "value"),
        ("${nope:-a b}", "a b"),
        (r#"${nope:-"}"}"#, "}"),
        (r"${nope:-\}}", "}"),
        ("${v+w}", "w"),
        ("${nope+w}", ""),
        ("${empty+w}", "w"),
        ("${empty:+w}", ""),
        ("${v:+${nope:-deep}}", "deep"),
    ]);
}

#[test]
fn required_variables() {
    check(&[
        ("${v?}", "value"),
        ("${nope?}", "error: nope: is not allowed to be unset"),
        ("${nope:?}", "error: nope: is not allowed to be unset"),
        ("${empty?}", ""),
        ("${empty:?}", "error: empty: is not allowed to be empty"),
        ("${nope:?my $v}", "error: nope: my value"),
    ]);
}

#[test]
fn starts_and_ends_are_cut() {
    check(&[
        ("${path#*/}", "usr/local/lib/libc.so.6"),
        ("${path##*/}", "libc.so.6"),
        ("${path%.*}", "/usr/local/lib/libc.so"),
        ("${path%%.*}", "/usr/local/lib/libc"),
        ("${path#/usr}", "/local/lib/libc.so.6"),
        ("${path#usr}", "/usr/local/lib/libc.so.6"),
        ("${path%?}", "/usr/local/lib/libc.so."),
        ("${path##*l*b}", "c.so.6"),
        ("${path#*l*b}", "/libc.so.6"),
        (r"${path#\/usr}", "/local/lib/libc.so.6"),
        ("${v#*}", "value"),
        ("${v##*}", ""),
        ("${nope#x}", ""),
        ("${lines##*o}", "ne\ntwo"),
        ("${lines%%t*}", "one\n"),
        (r"${v#\v}", r"error: invalid pattern (\v) in substitution: invalid escape '\v'"),
        ("${v:#x}", "error: unsupported modifier (:#) in substitution"),
        ("${v:%x}", "error: unsupported modifier (:%) in substitution"),
    ]);
}

#[test]
fn matches_are_replaced() {
    check(&[
        ("${path/l/L}", "/usr/Local/lib/libc.so.6"),
        ("${path//l/L}", "/usr/LocaL/Lib/Libc.so.6"),
        ("${path//l?b/x}", "/usr/local/x/xc.so.6"),
        ("${path/l*b/x}", "/usr/xc.so.6"),
        (r"${path//\//:}", ":usr:local:lib:libc.so.6"),
        ("${v//*/x}", "x"),
        ("${v///x}", "xvxaxlxuxex"),
        ("${v/e/$v}", "valuvalue"),
        ("${v/zz/x}", "value"),
        ("${lines//*/x}", "x\nx"),
        ("${v/e", "error: syntax error: missing '/' in ${}"),
        ("${v/e/x", "error: syntax error: missing '}'"),
    ]);
}

#[test]
fn bad_substitutions() {
    check(&[
        ("${}", "error: syntax error: bad substitution"),
        ("${{v}}", "error: syntax error: bad substitution"),
        ("${:-x}", "error: syntax error: bad substitution"),
        ("${", "error: syntax error: missing '}'"),
        ("${v", "error: syntax error: missing '}'"),
        ("${v:", "error: syntax error: missing '}'"),
        ("${v:-x", "error: syntax error: missing '}'"),
        ("${v:=x}", "error: unsupported modifier (:=) in substitution"),
        ("${v x}", "error: unsupported modifier ( ) in substitution"),
        ("${v^^}", "error: unsupported modifier (^) in substitution"),
    ]);
    let deep = "${a:-".repeat(100_000);
    assert!(expand(&deep).contains("nested more than"), "deep nesting must not use up the stack");
}

#[test]
fn what_grows_with_every_level_has_a_limit() {
    let grown = |levels: usize| {
        let text = "${v//?/".repeat(levels) + "$v" + &"}".repeat(levels);
        Word::new(text, Span::default(), '\\').expand(lookup).map(|expansion| expansion.text.len())
    };
    assert_eq!(grown(3).ok(), Some("value".len().pow(4)));
    assert_eq!(grown(99).unwrap_err().reason, ExpandFault::TooLong);
    let long = "a".repeat(1 << 20);
    let all = Word::new("${v//a/$v}", Span::default(), '\\').expand(|_| Some(long.clone()));
    assert_eq!(all.unwrap_err().reason, ExpandFault::TooLong);
    let one = Word::new("${v//a/b}${v///-}", Span::default(), '\\').expand(|_| Some(long.clone()));
    assert_eq!(one.map(|expansion| expansion.text.len()), Ok((3 << 20) + 1));
}

#[test]
fn the_error_names_the_word() {
    let error = Word::new("${A:=x}", Span::new(3, 10), '\\').expand(lookup).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"failed to process "${A:=x}": unsupported modifier (:=) in substitution"#
    );
    assert_eq!(error.span, Span::new(3, 10));
}

#[test]
fn unset_names_are_told_once_in_order() {
    let expansion = Word::new("$b$a${v}$b${c:-$d}", Span::default(), '\\').expand(lookup).unwrap();
    assert_eq!(expansion.unset, ["b", "a", "d", "c"]);
}

#[test]
fn words_split_after_expansion() {
    let words = |text| Word::new(text, Span::default(), '\\').expand_words(lookup).unwrap();
    assert_eq!(words("x$spaces/tcp"), ["x", "a", "b", "/tcp"]);
    assert_eq!(words(r#""$spaces""#), [" a  b "]);
    assert_eq!(words(r"a\ b '' c"), ["a b", "c"]);
    assert_eq!(words("80${nope:-80}"), ["8080"]);
    assert!(words("$nope").is_empty());
}

#[test]
fn heredoc_bodies_keep_their_quotes() {
    let body = "a=\"$v\" b='$v' \\$v\n";
    let expansion = expand_heredoc(body, Span::default(), &mut lookup).unwrap();
    assert_eq!(expansion.text, "a=\"value\" b='value' $v\n");
}

#[test]
fn labels_keep_quotes_and_unset_names() {
    let shown = |text| expand_for_display(text, '\\', lookup);
    assert_eq!(shown(r#"RUN echo "$v" $nope ${nope:-x} '$v'"#), r#"RUN echo "value" $nope ${nope:-x} '$v'"#);
    assert_eq!(shown("RUN echo 'open"), "RUN echo 'open");
}
