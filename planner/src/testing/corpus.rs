//! The corpus in `testdata/planner`: a Dockerfile in, the dump of its plan out.
//!
//! `NAME.dockerfile` is planned with fake pins and compared with `NAME.plan`. Comments
//! `# options: …` anywhere in the file are flags of the build; `--ignore=A,B` stands for the
//! lines of the ignore file.

use std::fs;

use graph::exec::NetworkMode;
use image::Platform;
use parser::LineIndex;

use super::plan_with_fake_pins;
use crate::context::NamedContext;
use crate::remote::GitReference;
use crate::{Entitlement, MainContext, PlanOptions, StageSelection, dump};

#[path = "../../../testdata/corpus.rs"]
mod files;

#[test]
fn plans_are_as_expected() {
    files::compare(&files::files("planner", "dockerfile"), "plan", planned);
}

fn planned(text: &str) -> String {
    let lines = LineIndex::new(text);
    let (rounds, result) = plan_with_fake_pins(&super::parse(text), &options(text));
    let rounds = rounds.iter().fold(String::new(), |text, names| text + &dump::names(names) + "\n");
    match result {
        Ok(plan) => rounds + &dump::plan(&plan, &lines),
        Err(error) => {
            rounds + &dump::problems(&error.problems, &lines) + &dump::warnings(&error.warnings, &lines)
        }
    }
}

fn options(text: &str) -> PlanOptions {
    let mut options = super::options();
    for flag in
        text.lines().filter_map(|line| line.strip_prefix("# options: ")).flat_map(str::split_whitespace)
    {
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        match name {
            "--target" => options.target = Some(value.to_owned()),
            "--platform" => {
                let platform = |text: &str| text.parse::<Platform>().expect("a platform");
                options.target_platforms = value.split(',').map(platform).collect();
            }
            "--build-arg" => {
                let (name, value) = value.split_once('=').expect("NAME=VALUE");
                options.build_args.insert(name.to_owned(), value.to_owned());
            }
            "--label" => {
                let (name, value) = value.split_once('=').expect("NAME=VALUE");
                options.labels.insert(name.to_owned(), value.to_owned());
            }
            "--build-context" => {
                let (name, value) = value.split_once('=').expect("NAME=VALUE");
                options.contexts.insert(name, context(value)).expect("a name of a context");
            }
            "--all-stages" => options.stages = StageSelection::All,
            "--no-cache-filter" => options.uncached_stages.push(value.to_owned()),
            "--network" => {
                options.network = if value == "host" { NetworkMode::Host } else { NetworkMode::None }
            }
            "--allow" if value == "network.host" => options.allowed.push(Entitlement::NetworkHost),
            "--allow" => options.allowed.push(Entitlement::SecurityInsecure),
            "--empty-context" => options.main_context = MainContext::Empty,
            "--ignore" => {
                options.ignore = Some(crate::lint::testing::ignore_rules(&value.replace(',', "\n")));
            }
            "--add-host" => options.extra_hosts.push(value.to_owned()),
            _ => panic!("the corpus knows no flag {name}"),
        }
    }
    options
}

fn context(value: &str) -> NamedContext {
    if let Some(image) = value.strip_prefix("docker-image://") {
        NamedContext::Image(image.parse().expect("a reference"))
    } else if let Some(path) = value.strip_prefix("oci-layout://") {
        NamedContext::OciLayout(path.to_owned())
    } else if let Some(git) = GitReference::parse(value) {
        NamedContext::Git(git.expect("a git reference"))
    } else if crate::remote::is_http_url(value) {
        NamedContext::Http(value.to_owned())
    } else if let Some(stage) = value.strip_prefix("target:") {
        NamedContext::Stage(stage.to_owned())
    } else {
        NamedContext::Directory
    }
}

#[test]
fn whatever_parses_can_be_planned() {
    let mut planned = 0;
    for path in files::files("parser", "dockerfile") {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let parsed = parser::parse(&text);
        if parsed.diagnostics.iter().any(parser::Diagnostic::is_error) {
            continue;
        }
        planned += 1;
        if let Err(error) = plan_with_fake_pins(&parsed.dockerfile, &super::options()).1 {
            for problem in &error.problems {
                let spans = problem.span.iter().chain(&problem.focus);
                assert!(
                    spans.into_iter().all(|span| text.get(span.range()).is_some()),
                    "{path:?}: {problem:?}"
                );
            }
        }
    }
    assert!(planned > 0, "no file of the parser's corpus parses");
}
