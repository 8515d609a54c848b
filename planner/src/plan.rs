//! [`plan()`]: from the syntax tree to the plan, or to the names that are missing for it.
//!
//! Planning a Dockerfile for a platform goes through these steps:
//!
//! 1. `scope` gives the global arguments their values, which decide what FROM lines say.
//! 2. `stages` finds out what every stage is based on and which stages it copies from, and
//!    from that which stages the target needs.
//! 3. `external` looks up the images and contexts of those stages. What has no pin yet is
//!    asked for, all at once; base images bring triggers (`ONBUILD`), which can need more.
//! 4. `lower` folds the instructions of each stage over its state, which adds vertices to
//!    the graph and entries to the image config.

use std::collections::{BTreeSet, HashSet};

use graph::{Graph, Name, Pins, VertexId};
use image::{Digest, ImageConfig, Platform};
use indexmap::IndexSet;
use parser::{Dockerfile, Span};

use crate::environment::Environment;
use crate::epoch;
use crate::error::{Fault, PlanError, Problem};
use crate::lint::{self, Linter, LocalSource, Remark};
use crate::lower::{self, StageState};
use crate::options::PlanOptions;
use crate::scope::GlobalScope;
use crate::stages::{StageId, StageTable};
use crate::steps::Steps;

/// What comes of planning.
#[derive(Clone, Debug)]
pub enum Planned {
    /// Names have to be pinned first.
    Needs(Needs),
    /// The plan.
    Ready(Box<Plan>),
}

/// What has to be pinned before there can be a plan: plan again with the pins added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The names.
    pub names: Vec<Name>,
    /// The warnings of the lint rules until then, for a report of names that cannot be resolved. A
    /// later plan has them too.
    pub warnings: Vec<Remark>,
}

/// What a build does and what comes of it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// All steps.
    pub graph: Graph,
    /// One result for each platform, in the order in which they were asked for.
    pub targets: Vec<Target>,
    /// What users see of the vertices.
    pub steps: Steps,
    /// The warnings of the lint rules, in the order of the text.
    pub warnings: Vec<Remark>,
    /// Their notes.
    pub notes: Vec<Remark>,
    /// The sources of COPY and ADD in the main context, for the rules that look at files.
    pub local_sources: Vec<LocalSource>,
    /// Vertices that run even if their results are known (`--no-cache-filter`).
    pub uncached: BTreeSet<VertexId>,
    /// The time of everything that is made, in seconds since 1970, if `SOURCE_DATE_EPOCH` gives it.
    pub source_date_epoch: Option<i64>,
}

impl Plan {
    /// The vertices whose results are wanted.
    pub fn roots(&self) -> impl Iterator<Item = VertexId> {
        self.targets.iter().map(|target| target.rootfs)
    }
}

/// One image that the build makes.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it was asked to be for.
    pub platform: Platform,
    /// The vertex whose result is its root filesystem.
    pub rootfs: VertexId,
    /// Its config. The diff ids are those of the base; entries of `history` that are new have no
    /// time yet.
    pub config: ImageConfig,
    /// The layers on top of the base's, lowest first.
    pub layers: Vec<LayerOrigin>,
    /// The image that it is built on; none on `scratch` and on contexts that are no images.
    pub base: Option<BaseImage>,
}

/// Where a layer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerOrigin {
    /// The vertex whose result has the layer on top.
    pub vertex: VertexId,
    /// The layer's entry in the history of the config.
    pub history: usize,
}

/// An image that a target is built on.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseImage {
    /// The name as the pins have it.
    pub name: graph::name::ImageName,
    /// What it was resolved to; none for an image of the local store only.
    pub resolved: Option<Digest>,
    /// Its own config.
    pub config: ImageConfig,
}

/// Plans the build of a Dockerfile that was parsed without errors.
///
/// It is called again and again, with more pins each time, until the plan is ready. Each call asks
/// for all names that can be known by then: the file behind `SOURCE_DATE_EPOCH`; then images and
/// sources that depend on no variable; then what triggers of base images name; then sources with
/// variables.
pub fn plan(dockerfile: &Dockerfile, options: &PlanOptions, pins: &Pins) -> Result<Planned, PlanError> {
    let mut planner = Planner::new(dockerfile, options, pins)?;
    let targets = planner.targets();
    planner.finish(targets)
}

/// Looks at the stages that the first platform needs, without any pins.
pub(crate) fn survey<T>(
    dockerfile: &Dockerfile,
    options: &PlanOptions,
    look: impl Fn(&Planner<'_>, &StageTable<'_>, &Environment, (StageId, BTreeSet<StageId>)) -> T,
) -> Result<T, PlanError> {
    let pins = Pins::default();
    let mut planner = Planner::new(dockerfile, options, &pins)?;
    match planner.surveyed(look) {
        Some(found) => Ok(found),
        None => Err(PlanError { problems: planner.problems, warnings: planner.linter.warnings() }),
    }
}

/// A plan in the making.
#[derive(Debug)]
pub(crate) struct Planner<'a> {
    pub(crate) dockerfile: &'a Dockerfile,
    pub(crate) options: &'a PlanOptions,
    pub(crate) pins: &'a Pins,
    pub(crate) graph: Graph,
    pub(crate) steps: Steps,
    pub(crate) uncached: BTreeSet<VertexId>,
    pub(crate) linter: Linter,
    pub(crate) local_sources: IndexSet<LocalSource>,
    problems: Vec<Problem>,
    /// Where something was reported, and what.
    reported: HashSet<(Option<Span>, String)>,
    needs: IndexSet<Name>,
    source_date_epoch: Option<i64>,
}

impl<'a> Planner<'a> {
    fn new(dockerfile: &'a Dockerfile, options: &'a PlanOptions, pins: &'a Pins) -> Result<Self, PlanError> {
        let check = match lint::options::of_file(dockerfile, &options.build_args) {
            Ok(check) => check,
            Err(problem) => return Err(PlanError { problems: vec![*problem], warnings: Vec::new() }),
        };
        Ok(Self {
            dockerfile,
            options,
            pins,
            graph: Graph::default(),
            steps: Steps::default(),
            uncached: BTreeSet::new(),
            linter: Linter::new(check),
            local_sources: IndexSet::new(),
            problems: Vec::new(),
            reported: HashSet::new(),
            needs: IndexSet::new(),
            source_date_epoch: None,
        })
    }

    fn surveyed<T>(
        &mut self,
        look: impl Fn(&Self, &StageTable<'a>, &Environment, (StageId, BTreeSet<StageId>)) -> T,
    ) -> Option<T> {
        if self.dockerfile.stages.is_empty() {
            self.report(Problem::of_options(Fault::NoStages));
        }
        let platform = self.options.platforms().into_iter().next()?;
        let scope = match GlobalScope::new(self.dockerfile, self.options, &platform) {
            Ok(scope) => scope,
            Err(error) => {
                self.report(Problem::at(error.span, error.into()));
                return None;
            }
        };
        let table = StageTable::read(self, &scope, &platform)?;
        let target = table.find_target(self)?;
        let needed = table.check_for_cycles(self).then(|| table.needed_by(target))?;
        Some(look(self, &table, &scope.values, (target, needed)))
    }

    /// Remembers what is wrong. Every platform finds the same mistakes; each counts once.
    pub(crate) fn report(&mut self, problem: Problem) {
        if self.reported.insert((problem.span, problem.fault.to_string())) {
            self.problems.push(problem);
        }
    }

    /// Asks for a name to be pinned.
    pub(crate) fn need(&mut self, name: Name) {
        self.needs.insert(name);
    }

    fn targets(&mut self) -> Vec<Target> {
        if self.dockerfile.stages.is_empty() {
            self.report(Problem::of_options(Fault::NoStages));
            return Vec::new();
        }
        lint::check_text(&mut self.linter, self.dockerfile);
        self.options.platforms().iter().filter_map(|platform| self.target(platform)).collect()
    }

    fn finish(self, targets: Vec<Target>) -> Result<Planned, PlanError> {
        let mut problems = self.problems;
        if problems.is_empty() && !self.needs.is_empty() {
            let names = self.needs.into_iter().collect();
            return Ok(Planned::Needs(Needs { names, warnings: self.linter.warnings() }));
        }
        if problems.is_empty()
            && let Some(rules) = self.linter.violations()
        {
            problems.push(Problem::of_options(Fault::Lint(rules)));
        }
        let warnings = self.linter.warnings();
        if !problems.is_empty() {
            return Err(PlanError { problems, warnings });
        }
        Ok(Planned::Ready(Box::new(Plan {
            graph: self.graph,
            targets,
            steps: self.steps,
            warnings,
            notes: self.linter.notes(),
            local_sources: self.local_sources.into_iter().collect(),
            uncached: self.uncached,
            source_date_epoch: self.source_date_epoch,
        })))
    }

    /// The target for one platform; `None` if something is wrong or has to be pinned first.
    fn target(&mut self, platform: &Platform) -> Option<Target> {
        let scope = self.global_scope(platform)?;
        let mut table = StageTable::read(self, &scope, platform)?;
        let target = table.find_target(self)?;
        if !table.check_for_cycles(self) {
            return None;
        }
        let needed = table.resolve(self, target)?;
        let states = lower::stages(self, &table, &scope, &needed)?;
        Some(self.finished(states.into_iter().nth(target.0)??, platform))
    }

    fn global_scope(&mut self, platform: &Platform) -> Option<GlobalScope> {
        // With the defaults alone the file should make sense too.
        if let Ok(defaults) = GlobalScope::with_defaults_only(self.dockerfile, self.options, platform) {
            lint::invalid_default_arg_in_from::check(&mut self.linter, self.dockerfile, &defaults.values);
        }
        let scope = match GlobalScope::new(self.dockerfile, self.options, platform) {
            Ok(scope) => scope,
            Err(error) => {
                let args = &self.dockerfile.global_args;
                let around = args.iter().map(|arg| arg.span).find(|span| span.to(error.span) == *span);
                self.report(Problem::at(around.unwrap_or(error.span), error.into()));
                return None;
            }
        };
        match epoch::resolve(self, scope) {
            Ok((scope, epoch)) => {
                self.source_date_epoch = epoch;
                scope
            }
            Err(problem) => {
                self.report(*problem);
                None
            }
        }
    }

    /// What the state of the target stage is as an image for that platform.
    fn finished(&self, state: StageState, platform: &Platform) -> Target {
        let (mut config, layers, base) = (state.config, state.layers, state.base);
        config.config.env = state.listed.into_entries();
        config.config.labels.extend(self.options.labels.clone());
        if !self.options.target_platforms.is_empty() {
            let same = config.os == platform.os && config.architecture == platform.architecture;
            config.os.clone_from(&platform.os);
            config.architecture.clone_from(&platform.architecture);
            if platform.variant.is_some() || !same {
                config.variant.clone_from(&platform.variant);
            }
            if platform.os_version.is_some() || !same {
                config.os_version.clone_from(&platform.os_version);
            }
        }
        let normalised = config.platform();
        (config.os, config.architecture, config.variant) =
            (normalised.os, normalised.architecture, normalised.variant);
        Target { platform: platform.clone(), rootfs: state.rootfs, config, layers, base }
    }
}
