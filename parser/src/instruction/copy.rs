//! `COPY [flags] SOURCE… DESTINATION`

use std::collections::HashMap;

use super::flags::Takes;
use super::{ArgumentForm, Literal, Request};
use crate::diagnostic::{Code, Diagnostic};
use crate::heredoc::{Heredoc, Marker};
use crate::{Span, Word};

/// COPY
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// What to copy, in the order written.
    pub sources: Vec<CopySource>,
    /// Where to.
    pub destination: Word,
    /// Words or a JSON array.
    pub form: ArgumentForm,
    /// `--from=STAGE|IMAGE|CONTEXT`; variables are not allowed in it
    pub from: Option<Literal>,
    /// `--chown=USER[:GROUP]`
    pub chown: Option<Word>,
    /// `--chmod=MODE`, octal or symbolic
    pub chmod: Option<Word>,
    /// `--link`
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude=PATTERN`, each; no variables in them
    pub exclude: Vec<Literal>,
}

/// One source of a COPY or ADD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopySource {
    /// A path, a pattern, or (ADD) a URL or repository.
    Path(Word),
    /// A here-document.
    Inline(InlineFile),
}

/// A file whose content stands in the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineFile {
    /// The document; its name is the file name where the destination is a directory.
    pub heredoc: Heredoc,
}

/// What ADD and COPY have in common.
pub(super) struct Transfer {
    pub(super) sources: Vec<CopySource>,
    pub(super) destination: Word,
    pub(super) form: ArgumentForm,
}

impl Transfer {
    /// Reads sources and destination.
    pub(super) fn parse(request: &mut Request<'_>) -> Option<Transfer> {
        let (mut words, form) = request.list()?;
        let destination = words.pop();
        let Some(destination) = destination.filter(|_| !words.is_empty()) else {
            let what = "requires at least two arguments, but only one was provided. \
                        Destination could not be determined";
            request.wrong_count(what);
            return None;
        };
        if Marker::parse(destination.as_written()).is_some() {
            let message = format!("{} cannot accept a heredoc as a destination", request.name());
            request.error(Code::MisplacedHeredoc, destination.span(), message);
            return None;
        }
        let bodies = request.heredocs.iter().map(|heredoc| (heredoc.name.as_str(), heredoc)).collect();
        let sources = words.into_iter().map(|word| source(word, &bodies)).collect();
        Some(Transfer { sources, destination, form })
    }
}

/// A word is a here-document if it announces one, else a path. Of several documents with one name the
/// last one counts.
fn source(word: Word, bodies: &HashMap<&str, &Heredoc>) -> CopySource {
    let Some(marker) = Marker::parse(word.as_written()) else { return CopySource::Path(word) };
    let (content, span) = match bodies.get(marker.name.as_str()) {
        Some(body) => (body.content.as_str(), body.span),
        None => ("", Span::new(word.span().end, word.span().end)),
    };
    CopySource::Inline(InlineFile { heredoc: marker.with_content(content, span) })
}

pub(super) fn parse(request: &mut Request<'_>) -> Option<Copy> {
    let flags = request.read_flags(&[
        ("chown", Takes::Value),
        ("from", Takes::Value),
        ("chmod", Takes::Value),
        ("link", Takes::Switch),
        ("exclude", Takes::Values),
        ("parents", Takes::Switch),
    ]);
    let from = flags.word("from").and_then(|from| constant_from(&from, request));
    let Transfer { sources, destination, form } = Transfer::parse(request)?;
    Some(Copy {
        sources,
        destination,
        form,
        from,
        chown: flags.word("chown"),
        chmod: flags.word("chmod"),
        link: flags.switch("link") == Some(true),
        parents: flags.switch("parents") == Some(true),
        exclude: flags.literals("exclude"),
    })
}

/// The value of `--from`, which must be the same after expansion.
fn constant_from(from: &Word, request: &mut Request<'_>) -> Option<Literal> {
    let text = from.as_written();
    if text.is_empty() {
        return None;
    }
    if from.expand(|_| None).is_ok_and(|expansion| expansion.text == text) {
        return Some(Literal { text: text.to_owned(), span: from.span() });
    }
    let message = "variable expansion is not supported for --from, define a new stage with FROM using ARG \
                   from global scope as a workaround";
    let help = "for example `ARG VERSION`, `FROM image:$VERSION AS files`, then `COPY --from=files`";
    let error = Diagnostic::error(Code::InvalidFlagValue, from.span(), message);
    request.diagnostics.push(error.with_help(help));
    None
}
