//! The patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*` is any text, `?` any character.
//!
//! Neither matches a line feed. There are no brackets. The backslash, whatever the file's escape
//! character is, takes the meaning from `*`, `?`, itself, `}` and `/`.
//!
//! Matching is by segments, the runs between stars: if a pattern matches at all, it also does with each
//! segment at its earliest place, and with the last one at its latest, so nothing is tried twice.

use super::{ExpandFault, MAX_PATTERN};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// `*`
    Star,
    /// `?`
    One,
    Exact(char),
}

#[derive(Debug)]
pub(super) struct Pattern(Vec<Token>);

impl Pattern {
    pub(super) fn new(pattern: &str) -> Result<Self, ExpandFault> {
        let mut tokens = Vec::new();
        let mut rest = pattern.chars().peekable();
        while let Some(next) = rest.next() {
            tokens.push(match next {
                '*' => Token::Star,
                '?' => Token::One,
                '\\' => match rest.next() {
                    Some(escaped @ ('*' | '?' | '\\' | '}' | '/')) => Token::Exact(escaped),
                    other => {
                        let character = other.unwrap_or(char::REPLACEMENT_CHARACTER);
                        return Err(ExpandFault::InvalidPattern { pattern: pattern.to_owned(), character });
                    }
                },
                _ => Token::Exact(next),
            });
        }
        if tokens.len() > MAX_PATTERN {
            return Err(ExpandFault::PatternTooLong(tokens.len()));
        }
        Ok(Pattern(tokens))
    }

    /// `value` without the shortest or longest start that matches.
    pub(super) fn without_start(&self, value: &str, longest: bool) -> String {
        let value: Vec<char> = value.chars().collect();
        let line = &value[..line_end(&self.0, &value, 0)];
        let end = matching_start(&self.0, line, longest).unwrap_or(0);
        value[end..].iter().collect()
    }

    /// `value` without the shortest or longest end that matches.
    pub(super) fn without_end(&self, value: &str, longest: bool) -> String {
        let tokens: Vec<Token> = self.0.iter().rev().copied().collect();
        let reversed: Vec<char> = value.chars().rev().collect();
        let line = &reversed[..line_end(&tokens, &reversed, 0)];
        let end = matching_start(&tokens, line, longest).unwrap_or(0);
        reversed[end..].iter().rev().collect()
    }

    /// `value` with the first or each match replaced; a match is as long as it can be. `None` where that
    /// is more than `most` bytes.
    pub(super) fn replace(&self, value: &str, replacement: &str, all: bool, most: usize) -> Option<String> {
        let value: Vec<char> = value.chars().collect();
        let mut out = String::new();
        let mut done = 0;
        let mut at = 0;
        let mut line = line_end(&self.0, &value, 0);
        while at <= value.len() && out.len() <= most {
            let Some((start, end)) = self.find(&value, at, &mut line) else { break };
            out.extend(&value[done..start]);
            // An empty match right behind another match is not one.
            if end > done || start == 0 {
                out.push_str(replacement);
            }
            done = end;
            at = end.max(at + 1);
            if !all {
                break;
            }
        }
        out.extend(&value[done..]);
        Some(out).filter(|out| out.len() <= most)
    }

    /// The first match in `value` from `at` on. `line` is where the line ends that was looked at last.
    fn find(&self, value: &[char], mut at: usize, line: &mut usize) -> Option<(usize, usize)> {
        let first = self.0.split(|token| *token == Token::Star).next().unwrap_or_default();
        while at <= value.len() {
            if at > *line {
                *line = line_end(&self.0, value, at);
            }
            let rest = &value[at..*line];
            if let Some(start) = earliest(first, rest)
                && let Some(length) = matching_start(&self.0, &rest[start..], true)
            {
                return Some((at + start, at + start + length));
            }
            at = *line + 1;
        }
        None
    }
}

/// How far a match from `from` on can reach: wildcards do not match a line feed.
fn line_end(tokens: &[Token], value: &[char], from: usize) -> usize {
    if tokens.contains(&Token::Exact('\n')) {
        return value.len();
    }
    value[from..].iter().position(|c| *c == '\n').map_or(value.len(), |length| from + length)
}

/// The length of the shortest or longest start of `value` that matches all of `tokens`.
fn matching_start(tokens: &[Token], value: &[char], longest: bool) -> Option<usize> {
    let mut segments = tokens.split(|token| *token == Token::Star);
    let first = segments.next().unwrap_or_default();
    if !matches_at(first, value, 0) {
        return None;
    }
    let mut end = first.len();
    let mut segments = segments.peekable();
    while let Some(segment) = segments.next() {
        let rest = &value[end..];
        let is_last = segments.peek().is_none();
        let place = if is_last && longest { latest(segment, rest) } else { earliest(segment, rest) };
        end += place? + segment.len();
    }
    Some(end)
}

fn earliest(segment: &[Token], value: &[char]) -> Option<usize> {
    let last = value.len().checked_sub(segment.len())?;
    (0..=last).find(|at| matches_at(segment, value, *at))
}

fn latest(segment: &[Token], value: &[char]) -> Option<usize> {
    let last = value.len().checked_sub(segment.len())?;
    (0..=last).rev().find(|at| matches_at(segment, value, *at))
}

fn matches_at(segment: &[Token], value: &[char], at: usize) -> bool {
    value.len() >= at + segment.len()
        && segment.iter().zip(&value[at..]).all(|(token, c)| match token {
            Token::Exact(exact) => exact == c,
            Token::One | Token::Star => *c != '\n',
        })
}
