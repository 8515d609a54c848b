//! `COPY [flags] SOURCE… DESTINATION`, and what ADD has in common with it.

use graph::file::{self, CopySource, Destination, ModeChange, Owner, Unpack};
use graph::vertex::InputIndex;
use graph::{Edge, FileOp, Op, VertexId};
use image::{ImagePath, PathPattern};
use indexmap::{IndexMap, IndexSet};
use parser::ast::{Copy, CopySource as Written, InlineFile, Literal};
use parser::heredoc::Heredoc;
use parser::ignore::IgnoreFile;
use parser::{Span, Word};

use super::Lowering;
use crate::error::Fault;
use crate::external;
use crate::lint::{LocalSource, copy_ignored_file, crlf_script, excluded_source};
use crate::paths;
use crate::remote::{GitReference, is_http_url};
use crate::stages::Origin;

/// What COPY and ADD have in common, variables replaced.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// Paths and URLs, in the order written.
    pub(super) paths: Vec<String>,
    /// Names and texts of here-documents; they come after the paths.
    pub(super) files: Vec<(String, String)>,
    pub(super) destination: String,
    pub(super) chown: Option<String>,
    pub(super) chmod: Option<String>,
    pub(super) excludes: Vec<PathPattern>,
    pub(super) parents: bool,
    pub(super) link: bool,
}

/// The flags that COPY and ADD have in common, as written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags<'s> {
    pub(super) chown: Option<&'s Word>,
    pub(super) chmod: Option<&'s Word>,
    pub(super) exclude: &'s [Literal],
    pub(super) parents: bool,
    pub(super) link: bool,
}

/// The sources and inputs of a copy in the making. Input 0 is what is copied to.
#[derive(Debug, Default)]
pub(super) struct Sources {
    list: Vec<CopySource>,
    /// What is selected in each tree.
    inputs: IndexMap<VertexId, IndexSet<PathPattern>>,
    /// Whether a pin is missing, so that there is no vertex yet.
    pub(super) is_incomplete: bool,
}

impl Sources {
    /// Adds what a pattern selects in a tree.
    pub(super) fn push(&mut self, tree: VertexId, pattern: PathPattern, unpack: Unpack) {
        let counted = PathPattern::new(pattern.as_str().replace("/./", "/"));
        let input = self.inputs.entry(tree);
        let position = input.index();
        input.or_default().insert(counted);
        self.list.push(CopySource::Tree { input: InputIndex(position + 1), pattern, unpack });
    }
}

impl Lowering<'_, '_> {
    pub(super) fn copy(&mut self, copy: &Copy, origin: Option<&Origin>) -> Result<(), Fault> {
        let flags = Flags {
            chown: copy.chown.as_ref(),
            chmod: copy.chmod.as_ref(),
            exclude: &copy.exclude,
            parents: copy.parents,
            link: copy.link,
        };
        let request = self.copy_request(&copy.sources, &copy.destination, flags)?;
        for path in &request.paths {
            match GitReference::parse(path) {
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(git)) if !git.looks_local => return Err(Fault::CopyOfGit),
                _ if is_http_url(path) => return Err(Fault::CopyOfUrl),
                _ => {}
            }
        }
        let mut sources = Sources::default();
        if !request.paths.is_empty() {
            let tree = match origin {
                None => Some(self.main_context()),
                Some(origin) => self.copy_origin(copy, origin)?,
            };
            match tree {
                Some(tree) => {
                    for path in &request.paths {
                        if origin.is_none() {
                            self.check_local("Copy", path, request.parents);
                        }
                        sources.push(tree, source_pattern(path, request.parents), Unpack::Never);
                    }
                }
                None => sources.is_incomplete = true,
            }
        }
        self.finish_copy("COPY", request, sources)
    }

    fn copy_origin(&mut self, copy: &Copy, origin: &Origin) -> Result<Option<VertexId>, Fault> {
        self.origin(origin).map_err(|_| Fault::CopyFromLaterStage {
            from: copy.from.as_ref().map(|from| from.text.clone()).unwrap_or_default(),
            stage: self.stage.name(),
        })
    }

    pub(super) fn copy_request(
        &mut self,
        sources: &[Written],
        destination: &Word,
        flags: Flags<'_>,
    ) -> Result<Request, Fault> {
        let mut request = Request {
            chown: self.expand_optional(flags.chown)?,
            chmod: self.expand_optional(flags.chmod)?,
            excludes: flags.exclude.iter().map(|pattern| PathPattern::new(pattern.text.as_str())).collect(),
            parents: flags.parents,
            link: flags.link,
            ..Request::default()
        };
        IgnoreFile::of_patterns(request.excludes.iter().map(PathPattern::as_str))?;
        for source in sources {
            match source {
                Written::Path(word) => request.paths.push(self.expand(word)?),
                Written::Inline(file) => request.files.push(self.inline_file(file)?),
            }
        }
        request.destination = self.expand(destination)?;
        Ok(request)
    }

    fn inline_file(&mut self, file: &InlineFile) -> Result<(String, String), Fault> {
        let span = self.span_of(&file.heredoc);
        crlf_script::check_file(&mut self.planner.linter, &file.heredoc, span);
        let environment = &self.state.environment;
        let expansion = file.heredoc.expand(|name| environment.get(name).map(str::to_owned))?;
        self.report_unset(expansion.unset.into_iter().collect());
        Ok((file.heredoc.name.clone(), expansion.text))
    }

    /// Where a here-document is, for findings. That of a trigger does not stand in this file.
    pub(super) fn span_of(&self, heredoc: &Heredoc) -> Span {
        if self.current.is_trigger { self.current.span } else { heredoc.span }
    }

    /// Looks at a source in the main context, which an ignore file may exclude.
    pub(super) fn check_local(&mut self, verb: &str, source: &str, parents: bool) {
        let span = self.current.span;
        if let Some(ignore) = &self.planner.options.ignore {
            let linter = &mut self.planner.linter;
            if !copy_ignored_file::check(linter, verb, source, ignore, span) {
                excluded_source::check(linter, source, ignore, span);
            }
        }
        let options = self.planner.linter.options().clone();
        let (written, pattern) = (source.to_owned(), source_pattern(source, parents).as_str().to_owned());
        self.planner.local_sources.insert(LocalSource { written, pattern, parents, span, options });
    }

    /// Adds the vertex of a copy, or the two of one with `--link`: a layer of its own, and its
    /// place on top of the rest.
    pub(super) fn finish_copy(
        &mut self,
        verb: &str,
        request: Request,
        sources: Sources,
    ) -> Result<(), Fault> {
        let mode = request.chmod.as_deref().map(str::parse::<ModeChange>).transpose()?;
        let history = history(verb, &request);
        let label = self.words_label();
        if sources.is_incomplete {
            return Ok(());
        }
        // As BuildKit has it, a mode is applied in place: --link means nothing then.
        let is_linked = request.link && mode.is_none();
        let destination = self.destination(&request.destination, !is_linked);
        let mut all = sources.list;
        let inline = |(name, content)| CopySource::Inline { name, content };
        all.extend(request.files.into_iter().map(inline));
        let copy = Op::File(FileOp::Copy(file::Copy {
            sources: all,
            destination,
            owner: request.chown.map(Owner),
            mode,
            excludes: request.excludes,
            parents: request.parents,
        }));
        let base = if is_linked { external::scratch(self.planner) } else { self.state.rootfs };
        let mut inputs = vec![Edge::definition(base)];
        let selected = sources.inputs.into_iter();
        inputs.extend(selected.map(|(tree, patterns)| Edge::content(tree, patterns.into_iter().collect())));
        let copied = self.add_vertex(copy, inputs);
        if is_linked {
            self.show(copied, label.clone());
            let label = label.replacen("] ", "] LINK ", 1);
            let inputs = vec![Edge::definition(self.state.rootfs), Edge::definition(copied)];
            let merged = self.add_vertex(Op::Merge, inputs);
            self.advance(merged, label);
        } else {
            self.advance(copied, label);
        }
        self.state.record_layer(history);
        Ok(())
    }

    fn destination(&self, written: &str, follows_links: bool) -> Destination {
        let is_directory =
            written.is_empty() || written.ends_with('/') || written == "." || written.ends_with("/.");
        Destination { path: self.state.directory().join(written), is_directory, follows_links }
    }
}

fn history(verb: &str, request: &Request) -> String {
    let mut words = vec![verb.to_owned()];
    if request.parents {
        words.push("--parents".to_owned());
    }
    words.extend(request.chown.iter().map(|owner| format!("--chown={owner}")));
    words.extend(request.chmod.iter().map(|mode| format!("--chmod={mode}")));
    words.extend(request.paths.iter().cloned());
    words.extend(request.files.iter().map(|(name, _)| format!("<<{name}")));
    words.push(request.destination.clone());
    words.push("# buildkit".to_owned());
    words.join(" ")
}

/// A source as the graph has it: relative to the root of its tree, which `..` does not leave. With
/// `--parents`, `/./` stays in it and parts what is kept of the path from what is not.
pub(super) fn source_pattern(source: &str, parents: bool) -> PathPattern {
    let relative = |text: &str| paths::clean(&format!("/{text}")).trim_start_matches('/').to_owned();
    match source.split_once("/./") {
        Some((base, kept)) if parents => {
            PathPattern::new(format!("{}/./{}", relative(base), relative(kept)).trim_start_matches('/'))
        }
        _ => PathPattern::new(relative(source)),
    }
}

/// The pattern that selects one path, whatever letters are in it.
pub(super) fn literal_pattern(path: &ImagePath) -> PathPattern {
    let mut text = String::new();
    for letter in path.as_str().trim_start_matches('/').chars() {
        if matches!(letter, '*' | '?' | '[' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    PathPattern::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_stay_inside_of_their_tree() {
        let pattern = |source| source_pattern(source, false).as_str().to_owned();
        assert_eq!(pattern("../secret"), "secret");
        assert_eq!(pattern("/../d/b"), "d/b");
        assert_eq!(pattern("./a/./b/"), "a/b");
        assert_eq!(pattern("."), "");
        assert_eq!(pattern("a[[]0].txt"), "a[[]0].txt");
    }

    #[test]
    fn parents_may_have_a_pivot() {
        let pattern = |source| source_pattern(source, true).as_str().to_owned();
        assert_eq!(pattern("a/./b/*.txt"), "a/./b/*.txt");
        assert_eq!(pattern("./a/../b/./c"), "b/./c");
        assert_eq!(pattern("/./c"), "./c");
    }

    #[test]
    fn one_path_is_a_pattern() {
        assert_eq!(literal_pattern(&ImagePath::new("/a*[b]")).as_str(), r"a\*\[b]");
    }
}
