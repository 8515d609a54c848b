//! One pattern, compiled: a list of tokens that is run over a path as a set of states, so a match takes
//! time proportional to pattern and path, whatever stars are in it.

/// A pattern that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `!` and nothing else.
    #[error("illegal exclusion pattern: \"!\"")]
    LoneExclamation,
    /// A character class is not closed or empty, or nothing follows the last backslash.
    #[error("syntax error in pattern {0:?}")]
    Syntax(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Exact(char),
    /// `?`: any character but a slash.
    One,
    /// `*`: any text without a slash.
    Star,
    /// `**` before more: nothing, or any directories. The second half of it is [`Token::Inside`].
    Directories,
    /// Inside the directories of `**`; the next slash may be the last one.
    Inside,
    /// `**` at the end, or at the start without a slash: anything.
    Anything,
    /// `[…]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Pattern(Vec<Token>);

impl Pattern {
    /// Compiles a cleaned pattern.
    pub(super) fn new(text: &str) -> Result<Pattern, PatternError> {
        let error = || PatternError::Syntax(text.to_owned());
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let at_start = rest.len() == text.len();
            rest = &rest[next.len_utf8()..];
            match next {
                '*' if rest.starts_with('*') => {
                    rest = &rest[1..];
                    let directories = rest.strip_prefix('/');
                    rest = directories.unwrap_or(rest);
                    let has_wildcards = rest.contains(['*', '?', '[', ']', '\\']);
                    if rest.is_empty() || (at_start && directories.is_none() && !has_wildcards) {
                        tokens.push(Token::Anything);
                    } else {
                        tokens.extend([Token::Directories, Token::Inside]);
                    }
                }
                '*' => tokens.push(Token::Star),
                '?' => tokens.push(Token::One),
                '[' => tokens.push(class(&mut rest).ok_or_else(error)?),
                '\\' => tokens.push(Token::Exact(take(&mut rest).ok_or_else(error)?)),
                _ => tokens.push(Token::Exact(next)),
            }
        }
        Ok(Pattern(tokens))
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.run(path).last() == Some(&true)
    }

    /// Whether it can match a path below `directory`.
    pub(super) fn can_reach_below(&self, directory: &str) -> bool {
        let states = self.run(&format!("{directory}/"));
        states.iter().any(|is_reached| *is_reached)
    }

    /// Which tokens may be next (the last state: none is left) after all of `path`.
    fn run(&self, path: &str) -> Vec<bool> {
        let mut states = vec![false; self.0.len() + 1];
        states[0] = true;
        self.skip_optional(&mut states);
        let mut after = vec![false; states.len()];
        for character in path.chars() {
            if !states.contains(&true) {
                break;
            }
            after.fill(false);
            for (index, token) in self.0.iter().enumerate().filter(|(index, _)| states[*index]) {
                let (stays, advances) = token.step(character);
                after[index] |= stays;
                after[index + 1] |= advances;
            }
            std::mem::swap(&mut states, &mut after);
            self.skip_optional(&mut states);
        }
        states
    }

    /// Goes past tokens that can match nothing.
    fn skip_optional(&self, states: &mut [bool]) {
        for (index, token) in self.0.iter().enumerate() {
            if !states[index] {
                continue;
            }
            match token {
                Token::Star | Token::Anything => states[index + 1] = true,
                Token::Directories => {
                    states[index + 1] = true;
                    states[index + 2] = true;
                }
                _ => {}
            }
        }
    }
}

impl Token {
    /// Whether reading `character` stays at this token, and whether it goes to the next.
    fn step(&self, character: char) -> (bool, bool) {
        match self {
            Token::Exact(exact) => (false, *exact == character),
            Token::One => (false, character != '/'),
            Token::Star => (character != '/', false),
            Token::Directories => (false, false),
            Token::Inside => (true, character == '/'),
            Token::Anything => (true, false),
            Token::Class { negated, ranges } => {
                let is_in = ranges.iter().any(|(low, high)| (*low..=*high).contains(&character));
                (false, is_in != *negated)
            }
        }
    }
}

/// The class whose `[` was just read; `rest` moves past its `]`.
fn class(rest: &mut &str) -> Option<Token> {
    let negated = rest.starts_with('^');
    if negated {
        take(rest);
    }
    let mut ranges = Vec::new();
    while !rest.starts_with(']') || ranges.is_empty() {
        let low = class_character(rest)?;
        let high = match rest.strip_prefix('-') {
            Some(after) => {
                *rest = after;
                class_character(rest)?
            }
            None => low,
        };
        ranges.push((low, high));
    }
    take(rest);
    Some(Token::Class { negated, ranges })
}

fn class_character(rest: &mut &str) -> Option<char> {
    match take(rest)? {
        '-' | ']' => None,
        '\\' => take(rest),
        other => Some(other),
    }
}

fn take(rest: &mut &str) -> Option<char> {
    let next = rest.chars().next()?;
    *rest = &rest[next.len_utf8()..];
    Some(next)
}
