//! Arguments before variables are replaced in them.
//!
//! A [`Word`] keeps quotes, escapes and `$VAR` as they were written. What it means depends on the
//! variables that are set where it stands, which the parser does not know; [`Word::expand`] is given
//! them as a function. The rules are those of a shell with some of `BuildKit`'s own:
//!
//! | written | becomes |
//! |---|---|
//! | `$v` `${v}` | the value, empty where unset |
//! | `${v-w}` `${v:-w}` | `w` where `v` is unset (`:` or empty) |
//! | `${v+w}` `${v:+w}` | `w` where `v` is set (`:` and not empty) |
//! | `${v?m}` `${v:?m}` | an error with text `m` where `v` is unset (`:` or empty) |
//! | `${v#p}` `${v##p}` | without the shortest, longest start that matches `p` |
//! | `${v%p}` `${v%%p}` | without the shortest, longest end that matches `p` |
//! | `${v/p/r}` `${v//p/r}` | the first, each match of `p` replaced by `r` |
//! | `'…'` | as it stands |
//! | `"…"` | without the quotes, variables replaced |
//! | the escape character and a character | that character |

mod lexer;
mod pattern;

use lexer::{Lexer, Quotes, Rules, Unset};

use crate::Span;

/// An argument as it was written: quotes, escapes and `$VAR` are still in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    text: String,
    span: Span,
    escape: char,
}

/// What a word became.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The text with variables replaced.
    pub text: String,
    /// The names that were looked up and are not set, each once, in the order of their first use.
    pub unset: Vec<String>,
}

/// A word that cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to process {text:?}: {reason}")]
pub struct ExpandError {
    /// The word as written.
    pub text: String,
    /// Where the word stands.
    pub span: Span,
    /// What is wrong with it.
    #[source]
    pub reason: ExpandFault,
}

/// Why a word cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandFault {
    /// A quote is not closed.
    #[error("unexpected end of statement while looking for matching {0}")]
    Unterminated(&'static str),
    /// `${` without `}`.
    #[error("syntax error: missing '}}'")]
    MissingBrace,
    /// `${v/p` without the second slash.
    #[error("syntax error: missing '/' in ${{}}")]
    MissingSlash,
    /// `${}` and the like.
    #[error("syntax error: bad substitution")]
    BadSubstitution,
    /// `${v` and then something that has no meaning.
    #[error("unsupported modifier ({0}) in substitution")]
    UnsupportedModifier(String),
    /// `${v?message}` of an unset variable.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The author's message, or a default one.
        message: String,
    },
    /// A pattern escapes a character that has no special meaning.
    #[error("invalid pattern ({pattern}) in substitution: invalid escape '\\{character}'")]
    InvalidPattern {
        /// The pattern.
        pattern: String,
        /// The escaped character.
        character: char,
    },
    /// A pattern of more than [`MAX_PATTERN`] characters.
    #[error("a pattern of {0} characters in substitution is too long, {MAX_PATTERN} are allowed")]
    PatternTooLong(usize),
    /// Substitutions inside substitutions, more than [`MAX_DEPTH`] of them.
    #[error("substitutions are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Values and replacements of more than [`MAX_SUBSTITUTED`] bytes.
    #[error("the values of its variables have more than {} MiB", MAX_SUBSTITUTED >> 20)]
    TooLong,
}

/// How deep substitutions may be nested; keeps the stack and the time bounded.
pub const MAX_DEPTH: usize = 100;

/// How many bytes the values and replacements of one word may have; keeps `${a//?/${a//?/$a}}`, which grows
/// with every level, from using up the memory.
pub const MAX_SUBSTITUTED: usize = 16 << 20;

/// How many characters a pattern may have; keeps the time for a match bounded.
pub const MAX_PATTERN: usize = 1000;

impl Word {
    /// A word of a text whose escape character is `escape`.
    pub fn new(text: impl Into<String>, span: Span, escape: char) -> Self {
        Word { text: text.into(), span, escape }
    }

    /// The word unexpanded: for messages and for rules about how it is written, never for a build.
    pub fn as_written(&self) -> &str {
        &self.text
    }

    /// Where it stands in the text.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Replaces variables and removes quotes; the result is one text, whatever blanks are in it.
    /// `lookup` gives the value of a variable, `None` where it is not set.
    pub fn expand(&self, mut lookup: impl FnMut(&str) -> Option<String>) -> Result<Expansion, ExpandError> {
        let rules = Rules::word(self.escape);
        expand(&self.text, self.span, rules, &mut lookup)
    }

    /// Like [`expand`](Word::expand), then splits at blanks that are not quoted. A word of quotes with
    /// nothing in it is no word.
    pub fn expand_words(
        &self,
        mut lookup: impl FnMut(&str) -> Option<String>,
    ) -> Result<Vec<String>, ExpandError> {
        let words = Lexer::new(&self.text, Rules::word(self.escape), &mut lookup).words();
        words.map_err(|reason| ExpandError { text: self.text.clone(), span: self.span, reason })
    }
}

/// Replaces variables in the body of a here-document: quotes are text there, and the escape character
/// is always the backslash.
pub(crate) fn expand_heredoc(
    text: &str,
    span: Span,
    lookup: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Expansion, ExpandError> {
    let rules = Rules { quotes: Quotes::Ordinary, ..Rules::word('\\') };
    expand(text, span, rules, lookup)
}

/// The words of a line with nothing replaced and all quotes and escapes kept: the way in which
/// here-documents are looked for. `None` where the line does not lex.
pub(crate) fn raw_words(line: &str) -> Option<Vec<String>> {
    let rules = Rules { quotes: Quotes::Kept, raw_escapes: true, unset: Unset::Kept, ..Rules::word('\\') };
    Lexer::new(line, rules, &mut |_| None).words().ok()
}

/// The one word that `text` is, without and with its quotes. `None` where it is not one word.
pub(crate) fn single_word(text: &str) -> Option<(String, String)> {
    let only = |quotes| {
        let rules = Rules { quotes, unset: Unset::Kept, ..Rules::word('\\') };
        let mut words = Lexer::new(text, rules, &mut |_| None).words().ok()?;
        (words.len() == 1).then(|| words.swap_remove(0))
    };
    Some((only(Quotes::Removed)?, only(Quotes::Kept)?))
}

/// A text with the variables that are set replaced and everything else as written, quotes too: the
/// label of a step. A text that does not lex stays as it is.
pub fn expand_for_display(
    text: &str,
    escape: char,
    mut lookup: impl FnMut(&str) -> Option<String>,
) -> String {
    let rules = Rules { quotes: Quotes::Kept, unset: Unset::Kept, ..Rules::word(escape) };
    Lexer::new(text, rules, &mut lookup).text().unwrap_or_else(|_| text.to_owned())
}

fn expand(
    text: &str,
    span: Span,
    rules: Rules,
    lookup: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Expansion, ExpandError> {
    let mut lexer = Lexer::new(text, rules, lookup);
    match lexer.text() {
        Ok(expanded) => Ok(Expansion { text: expanded, unset: lexer.into_unset() }),
        Err(reason) => Err(ExpandError { text: text.to_owned(), span, reason }),
    }
}

#[cfg(test)]
mod tests;
