//! The corpus in `testdata/planner`: a Dockerfile in, the dump of its plan out.
//!
//! `NAME.dockerfile` is planned with fake pins and compared with `NAME.plan`. Comments
//! `# options: …` anywhere in the file are flags of the build; `--ignore=A,B` stands for the
//! lines of the ignore file.
//!
//! To rewrite plans after a wanted change, delete them and run the test once: it writes those that
//! are missing, and fails, so that they are looked at.

use std::fs;
use std::path::{Path, PathBuf};

use graph::exec::NetworkMode;
use image::Platform;
use parser::LineIndex;

use super::plan_with_fake_pins;
use crate::context::NamedContext;
use crate::remote::GitReference;
use crate::{Entitlement, MainContext, PlanOptions, StageSelection, dump};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/planner")
}

#[test]
fn plans_are_as_expected() {
    let mut dockerfiles: Vec<PathBuf> = fs::read_dir(corpus())
        .expect("the corpus is a folder of this repository")
        .map(|entry| entry.expect("its entries can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "dockerfile"))
        .collect();
    dockerfiles.sort();
    assert!(!dockerfiles.is_empty(), "no corpus in {}", corpus().display());
    let mut wrong = Vec::new();
    for path in dockerfiles {
        let plan = planned(&fs::read_to_string(&path).unwrap());
        let expected = path.with_extension("plan");
        match fs::read_to_string(&expected) {
            Ok(expected) if expected == plan => {}
            Ok(_) => wrong.push(format!("{} is planned as\n{plan}", path.display())),
            Err(_) => {
                fs::write(&expected, plan).unwrap();
                wrong.push(format!("{} was missing and is written", expected.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/parser");
    let mut planned = 0;
    for entry in fs::read_dir(folder).expect("the parser's corpus is a folder of this repository") {
        let path = entry.expect("its entries can be read").path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let parsed = parser::parse(&text);
        if path.extension().is_none_or(|extension| extension != "dockerfile")
            || parsed.diagnostics.iter().any(parser::Diagnostic::is_error)
        {
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
