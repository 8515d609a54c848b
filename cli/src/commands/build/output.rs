//! `--output`: where the result of a build goes.

use std::io::IsTerminal;
use std::path::Path;

use engine::request::{Destination, Export};

use super::request::usage;
use crate::csv;
use crate::environment::Environment;
use crate::report::Failure;

/// One `--output`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// Where the result goes; an image can go to two places at once.
    pub(super) exports: Vec<Export>,
    /// Names that it gives the image.
    pub(super) names: Vec<String>,
}

/// The options of an output before its type gives them a meaning.
#[derive(Default)]
struct Options {
    kind: String,
    destination: Option<String>,
    names: Vec<String>,
    push: bool,
    tar: bool,
}

/// Reads an output: `-`, a directory, or options in the form of CSV.
pub(super) fn parse(text: &str, environment: &Environment) -> Result<Output, Failure> {
    // As in buildx: a text without options is the place, and what it is follows from its form.
    if text == "-" {
        return Ok(Output { exports: vec![Export::Tar(Destination::Stdout)], names: Vec::new() });
    }
    if !text.contains('=') {
        let directory = environment.absolute(Path::new(text));
        return Ok(Output { exports: vec![Export::Local(directory)], names: Vec::new() });
    }
    let options = Options::parse(text)?;
    let exports = options.exports(environment)?;
    Ok(Output { exports, names: options.names })
}

impl Options {
    fn parse(text: &str) -> Result<Options, Failure> {
        let pairs =
            csv::pairs(text).map_err(|error| Failure::Usage(format!("invalid output {text:?}: {error}")))?;
        let mut options = Options { tar: true, ..Options::default() };
        for (key, value) in pairs {
            match key.as_str() {
                "type" => options.kind = value,
                "dest" => options.destination = Some(value),
                "name" => {
                    let names = value.split(',').filter(|name| !name.is_empty());
                    options.names = names.map(str::to_owned).collect();
                }
                "push" => options.push = boolean(&key, &value)?,
                "tar" => options.tar = boolean(&key, &value)?,
                _ => return usage(format!("output option {key:?} is not supported")),
            }
        }
        if options.kind.is_empty() {
            return usage(format!("invalid output {text:?}: type is required for output"));
        }
        Ok(options)
    }

    fn exports(&self, environment: &Environment) -> Result<Vec<Export>, Failure> {
        let path = |text: &str| environment.absolute(Path::new(text));
        let archive = match self.destination.as_deref() {
            None | Some("-") => Destination::Stdout,
            Some(text) => Destination::File(path(text)),
        };
        let allowed_push = self.kind == "image";
        if self.push && !allowed_push {
            return usage(format!("output option \"push\" has no meaning for type {:?}", self.kind));
        }
        let export = match (self.kind.as_str(), self.destination.as_deref()) {
            ("image", None) if self.push => return Ok(vec![Export::Store, Export::Registry]),
            ("image" | "docker", None) => Export::Store,
            ("registry", None) => Export::Registry,
            ("cacheonly", None) => Export::CacheOnly,
            ("image" | "registry" | "cacheonly", Some(_)) => {
                return usage(format!("output of type {:?} takes no destination", self.kind));
            }
            ("docker", Some(_)) => Export::Docker(archive),
            ("oci", Some(directory)) if !self.tar && directory != "-" => {
                Export::OciDirectory(path(directory))
            }
            ("oci", _) if self.tar => Export::Oci(archive),
            ("oci", _) => return usage("output of type \"oci\" with tar=false needs a directory as dest"),
            ("tar", _) => Export::Tar(archive),
            ("local", Some(directory)) if directory != "-" => Export::Local(path(directory)),
            ("local", _) => return usage("output directory is required for local exporter"),
            (other, _) => return usage(format!("exporter {other:?} could not be found")),
        };
        Ok(vec![export])
    }
}

/// Refuses two archives on one standard output, and an archive on a terminal.
pub(super) fn check_standard_output(exports: &[Export]) -> Result<(), Failure> {
    let to_standard_output = |export: &Export| match export {
        Export::Oci(Destination::Stdout) => Some("oci"),
        Export::Docker(Destination::Stdout) => Some("docker"),
        Export::Tar(Destination::Stdout) => Some("tar"),
        _ => None,
    };
    let mut kinds = exports.iter().filter_map(to_standard_output);
    let Some(kind) = kinds.next() else { return Ok(()) };
    if kinds.next().is_some() {
        return usage("only one output can go to standard output");
    }
    if std::io::stdout().is_terminal() {
        return usage(format!("dest file is required for {kind} exporter. refusing to write to console"));
    }
    Ok(())
}

fn boolean(key: &str, value: &str) -> Result<bool, Failure> {
    let wrong = || Failure::Usage(format!("output option {key:?} is true or false, not {value:?}"));
    parser::go::parse_bool(value).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exports(text: &str) -> Result<Vec<Export>, String> {
        parse(text, &Environment::of_user(&[]))
            .map(|output| output.exports)
            .map_err(|failure| failure.to_string())
    }

    fn file(path: &str) -> Destination {
        Destination::File(Path::new("/work").join(path))
    }

    #[test]
    fn every_type_has_its_export() {
        let cases = [
            ("-", vec![Export::Tar(Destination::Stdout)]),
            ("a,b", vec![Export::Local("/work/a,b".into())]),
            ("type=local,\"dest=a,b\"", vec![Export::Local("/work/a,b".into())]),
            ("type=image", vec![Export::Store]),
            ("type=image,push=true", vec![Export::Store, Export::Registry]),
            ("type=docker", vec![Export::Store]),
            ("type=docker,dest=/a.tar", vec![Export::Docker(file("/a.tar"))]),
            ("type=oci,dest=a.tar", vec![Export::Oci(file("a.tar"))]),
            ("type=oci,dest=a,tar=false", vec![Export::OciDirectory("/work/a".into())]),
            ("type=tar", vec![Export::Tar(Destination::Stdout)]),
            ("type=cacheonly", vec![Export::CacheOnly]),
            ("type=registry", vec![Export::Registry]),
        ];
        for (text, expected) in cases {
            assert_eq!(exports(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_output_names_images() {
        let output = parse("type=image,\"name=a,b:1\"", &Environment::of_user(&[])).expect("right");
        assert_eq!(output.names, ["a", "b:1"]);
    }

    #[test]
    fn mistakes_are_named() {
        let mistakes = [
            "dest=a",
            "type=zip,dest=a",
            "type=local",
            "type=oci,tar=perhaps",
            "type=oci,tar=false",
            "type=image,dest=a",
            "type=tar,push=true",
            "type=oci,compression=zstd",
            "type=local,\"dest=a",
        ];
        let messages: Vec<String> = mistakes
            .iter()
            .map(|text| format!("{text}\n    {}", exports(text).expect_err("a mistake")))
            .collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        dest=a
            invalid output "dest=a": type is required for output
        type=zip,dest=a
            exporter "zip" could not be found
        type=local
            output directory is required for local exporter
        type=oci,tar=perhaps
            output option "tar" is true or false, not "perhaps"
        type=oci,tar=false
            output of type "oci" with tar=false needs a directory as dest
        type=image,dest=a
            output of type "image" takes no destination
        type=tar,push=true
            output option "push" has no meaning for type "tar"
        type=oci,compression=zstd
            output option "compression" is not supported
        type=local,"dest=a
            invalid output "type=local,\"dest=a": a quoted field does not end in a quote before the comma
        "#);
    }
}
