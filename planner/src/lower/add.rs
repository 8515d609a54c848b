//! `ADD [flags] SOURCE… DESTINATION`: COPY that also fetches URLs and repositories and unpacks archives.

use graph::file::Unpack;
use graph::name::{HttpName, redacted};
use image::{ImagePath, PathPattern};
use parser::ast::Add;

use super::Lowering;
use super::copy::{Flags, Sources, literal_pattern, source_pattern};
use crate::error::Fault;
use crate::external;
use crate::remote::{GitReference, is_http_url, url_file_name};

/// A source that is not on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remote {
    /// A file.
    Http(HttpName),
    /// A repository.
    Git(GitReference),
}

/// The remote that a source of ADD names; `None` for a path of the context. `keep_git_directory` and
/// `checksum` are the flags of the instruction.
pub(crate) fn remote(
    source: &str,
    keep_git_directory: Option<bool>,
    checksum: Option<&str>,
) -> Result<Option<Remote>, Fault> {
    if let Some(reference) = GitReference::parse(source) {
        let mut reference = reference?;
        if !reference.looks_local {
            match (keep_git_directory, reference.keep_git_directory) {
                (Some(flag), Some(query)) if flag != query => return Err(Fault::KeepGitDirectoryConflict),
                (flag, query) => reference.keep_git_directory = query.or(flag),
            }
            match (checksum, &reference.checksum) {
                (Some(flag), Some(query)) if flag != query => {
                    return Err(Fault::ChecksumConflict(flag.to_owned(), query.clone()));
                }
                (Some(flag), _) => reference.checksum = Some(flag.to_owned()),
                (None, _) => {}
            }
            return Ok(Some(Remote::Git(reference)));
        }
    }
    if !is_http_url(source) {
        return Ok(None);
    }
    let checksum = checksum.map(str::parse).transpose().map_err(Fault::Checksum)?;
    Ok(Some(Remote::Http(HttpName { url: source.to_owned(), checksum })))
}

impl Lowering<'_, '_> {
    pub(super) fn add(&mut self, add: &Add) -> Result<(), Fault> {
        let checksum = self.expand_optional(add.checksum.as_ref())?;
        let flags = Flags {
            chown: add.chown.as_ref(),
            chmod: add.chmod.as_ref(),
            exclude: &add.exclude,
            parents: false,
            link: add.link,
        };
        let request = self.copy_request(&add.sources, &add.destination, flags)?;
        if checksum.is_some() && request.paths.len() != 1 {
            return Err(Fault::ChecksumOfSeveral);
        }
        let mut sources = Sources::default();
        for path in &request.paths {
            match remote(path, add.keep_git_dir, checksum.as_deref())? {
                Some(Remote::Http(name)) => self.add_file(&mut sources, &name, add.unpack),
                Some(Remote::Git(git)) => self.add_repository(&mut sources, &git),
                None if checksum.is_some() => return Err(Fault::ChecksumOfLocal),
                None => {
                    self.check_local("Add", path, false);
                    let unpack = unpack(add.unpack.unwrap_or(true));
                    let context = self.main_context();
                    sources.push(context, source_pattern(path, false), unpack);
                }
            }
        }
        self.finish_copy("ADD", request, sources)
    }

    fn add_file(&mut self, sources: &mut Sources, name: &HttpName, asked: Option<bool>) {
        let Some((tree, file_name)) = external::http(self.planner, name, url_file_name(&name.url)) else {
            sources.is_incomplete = true;
            return;
        };
        self.show_source(tree, &name.url);
        let pattern = literal_pattern(&ImagePath::root().join(&file_name));
        sources.push(tree, pattern, unpack(asked.unwrap_or(false)));
    }

    fn add_repository(&mut self, sources: &mut Sources, git: &GitReference) {
        match external::git(self.planner, git) {
            Some(tree) => {
                self.show_source(tree, &git.remote);
                sources.push(tree, PathPattern::new(""), Unpack::Never);
            }
            None => sources.is_incomplete = true,
        }
    }

    fn show_source(&mut self, tree: graph::VertexId, address: &str) {
        self.show(tree, format!("[internal] load {}", redacted(address)));
    }
}

fn unpack(asked: bool) -> Unpack {
    if asked { Unpack::Archives } else { Unpack::Never }
}
