//! `CMD ['a', 'b']`: nearly a JSON array. What is none is a text for the shell, or a list of words, and no error.

use parser::Span;
use parser::ast::CommandLine;

use super::{Linter, Rule};

/// Looks at the command of an instruction.
pub(crate) fn check(linter: &mut Linter, keyword: &str, command: &CommandLine, span: Span) {
    if let CommandLine::Shell(text) = command {
        report(linter, (keyword, text.trim()), "a shell runs them", span);
    }
}

/// Looks at the arguments of an instruction that takes a list, as they are written.
pub(crate) fn check_list<'w>(
    linter: &mut Linter,
    keyword: &str,
    words: impl Iterator<Item = &'w str>,
    span: Span,
) {
    let text = words.collect::<Vec<_>>().join(" ");
    report(linter, (keyword, &text), "brackets and quotes are part of the words", span);
}

fn report(linter: &mut Linter, (keyword, text): (&str, &str), effect: &str, span: Span) {
    if text.contains('\n') || !looks_like_json(text) {
        return;
    }
    let message = format!("The arguments of {keyword} look like a JSON array and are none: {effect}");
    linter.report_with_help(Rule::MalformedJsonForm, span, message, Some(help(text).to_owned()));
}

/// A test (`[ "$A" = b ]`) has a blank behind its bracket, and no comma behind a string.
fn looks_like_json(text: &str) -> bool {
    let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else { return false };
    let is_test =
        inside.starts_with([' ', '\t']) && !["\",", "',", "”,", "’,"].iter().any(|end| inside.contains(end));
    !is_test && inside.trim_start().starts_with(['"', '\'', '“', '”', '‘', '’'])
}

fn help(text: &str) -> &'static str {
    let inside = text.trim_start_matches('[').trim_end_matches(']').trim();
    if inside.starts_with(['\'', '‘', '’', '“', '”']) {
        "JSON strings have double quotes: [\"program\", \"argument\"]"
    } else if inside.ends_with(',') {
        "JSON has no comma behind the last string"
    } else {
        "strings are parted by commas, and a backslash is written twice: [\"program\", \"argument\"]"
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    fn found(instruction: &str) -> Vec<String> {
        findings(Rule::MalformedJsonForm, &format!("FROM busybox\n{instruction}\n"))
    }

    #[test]
    fn near_misses_are_reported() {
        assert_eq!(
            found("CMD ['a', 'b']"),
            ["2: The arguments of CMD look like a JSON array and are none: a shell runs them"]
        );
        for near in [
            "ENTRYPOINT [\"a\" \"b\"]",
            "CMD [ \"a\", \"b\", ]",
            "RUN ['make']",
            "HEALTHCHECK CMD ['a']",
            "CMD [“a”]",
            "VOLUME ['/data']",
            "VOLUME [\"/a\", \"/b\",]",
        ] {
            assert_eq!(found(near).len(), 1, "{near}");
        }
    }

    #[test]
    fn tests_and_arrays_are_not() {
        for fine in [
            "RUN [ \"$A\" = \"b,c\" ]",
            "RUN [ -f x ] && [ -f y ]",
            "CMD [\"a\", \"b\"]",
            "CMD [ 'a' = b ]",
            "VOLUME [\"/a\"]",
            "VOLUME [a]",
        ] {
            assert!(found(fine).is_empty(), "{fine}");
        }
    }
}
