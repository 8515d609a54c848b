//! Secrets are kept out of what a step writes.
//!
//! The values of the secrets that a step mounts, as files or as variables, are replaced by `****` wherever they
//! occur in its output: the whole value, and each of its lines. Values and lines of less than [`LEAST`] bytes are
//! left alone: they occur everywhere. What a step encodes, cuts or turns around is not found.
//!
//! Output comes in pieces, and a value may begin in one and end in the next. Of each piece, the longest end with
//! which a value begins is held back until more comes.

use aho_corasick::{AhoCorasick, MatchKind};

/// What stands for a secret.
const MASK: &[u8] = b"****";

/// Shorter values and lines are left alone.
const LEAST: usize = 4;

/// Replaces secrets.
#[derive(Clone, Debug)]
pub(crate) struct Redaction {
    /// All that is replaced, and the automaton that finds it; none where there is nothing.
    values: Vec<Vec<u8>>,
    finder: Option<AhoCorasick>,
}

impl Redaction {
    /// For the values of some secrets.
    pub(crate) fn new(secrets: &[Vec<u8>]) -> Self {
        let mut values: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            let whole = secret.trim_ascii_end();
            let lines =
                whole.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            for value in lines.chain([whole]) {
                if value.len() >= LEAST && !values.iter().any(|other| other == value) {
                    values.push(value.to_vec());
                }
            }
        }
        // Building fails only for values of gigabytes, which nobody could have mounted.
        let finder = (!values.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&values));
        Self { finder: finder.and_then(Result::ok), values }
    }

    /// Begins to look through a stream.
    pub(crate) fn stream(&self) -> RedactedStream<'_> {
        RedactedStream { redaction: self, held: Vec::new() }
    }

    /// How many bytes at the end of a text could be the beginning of a value.
    fn beginning_at_end(&self, text: &[u8]) -> usize {
        let of_value = |value: &Vec<u8>| {
            let most = text.len().min(value.len() - 1);
            (1..=most).rev().find(|length| text.ends_with(&value[..*length]))
        };
        self.values.iter().filter_map(of_value).max().unwrap_or(0)
    }
}

/// One stream that is looked through.
#[derive(Debug)]
pub(crate) struct RedactedStream<'a> {
    redaction: &'a Redaction,
    held: Vec<u8>,
}

impl RedactedStream<'_> {
    /// What can be shown after this piece.
    pub(crate) fn push<'p>(&mut self, piece: &'p [u8]) -> std::borrow::Cow<'p, [u8]> {
        let Some(finder) = &self.redaction.finder else { return piece.into() };
        self.held.extend_from_slice(piece);
        let safe = self.held.len() - self.redaction.beginning_at_end(&self.held);
        let mut shown = Vec::with_capacity(safe);
        let mut done = 0;
        for found in finder.find_iter(&self.held).take_while(|found| found.start() < safe) {
            shown.extend_from_slice(&self.held[done..found.start()]);
            shown.extend_from_slice(MASK);
            done = found.end();
        }
        if done < safe {
            shown.extend_from_slice(&self.held[done..safe]);
            done = safe;
        }
        self.held.drain(..done);
        shown.into()
    }

    /// What was held back, when nothing more comes.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let Some(finder) = &self.redaction.finder else { return held };
        // What was held back may have a shorter value in it than the one that it could have become.
        finder.replace_all_bytes(&held, &vec![MASK; self.redaction.values.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a text that comes in pieces of this size.
    fn shown(secrets: &[&str], text: &str, size: usize) -> String {
        let secrets: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
        let redaction = Redaction::new(&secrets);
        let mut stream = redaction.stream();
        let mut shown = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            shown.extend_from_slice(&stream.push(piece));
        }
        shown.extend(stream.finish());
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn values_are_found_however_the_text_is_cut() {
        let secrets = ["swordfish\n", "sword of damocles", "line one\nxyz\nline three"];
        let text = "a swordfish, a sword of damocles, a sword, line one, xyz and line three\n\
                    line one\nxyz\nline three swordfis";
        let expected = "a ****, a ****, a sword, ****, xyz and ****\n**** swordfis";
        for size in 1..text.len() {
            assert_eq!(shown(&secrets, text, size), expected, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_short_is_left_alone() {
        assert_eq!(shown(&["abc", "", "\n", "a\nb"], "abc a b a\nb", 100), "abc a b a\nb");
        assert_eq!(shown(&["a\nb\n"], "a\nb", 100), "a\nb");
        assert_eq!(shown(&["ab\r\ncd\r\n"], "ab\r\ncd", 100), "****");
    }

    #[test]
    fn a_value_within_another_is_found_where_the_other_does_not_follow() {
        assert_eq!(
            shown(&["token", "token-of-root"], "token-of-none token-of-root token-of", 3),
            "****-of-none **** ****-of"
        );
        assert_eq!(shown(&["token", "token-of-root"], "my token-of", 100), "my ****-of");
    }

    #[test]
    fn lines_are_not_held_back_without_need() {
        let redaction = Redaction::new(&[b"secret".to_vec()]);
        let mut stream = redaction.stream();
        assert_eq!(&*stream.push(b"a line\n"), b"a line\n");
        assert_eq!(&*stream.push(b"its secre"), b"its ");
        assert_eq!(&*stream.push(b"cy\n"), b"secrecy\n");
    }
}
