//! What users see of a vertex: the instruction that it came from.
//!
//! The graph knows no labels and no source positions, since they must not count for the identity of
//! a step. They are kept here, beside it.

use std::fmt::Write as _;

use graph::VertexId;
use image::Platform;
use indexmap::IndexMap;
use parser::Span;

use crate::environment::Environment;

/// The instructions behind the vertices of a plan.
///
/// One vertex can serve several instructions: equal steps of two stages, or of two platforms, are
/// one vertex.
#[derive(Clone, Debug, Default)]
pub struct Steps(IndexMap<VertexId, Vec<Step>>);

/// An instruction that a vertex came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is shown while it runs: `[build 2/4] RUN make`.
    pub label: String,
    /// The instruction; none for contexts, which no instruction alone asks for.
    pub span: Option<Span>,
    /// Where in the Dockerfile it is.
    pub position: Position,
    /// What SHELL says there; empty if it does not, and outside of stages.
    pub shell: Vec<String>,
}

/// A place in the Dockerfile that stays the same from build to build: what an earlier record of the
/// same step is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The stage's name, `stage-N` for one without, and nothing for what is outside of stages.
    pub stage: String,
    /// The number of the instruction in its stage; FROM is 0, triggers of the base come next.
    pub ordinal: usize,
    /// What it is built for.
    pub platform: Platform,
}

impl Steps {
    /// The steps that a vertex serves, in the order of planning; empty for vertices that users do
    /// not see, such as the empty tree.
    pub fn of(&self, vertex: VertexId) -> &[Step] {
        self.0.get(&vertex).map(Vec::as_slice).unwrap_or_default()
    }

    /// All of them, in the order of planning.
    pub fn iter(&self) -> impl Iterator<Item = (VertexId, &[Step])> {
        self.0.iter().map(|(vertex, steps)| (*vertex, steps.as_slice()))
    }

    pub(crate) fn insert(&mut self, vertex: VertexId, step: Step) {
        let steps = self.0.entry(vertex).or_default();
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
}

/// Makes the labels of a stage's steps: `[linux/arm64 build 2/4] ONBUILD RUN make`.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    /// The platform, if it is told.
    pub(crate) platform: Option<Platform>,
    /// The stage, empty if there is only one.
    pub(crate) stage: String,
    /// How many steps there are.
    pub(crate) total: usize,
    /// How many of them have a label.
    pub(crate) used: usize,
}

impl Labels {
    /// The label of the next step.
    pub(crate) fn next(&mut self, text: &str, is_trigger: bool, environment: &Environment) -> String {
        let text = with_upper_case_keyword(text);
        if self.total == 0 {
            return text;
        }
        self.used += 1;
        let mut label = "[".to_owned();
        if let Some(platform) = &self.platform {
            label.push_str(&platform.to_string());
            label.push_str(&crossing(platform, environment));
            label.push(' ');
        }
        if !self.stage.is_empty() {
            label.push_str(&self.stage);
            label.push(' ');
        }
        let width = self.total.to_string().len();
        let trigger = if is_trigger { "ONBUILD " } else { "" };
        let _ = write!(label, "{:>width$}/{}] {trigger}{text}", self.used, self.total);
        label
    }
}

fn with_upper_case_keyword(text: &str) -> String {
    match text.split_once(' ') {
        Some((keyword, rest)) => format!("{} {rest}", keyword.to_uppercase()),
        None => text.to_uppercase(),
    }
}

/// `->arm64` for a stage of one platform that knows it makes something for another one, because it
/// declares `TARGETPLATFORM` or one of its parts.
fn crossing(platform: &Platform, environment: &Environment) -> String {
    let part = |name| environment.get(name).filter(|value| !value.is_empty());
    let whole = part("TARGETPLATFORM").and_then(|text| text.parse::<Platform>().ok());
    let target = whole.unwrap_or_else(|| {
        let os = part("TARGETOS").unwrap_or(&platform.os);
        let architecture = part("TARGETARCH").unwrap_or(&platform.architecture);
        Platform::new(os, architecture, part("TARGETVARIANT"))
    });
    if target.os != platform.os {
        return format!("->{target}");
    }
    if target.architecture == platform.architecture {
        return String::new();
    }
    match &target.variant {
        Some(variant) => format!("->{}/{variant}", target.architecture),
        None => format!("->{}", target.architecture),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(platform: Option<&str>, stage: &str, total: usize) -> Labels {
        let platform = platform.map(|text| text.parse().unwrap());
        Labels { platform, stage: stage.to_owned(), total, used: 0 }
    }

    #[test]
    fn labels_count() {
        let mut labels = labels(None, "build", 12);
        let environment = Environment::default();
        assert_eq!(labels.next("run make", false, &environment), "[build  1/12] RUN make");
        assert_eq!(labels.next("COPY . .", true, &environment), "[build  2/12] ONBUILD COPY . .");
    }

    #[test]
    fn labels_tell_the_platform_of_several() {
        let mut labels = labels(Some("linux/amd64"), "", 2);
        let mut environment = Environment::default();
        assert_eq!(labels.next("RUN a", false, &environment), "[linux/amd64 1/2] RUN a");
        environment.set("TARGETARCH", "arm64");
        assert_eq!(labels.next("RUN b", false, &environment), "[linux/amd64->arm64 2/2] RUN b");
    }

    #[test]
    fn what_is_outside_of_stages_has_no_number() {
        assert_eq!(labels(None, "", 0).next("FROM x", false, &Environment::default()), "FROM x");
    }
}
