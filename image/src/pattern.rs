//! The two languages of [`PathPattern`](crate::PathPattern)s.
//!
//! [`NamePattern`] is Go's `filepath.Match`, the language of sources of `COPY` and `ADD`: `*` and `?` do
//! not cross a `/`, `[a-z]` and `[^x]` are classes, `\` escapes. [`Exclusions`] is the language of
//! `--exclude` and of the sources of `--parents`: in addition `**` stands for any number of directories,
//! a leading `!` includes again, the last pattern that matches decides, and what matches a directory
//! covers all that is in it.
//!
//! Names are bytes, as file systems have them; a name that is not UTF-8 matches byte by byte. Both
//! take time in proportion to the pattern times the name, whatever they are.

/// A pattern that means nothing: an open class or a `\` at the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern {0:?}")]
pub struct BadPattern(pub String);

/// Whether a text has letters with a meaning of their own.
pub fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '\\'])
}

/// A pattern in the language of Go's `filepath.Match`.
#[derive(Clone, Debug)]
pub struct NamePattern(Compiled);

impl NamePattern {
    /// Compiles a pattern.
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        Compiled::new(pattern, Language::Go).map(Self)
    }

    /// Whether it matches a whole name.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.0.matches(name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Go,
    Ignore,
}

/// One unit of a pattern: what it takes, and where that leads.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This character, then on.
    Literal(char),
    /// `?`: any character but `/`, then on.
    One,
    /// `[…]`: a character of these ranges, or of none of them, then on.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// `*`: any character but `/`, again; or on at once.
    Many,
    /// `**`: any character, again; or on at once.
    Everything,
    /// The begin of `**/`: on at once, with or without the next token.
    Optional,
    /// The rest of `**/`: any character, again; on after a `/`.
    ThroughSlash,
}

/// A pattern as an automaton: state `n` is "token `n` comes next", the last one is the end.
#[derive(Clone, Debug)]
struct Compiled(Vec<Token>);

impl Compiled {
    fn new(pattern: &str, language: Language) -> Result<Self, BadPattern> {
        let bad = || BadPattern(pattern.to_owned());
        let mut letters = pattern.chars().peekable();
        let mut tokens = Vec::new();
        while let Some(letter) = letters.next() {
            match letter {
                '*' if language == Language::Ignore && letters.peek() == Some(&'*') => {
                    while letters.next_if_eq(&'*').is_some() {}
                    if letters.next_if_eq(&'/').is_some() {
                        tokens.extend([Token::Optional, Token::ThroughSlash]);
                    } else {
                        tokens.push(Token::Everything);
                    }
                }
                '*' => tokens.push(Token::Many),
                '?' => tokens.push(Token::One),
                '\\' => tokens.push(Token::Literal(letters.next().ok_or_else(bad)?)),
                '[' => tokens.push(class(&mut letters).ok_or_else(bad)?),
                other => tokens.push(Token::Literal(other)),
            }
        }
        Ok(Self(tokens))
    }

    /// Follows all ways through the automaton at once.
    fn matches(&self, name: &[u8]) -> bool {
        let end = self.0.len();
        let mut reached = vec![false; end + 1];
        self.reach(&mut reached, 0);
        let mut next = vec![false; end + 1];
        for letter in letters(name) {
            if !reached.contains(&true) {
                break;
            }
            next.fill(false);
            for (state, token) in self.0.iter().enumerate() {
                if !reached[state] {
                    continue;
                }
                match token {
                    Token::Literal(expected) if *expected == letter => self.reach(&mut next, state + 1),
                    Token::One if letter != '/' => self.reach(&mut next, state + 1),
                    Token::Class { negated, ranges } if letter != '/' => {
                        let inside = ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter));
                        if inside != *negated {
                            self.reach(&mut next, state + 1);
                        }
                    }
                    Token::Many if letter != '/' => self.reach(&mut next, state),
                    Token::Everything => self.reach(&mut next, state),
                    Token::ThroughSlash => {
                        self.reach(&mut next, state);
                        if letter == '/' {
                            self.reach(&mut next, state + 1);
                        }
                    }
                    _ => {}
                }
            }
            std::mem::swap(&mut reached, &mut next);
        }
        reached[end]
    }

    /// Marks a state and all that need no letter from there.
    fn reach(&self, states: &mut [bool], state: usize) {
        let mut waiting = vec![state];
        while let Some(state) = waiting.pop() {
            if std::mem::replace(&mut states[state], true) {
                continue;
            }
            match self.0.get(state) {
                Some(Token::Many | Token::Everything) => waiting.push(state + 1),
                Some(Token::Optional) => waiting.extend([state + 1, state + 2]),
                _ => {}
            }
        }
    }
}

/// The rest of a class after its `[`; none if it has no end or is empty.
fn class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = letters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && letters.next_if_eq(&']').is_some() {
            return Some(Token::Class { negated, ranges });
        }
        let low = class_letter(letters)?;
        let high = if letters.next_if_eq(&'-').is_some() { class_letter(letters)? } else { low };
        ranges.push((low, high));
    }
}

fn class_letter(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match letters.next()? {
        '-' | ']' => None,
        '\\' => letters.next(),
        other => Some(other),
    }
}

/// The characters of a name; bytes that are no UTF-8 count as one unknown character each.
fn letters(name: &[u8]) -> impl Iterator<Item = char> {
    name.utf8_chunks().flat_map(|chunk| {
        chunk.valid().chars().chain(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER))
    })
}

/// Patterns that exclude paths, as `--exclude` has them.
#[derive(Clone, Debug, Default)]
pub struct Exclusions(Vec<Exclusion>);

#[derive(Clone, Debug)]
struct Exclusion {
    includes_again: bool,
    pattern: Compiled,
}

impl Exclusions {
    /// Compiles patterns, in their order. They are cleaned as paths are; empty ones are left out.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, BadPattern> {
        let mut exclusions = Vec::new();
        for text in patterns {
            let text = text.trim();
            let (includes_again, text) = match text.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, text),
            };
            let cleaned = crate::ImagePath::new(text);
            let Some(relative) = cleaned.as_str().strip_prefix('/').filter(|relative| !relative.is_empty())
            else {
                continue;
            };
            exclusions
                .push(Exclusion { includes_again, pattern: Compiled::new(relative, Language::Ignore)? });
        }
        Ok(Self(exclusions))
    }

    /// Whether there are no patterns.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a path, relative and without a leading `/`, is excluded, by itself or with a
    /// directory that it is in.
    pub fn excludes(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let ancestors: Vec<&[u8]> = ends.chain([path.len()]).filter_map(|end| path.get(..end)).collect();
        let decides = |exclusion: &&Exclusion| ancestors.iter().any(|path| exclusion.pattern.matches(path));
        self.0.iter().rev().find(decides).is_some_and(|exclusion| !exclusion.includes_again)
    }

    /// Whether something below an excluded directory may be included again.
    pub fn may_include_again(&self) -> bool {
        self.0.iter().any(|exclusion| exclusion.includes_again)
    }
}

#[cfg(test)]
mod tests {
    use super::{BadPattern, Exclusions, NamePattern, has_wildcard};

    fn matches(pattern: &str, name: &[u8]) -> Result<bool, BadPattern> {
        Ok(NamePattern::new(pattern)?.matches(name))
    }

    /// The cases that Go's documentation of `filepath.Match` is about.
    #[test]
    fn go_patterns() {
        for (pattern, name, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-x]", "x", true),
            ("[x\\-]", "-", true),
            ("*x", "xxx", true),
            ("**", "a/b", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name.as_bytes()), Ok(expected), "{pattern} {name}");
        }
    }

    #[test]
    fn bad_patterns_are_errors() {
        for pattern in ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "a\\"] {
            assert!(matches(pattern, b"a").is_err(), "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "*a".repeat(200);
        assert_eq!(matches(&pattern, "a".repeat(5000).as_bytes()), Ok(true));
        assert_eq!(matches(&(pattern + "b"), "a".repeat(5000).as_bytes()), Ok(false));
    }

    #[test]
    fn wildcards_are_seen() {
        assert!(has_wildcard("a*") && has_wildcard("a[b") && has_wildcard("\\a") && !has_wildcard("a.b/c"));
    }

    fn excluded(patterns: &[&str], path: &str) -> bool {
        Exclusions::new(patterns.iter().copied()).unwrap().excludes(path.as_bytes())
    }

    #[test]
    fn exclusions_cross_directories() {
        for (patterns, path, expected) in [
            (&["*.o"][..], "a.o", true),
            (&["*.o"], "x/a.o", false),
            (&["**/*.o"], "a.o", true),
            (&["**/*.o"], "x/y/a.o", true),
            (&["**"], "x/y", true),
            (&["x/**"], "x/y/z", true),
            (&["x/**"], "xy", false),
            (&["**/x"], "ax", false),
            (&["**/x"], "a/x/b", true),
            (&["a/**/b"], "a/b", true),
            (&["a/**/b"], "a/x/y/b", true),
            (&["a/**/b"], "a/xb", false),
            (&["x"], "x/y", true),
            (&["/x/"], "x", true),
            (&["./x/../y"], "y/z", true),
            (&["x", "!x/y"], "x/y", false),
            (&["x", "!x/y"], "x/z", true),
            (&["x", "!x/y", "x/y/z"], "x/y/z", true),
            (&["!x"], "x", false),
            (&["", "  "], "x", false),
        ] {
            assert_eq!(excluded(patterns, path), expected, "{patterns:?} {path}");
        }
    }

    #[test]
    fn names_that_are_no_utf8_match() {
        assert_eq!(matches("a?b*", b"a\xffb\xfe"), Ok(true));
        assert_eq!(matches("a", b"\xff"), Ok(false));
    }
}
