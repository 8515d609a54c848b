//! `builder build --call METHOD`: asks what there is to know of a Dockerfile, and builds nothing.
//!
//! Methods, output and exit codes are those of `docker buildx build --call`: text for people, BuildKit's
//! JSON with `format=json`. `format=sarif` is for programs that show findings beside the code.
//!
//! - [`check`]: the rules for Dockerfiles; `--check` is short for it
//! - [`outline`]: what a target can be given
//! - [`targets`]: what can be built
//! - [`describe`]: these methods
//! - [`json`]: what their JSON has in common
//! - [`sarif`]: the findings of the rules as SARIF

mod check;
mod describe;
mod json;
mod outline;
mod sarif;
mod targets;

use std::process::ExitCode;

use engine::{BuildError, BuildRequest, Engine, Events};
use parser::go::parse_bool;
use parser::suggest::did_you_mean;

use super::request::usage;
use crate::commands;
use crate::csv;
use crate::environment::Environment;
use crate::progress::{self, Mode};
use crate::report::Failure;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    method: Method,
    format: Format,
    /// Whether the exit code is 0 though there are warnings.
    ignore_status: bool,
}

/// What to do instead of building.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Check,
    Outline,
    Targets,
    Describe,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Sarif,
}

/// The names of methods; none for a build as usual. `lint` is what BuildKit calls the checks.
const METHODS: [(&str, Option<Method>); 6] = [
    ("build", None),
    ("check", Some(Method::Check)),
    ("outline", Some(Method::Outline)),
    ("targets", Some(Method::Targets)),
    ("subrequests.describe", Some(Method::Describe)),
    ("lint", Some(Method::Check)),
];
const FORMATS: [(&str, Format); 3] =
    [("text", Format::Text), ("json", Format::Json), ("sarif", Format::Sarif)];

impl Call {
    /// Reads `METHOD[,format=FORMAT][,ignorestatus[=BOOLEAN]]`; none where that is to build.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Failure> {
        let mut name = None;
        let (mut format, mut ignore_status) = (Format::Text, false);
        let fields =
            csv::fields(text).map_err(|error| Failure::Usage(format!("invalid --call {text:?}: {error}")))?;
        for field in fields {
            match field.split_once('=') {
                None if field == "ignorestatus" => ignore_status = true,
                None if name.is_none() => name = Some(field),
                None => return usage(format!("invalid --call {text:?}: more than one method")),
                Some(("format", value)) => format = choose("format", value, &FORMATS)?,
                Some(("ignorestatus", value)) => {
                    let invalid = || Failure::Usage(format!("invalid ignorestatus {value:?}: not a boolean"));
                    ignore_status = parse_bool(value).ok_or_else(invalid)?;
                }
                Some((key, _)) => {
                    let help = did_you_mean(key, ["format", "ignorestatus"]);
                    return usage(format!("invalid --call {text:?}: unknown key {key:?}{}", bracketed(help)));
                }
            }
        }
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "build".to_owned());
        let Some(method) = choose("method", &name, &METHODS)? else { return Ok(None) };
        if format == Format::Sarif && method != Method::Check {
            return usage("format=sarif is for --call=check only");
        }
        Ok(Some(Self { method, format, ignore_status }))
    }

    /// Answers on standard output.
    pub(super) fn run(
        self,
        engine: &Engine,
        request: BuildRequest,
        environment: &Environment,
    ) -> Result<ExitCode, Failure> {
        let is_json = self.format == Format::Json;
        let text = match self.method {
            Method::Check => return check::run(self, engine, request, environment),
            Method::Outline => {
                let outlined = ask(environment, async |events| engine.outline(request, events).await)?;
                if is_json { outline::json(&outlined) } else { outline::text(&outlined.outline) }
            }
            Method::Targets => {
                let targets = ask(environment, async |events| engine.targets(request, events).await)?;
                if is_json { targets::json(&targets) } else { targets::text(&targets) }
            }
            Method::Describe if is_json => describe::json(),
            Method::Describe => describe::text(),
        };
        commands::print(&text)
    }
}

/// Waits for an answer. What is loaded for it is not worth a line.
fn ask<T>(
    environment: &Environment,
    question: impl AsyncFnOnce(&Events) -> Result<T, BuildError>,
) -> Result<T, Failure> {
    let answering = progress::show(Mode::None, environment, async |events| Ok(question(events).await?));
    commands::runtime()?.block_on(answering)
}

fn choose<T: Copy>(what: &str, name: &str, choices: &[(&str, T)]) -> Result<T, Failure> {
    if let Some((_, choice)) = choices.iter().find(|(known, _)| *known == name) {
        return Ok(*choice);
    }
    let help = did_you_mean(name, choices.iter().map(|(known, _)| *known));
    usage(format!("unknown {what} {name:?} for --call{}", bracketed(help)))
}

fn bracketed(help: Option<String>) -> String {
    help.map(|help| format!(" ({help})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Call> {
        Call::parse(text).expect("this means something")
    }

    #[test]
    fn methods_have_a_format() {
        let call = |method, format, ignore_status| Some(Call { method, format, ignore_status });
        assert_eq!(parsed("check"), call(Method::Check, Format::Text, false));
        assert_eq!(parsed("lint,format=json"), call(Method::Check, Format::Json, false));
        assert_eq!(parsed("format=sarif,check,ignorestatus"), call(Method::Check, Format::Sarif, true));
        assert_eq!(parsed("outline,format=text,ignorestatus=0"), call(Method::Outline, Format::Text, false));
        assert_eq!(parsed("subrequests.describe"), call(Method::Describe, Format::Text, false));
        assert_eq!(parsed("build"), None);
        assert_eq!(parsed(""), None);
    }

    #[test]
    fn mistakes_are_named() {
        let refused = |text: &str| Call::parse(text).expect_err("this is a mistake").to_string();
        insta::assert_snapshot!(refused("chek"), @r#"unknown method "chek" for --call (did you mean check?)"#);
        insta::assert_snapshot!(refused("nonsense"), @r#"unknown method "nonsense" for --call"#);
        insta::assert_snapshot!(refused("check,format=jsn"), @r#"unknown format "jsn" for --call (did you mean json?)"#);
        insta::assert_snapshot!(refused("check,fromat=json"), @r#"invalid --call "check,fromat=json": unknown key "fromat" (did you mean format?)"#);
        insta::assert_snapshot!(refused("check,outline"), @r#"invalid --call "check,outline": more than one method"#);
        insta::assert_snapshot!(refused("check,ignorestatus=maybe"), @r#"invalid ignorestatus "maybe": not a boolean"#);
        insta::assert_snapshot!(refused("targets,format=sarif"), @"format=sarif is for --call=check only");
    }
}
