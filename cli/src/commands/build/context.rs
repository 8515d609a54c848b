//! Where the Dockerfile and the files of a build come from.

use std::io::Read;
use std::path::{Path, PathBuf};

use engine::request::{
    Context, DOCKERFILE_NAMES, DockerfileSource, GitReference, NamedContext, Received, is_http_url,
};

use super::request::usage;
use crate::environment::Environment;
use crate::report::Failure;

/// The word for standard input.
const STANDARD_INPUT: &str = "-";

/// What a build begins with.
#[derive(Debug)]
pub(super) struct Main {
    /// The Dockerfile.
    pub(super) dockerfile: DockerfileSource,
    /// The files around it.
    pub(super) context: Context,
}

/// Finds both. Standard input can be the Dockerfile, instead of the one in the context or of everything, or the
/// context as an archive.
pub(super) fn main(
    file: Option<&str>,
    context: &str,
    environment: &Environment,
    input: impl Read + Send + 'static,
) -> Result<Main, Failure> {
    if context == STANDARD_INPUT {
        return of_standard_input(file, input);
    }
    let directory = environment.absolute(Path::new(context));
    match remote(context)? {
        Some(remote) if !directory.is_dir() => Ok(Main {
            dockerfile: match file {
                Some(STANDARD_INPUT) => text_of(input)?,
                Some(file) if Path::new(file).is_absolute() => on_disk(file, environment),
                file => in_context(file),
            },
            context: match remote {
                Remote::Git(reference) => Context::Git(reference),
                Remote::Http(url) => Context::Http(url),
            },
        }),
        _ => {
            let directory = checked_directory(context, directory)?;
            let dockerfile = match file {
                Some(STANDARD_INPUT) => text_of(input)?,
                Some(url) if is_http_url(url) => DockerfileSource::Url(url.to_owned()),
                Some(file) => on_disk(file, environment),
                None => default_dockerfile(&directory),
            };
            Ok(Main { dockerfile, context: Context::Directory(directory) })
        }
    }
}

fn of_standard_input(file: Option<&str>, input: impl Read + Send + 'static) -> Result<Main, Failure> {
    if file == Some(STANDARD_INPUT) {
        return usage("invalid argument: can't use stdin for both build context and dockerfile");
    }
    match receive(input)? {
        Received::Archive(archive) => {
            Ok(Main { dockerfile: in_context(file), context: Context::Archive(archive) })
        }
        Received::Text(_) if file.is_some() => {
            usage("ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles")
        }
        Received::Text(text) => Ok(Main { dockerfile: dockerfile_text(text), context: Context::Empty }),
    }
}

/// The Dockerfile of a context that is fetched: what a flag names is in it, unless it is a URL of its own.
fn in_context(file: Option<&str>) -> DockerfileSource {
    match file {
        Some(url) if is_http_url(url) => DockerfileSource::Url(url.to_owned()),
        file => DockerfileSource::InContext(file.map(str::to_owned)),
    }
}

fn on_disk(file: &str, environment: &Environment) -> DockerfileSource {
    DockerfileSource::File { path: environment.absolute(Path::new(file)), display: file.to_owned() }
}

/// A context that has to be fetched.
enum Remote {
    Git(GitReference),
    Http(String),
}

fn remote(text: &str) -> Result<Option<Remote>, Failure> {
    match GitReference::parse(text) {
        Some(Ok(reference)) => Ok(Some(Remote::Git(reference))),
        Some(Err(error)) => usage(format!("invalid context {text:?}: {error}")),
        None if is_http_url(text) => Ok(Some(Remote::Http(text.to_owned()))),
        None => Ok(None),
    }
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
        if image == "scratch" {
            return Ok(NamedContext::Scratch);
        }
        return Ok(NamedContext::Image(crate::commands::reference(image)?));
    }
    if let Some(layout) = value.strip_prefix("oci-layout://") {
        return Ok(NamedContext::OciLayout(environment.absolute(Path::new(layout)).display().to_string()));
    }
    if let Some(stage) = value.strip_prefix("target:") {
        return Ok(NamedContext::Stage(stage.to_owned()));
    }
    let directory = environment.absolute(Path::new(value));
    match remote(value)? {
        Some(Remote::Git(reference)) if !directory.is_dir() => Ok(NamedContext::Git(reference)),
        Some(Remote::Http(url)) => Ok(NamedContext::Http(url)),
        _ => Ok(NamedContext::Directory(checked_directory(value, directory)?)),
    }
}

/// A directory by absolute path, if it is one; `written` is how the user called it.
fn checked_directory(written: &str, directory: PathBuf) -> Result<PathBuf, Failure> {
    let failed = |what: String| Err(Failure::Preparation(format!("unable to prepare context: {what}")));
    match std::fs::metadata(&directory) {
        Ok(metadata) if metadata.is_dir() => Ok(directory),
        Ok(_) => failed(format!("{written:?} is not a directory")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            failed(format!("path {written:?} not found"))
        }
        Err(error) => failed(format!("path {written:?}: {error}")),
    }
}

fn default_dockerfile(directory: &Path) -> DockerfileSource {
    // That there is none at all is found by whoever reads it.
    let is_there = |name: &&str| directory.join(name).is_file();
    let name = DOCKERFILE_NAMES.into_iter().find(is_there).unwrap_or(DOCKERFILE_NAMES[0]);
    DockerfileSource::File { path: directory.join(name), display: name.to_owned() }
}

fn text_of(input: impl Read + Send + 'static) -> Result<DockerfileSource, Failure> {
    match receive(input)? {
        Received::Text(text) => Ok(dockerfile_text(text)),
        Received::Archive(_) => usage("the Dockerfile on standard input is an archive"),
    }
}

fn dockerfile_text(text: Vec<u8>) -> DockerfileSource {
    DockerfileSource::Text { display: DOCKERFILE_NAMES[0].to_owned(), text }
}

fn receive(input: impl Read + Send + 'static) -> Result<Received, Failure> {
    Received::from(input).map_err(|error| Failure::because("cannot read standard input", error))
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
        assert!(matches!(named_of("docker-image://scratch"), Ok(NamedContext::Scratch)));
        assert!(matches!(named_of("target:build"), Ok(NamedContext::Stage(name)) if name == "build"));
        assert!(
            matches!(named_of("https://h/x.git#v1"), Ok(NamedContext::Git(git)) if git.reference.as_deref() == Some("v1"))
        );
        assert!(
            matches!(named_of("https://h/x.tar"), Ok(NamedContext::Http(url)) if url == "https://h/x.tar")
        );
    }

    fn main_of(file: Option<&str>, context: &str, input: &'static [u8]) -> Result<String, String> {
        let main =
            main(file, context, &Environment::of_user(&[]), input).map_err(|failure| failure.to_string())?;
        Ok(format!("{:?} {:?}", main.context, main.dockerfile))
    }

    #[test]
    fn main_contexts_have_several_forms() {
        insta::assert_snapshot!(main_of(None, "-", b"FROM a").expect("a Dockerfile"), @r#"Empty Text { display: "Dockerfile", text: [70, 82, 79, 77, 32, 97] }"#);
        insta::assert_snapshot!(main_of(Some("x/D"), "-", b"\x1f\x8b\x08...").expect("an archive"), @r#"Archive(ArchiveStream) InContext(Some("x/D"))"#);
        insta::assert_snapshot!(main_of(None, "https://h/x.tar.gz", b"").expect("a URL"), @r#"Http("https://h/x.tar.gz") InContext(None)"#);
        insta::assert_snapshot!(main_of(Some("/D"), "https://h/x.tar.gz", b"").expect("a URL"), @r#"Http("https://h/x.tar.gz") File { path: "/D", display: "/D" }"#);
        insta::assert_snapshot!(main_of(Some("https://h/D"), "/", b"").expect("a URL"), @r#"Directory("/") Url("https://h/D")"#);
        insta::assert_snapshot!(main_of(Some("-"), "https://h/x.tar.gz", b"FROM b").expect("a URL"), @r#"Http("https://h/x.tar.gz") Text { display: "Dockerfile", text: [70, 82, 79, 77, 32, 98] }"#);
        insta::assert_snapshot!(main_of(Some("x"), "-", b"FROM a").expect_err("two"), @"ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles");
        insta::assert_snapshot!(main_of(Some("-"), "-", b"FROM a").expect_err("two"), @"invalid argument: can't use stdin for both build context and dockerfile");
        insta::assert_snapshot!(main_of(None, "https://h/x.git?depth=1", b"").expect_err("no such key"), @r#"invalid context "https://h/x.git?depth=1": unexpected query "depth""#);
        insta::assert_snapshot!(main_of(None, "no/such", b"").expect_err("there is none"), @r#"failed to build: unable to prepare context: path "no/such" not found"#);
        assert!(
            main_of(None, "github.com/user/repository#main", b"").expect("a repository").starts_with("Git(")
        );
    }
}
