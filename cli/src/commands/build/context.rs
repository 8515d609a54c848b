//! Where the Dockerfile and the files of a build come from.

use std::io::Read;
use std::path::{Path, PathBuf};

use engine::request::{Context, DockerfileSource, NamedContext};

use super::request::usage;
use crate::environment::Environment;
use crate::report::Failure;

/// The word for standard input.
const STANDARD_INPUT: &str = "-";
/// What a Dockerfile is called; the second name counts where there is no first one.
const NAMES: [&str; 2] = ["Dockerfile", "dockerfile"];

/// What a build begins with.
#[derive(Debug)]
pub(super) struct Main {
    /// The Dockerfile.
    pub(super) dockerfile: DockerfileSource,
    /// The files around it.
    pub(super) context: Context,
}

/// Finds both. Standard input can be the Dockerfile, instead of the one in the context or of
/// everything.
pub(super) fn main(
    file: Option<&str>,
    context: &str,
    environment: &Environment,
    input: &mut impl Read,
) -> Result<Main, Failure> {
    if context == STANDARD_INPUT {
        if file == Some(STANDARD_INPUT) {
            return usage("invalid argument: can't use stdin for both build context and dockerfile");
        }
        if file.is_some() {
            return usage("a context on standard input is a Dockerfile only: -f has no file to name");
        }
        return Ok(Main { dockerfile: text_of(input)?, context: Context::Empty });
    }
    let directory = directory(context, environment)?;
    let dockerfile = match file {
        Some(STANDARD_INPUT) => text_of(input)?,
        Some(file) if is_remote(file) => {
            return usage(format!("a Dockerfile at {file:?} is not supported: fetch it first"));
        }
        Some(file) => {
            DockerfileSource::File { path: environment.absolute(Path::new(file)), display: file.to_owned() }
        }
        None => default_dockerfile(&directory),
    };
    Ok(Main { dockerfile, context: Context::Directory(directory) })
}

/// Further contexts: `NAME=VALUE`.
pub(super) fn named(
    flags: &[String],
    environment: &Environment,
) -> Result<Vec<(String, NamedContext)>, Failure> {
    let context = |flag: &String| {
        let Some((name, value)) = flag.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return usage(format!("invalid context value {flag:?}, expected key=value"));
        };
        Ok((name.to_owned(), named_context(value, environment)?))
    };
    flags.iter().map(context).collect()
}

fn named_context(value: &str, environment: &Environment) -> Result<NamedContext, Failure> {
    if let Some(image) = value.strip_prefix("docker-image://") {
        return Ok(NamedContext::Image(crate::commands::reference(image)?));
    }
    if let Some(layout) = value.strip_prefix("oci-layout://") {
        return Ok(NamedContext::OciLayout(environment.absolute(Path::new(layout)).display().to_string()));
    }
    Ok(NamedContext::Directory(directory(value, environment)?))
}

/// A directory, by absolute path.
fn directory(path: &str, environment: &Environment) -> Result<PathBuf, Failure> {
    if is_remote(path) {
        return usage(format!("a context at {path:?} is not supported: fetch it first"));
    }
    let directory = environment.absolute(Path::new(path));
    match std::fs::metadata(&directory) {
        Ok(metadata) if metadata.is_dir() => Ok(directory),
        Ok(_) => Err(Failure::Preparation(format!("unable to prepare context: {path:?} is not a directory"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::Preparation(format!("unable to prepare context: path {path:?} not found")))
        }
        Err(error) => Err(Failure::Preparation(format!("unable to prepare context: path {path:?}: {error}"))),
    }
}

fn default_dockerfile(directory: &Path) -> DockerfileSource {
    // That there is none at all is found by whoever reads it.
    let name = NAMES.into_iter().find(|name| directory.join(name).is_file()).unwrap_or(NAMES[0]);
    DockerfileSource::File { path: directory.join(name), display: name.to_owned() }
}

fn is_remote(text: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"].iter().any(|prefix| text.starts_with(prefix))
}

fn text_of(input: &mut impl Read) -> Result<DockerfileSource, Failure> {
    Ok(DockerfileSource::Text { display: "Dockerfile".to_owned(), text: read(input)? })
}

fn read(input: &mut impl Read) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    input.read_to_end(&mut text).map_err(|error| Failure::because("cannot read standard input", error))?;
    if is_archive(&text) {
        return usage("a context as an archive on standard input is not supported: unpack it first");
    }
    Ok(text)
}

/// Whether it is an archive, or compressed as one would be.
fn is_archive(bytes: &[u8]) -> bool {
    let magic: [&[u8]; 4] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    magic.iter().any(|magic| bytes.starts_with(magic)) || bytes.get(257..262) == Some(b"ustar")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_of(value: &str) -> Result<NamedContext, String> {
        named_context(value, &Environment::of_user(&[])).map_err(|failure| failure.to_string())
    }

    #[test]
    fn named_contexts_have_several_forms() {
        assert!(
            matches!(named_of("docker-image://debian:12"), Ok(NamedContext::Image(name)) if name.familiar() == "debian:12")
        );
        assert!(
            matches!(named_of("oci-layout://x:1"), Ok(NamedContext::OciLayout(path)) if path == "/work/x:1")
        );
        assert!(matches!(named_of("/"), Ok(NamedContext::Directory(path)) if path == Path::new("/")));
        insta::assert_snapshot!(named_of("no/such").expect_err("there is none"), @r#"failed to build: unable to prepare context: path "no/such" not found"#);
        insta::assert_snapshot!(named_of("https://example.com/x.git").expect_err("it is remote"), @r#"a context at "https://example.com/x.git" is not supported: fetch it first"#);
    }

    #[test]
    fn archives_are_told_from_dockerfiles() {
        assert!(is_archive(b"\x1f\x8b\x08"));
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(is_archive(&tar));
        assert!(!is_archive(b"FROM scratch\n"));
    }
}
