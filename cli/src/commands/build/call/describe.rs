//! `--call=subrequests.describe`: what can be called.

use serde::Serialize;

use super::json;
use crate::table;

/// What BuildKit's names of methods begin with; on the command line they are without it.
const PREFIX: &str = "frontend.";
/// The form of what the methods answer.
const VERSION: &str = "1.0.0";

/// A method as JSON.
#[derive(Debug, Serialize)]
struct Request {
    name: String,
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    description: &'static str,
    opts: Vec<Named>,
    inputs: Vec<Named>,
    metadata: Vec<Named>,
    refs: Vec<Named>,
}

#[derive(Debug, Serialize)]
struct Named {
    name: &'static str,
    description: &'static str,
}

struct Method {
    name: &'static str,
    description: &'static str,
    options: &'static [(&'static str, &'static str)],
    results: &'static [&'static str],
}

const METHODS: [Method; 4] = [
    Method {
        name: "lint",
        description: "Check a Dockerfile by the rules for Dockerfiles",
        options: &[],
        results: &["result.json", "result.txt", "result.statuscode"],
    },
    Method {
        name: "outline",
        description: "List what the target can be given",
        options: &[("target", "Stage to build")],
        results: &["result.json", "result.txt"],
    },
    Method {
        name: "targets",
        description: "List the stages that can be built",
        options: &[],
        results: &["result.json", "result.txt"],
    },
    Method {
        name: "subrequests.describe",
        description: "List what can be called",
        options: &[],
        results: &["result.json", "result.txt"],
    },
];

pub(super) fn json() -> String {
    let request = |method: &Method| Request {
        name: format!("{PREFIX}{}", method.name),
        version: VERSION,
        kind: "rpc",
        description: method.description,
        opts: method.options.iter().map(|&(name, description)| Named { name, description }).collect(),
        inputs: Vec::new(),
        metadata: method.results.iter().map(|&name| Named { name, description: "" }).collect(),
        refs: Vec::new(),
    };
    json::pretty(&METHODS.iter().map(request).collect::<Vec<_>>())
}

pub(super) fn text() -> String {
    let row = |method: &Method| [method.name, VERSION, method.description].map(str::to_owned);
    table::columns(["NAME", "VERSION", "DESCRIPTION"], &METHODS.iter().map(row).collect::<Vec<_>>(), 1)
}
