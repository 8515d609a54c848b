//! The corpus in `testdata/planner`: a Dockerfile in, the dump of its plan out.
//!
//! `NAME.dockerfile` is planned with fake pins and compared with `NAME.plan`. Comments
//! `# options: …` anywhere in the file are flags of the build. Where the two differ, what was found
//! is written to `NAME.plan.new`: look at it, and rename it if it is right.

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
    let mut names: Vec<PathBuf> = std::fs::read_dir(corpus())
        .expect("the corpus")
        .map(|entry| entry.expect("an entry of the corpus").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "dockerfile"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "the corpus is empty");
    let mut wrong = Vec::new();
    for path in names {
        let text = std::fs::read_to_string(&path).expect("a Dockerfile");
        let found = planned(&text);
        let expected = path.with_extension("plan");
        let new = path.with_extension("plan.new");
        if std::fs::read_to_string(&expected).is_ok_and(|expected| expected == found) {
            _ = std::fs::remove_file(new);
        } else {
            std::fs::write(&new, found).expect("the corpus is writable");
            wrong.push(new);
        }
    }
    assert!(wrong.is_empty(), "other plans than expected: {wrong:#?}");
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
    } else {
        NamedContext::Directory
    }
}
