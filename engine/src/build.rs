//! The story of a build, from the request to the images.

use std::collections::HashMap;
use std::sync::Arc;

use executor::{Ending, ExecuteError, FailedStep, Output, PinError, Session};
use graph::{Name, Pins, VertexId};
use image::Reference;
use parser::{Dockerfile, Severity};
use planner::{Needs, Plan, PlanOptions, Planned, Remark, StageSelection, Steps};
use sandbox::Cgroup;
use solver::{Bypass, Job, SolveError};

use crate::advice;
use crate::call;
use crate::contexts::{Contexts, RemoteContext};
use crate::engine::Engine;
use crate::error::{BuildError, Remains, Source, StepCause, StepError};
use crate::event::Events;
use crate::export::{self, blocking};
use crate::findings;
use crate::frontend;
use crate::kept::keep;
use crate::kept::record::Record;
use crate::missing;
use crate::network;
use crate::options;
use crate::outcome::{DockerfileText, Finding, Location, Outcome};
use crate::progress::Progress;
use crate::request::{self, BuildRequest, DockerfileSource};

impl Engine {
    /// Builds what the request asks for.
    ///
    /// Dropping the future cancels the build: processes are killed, drafts deleted, and what was
    /// completed stays in the cache.
    pub async fn build(&self, request: BuildRequest, events: &Events) -> Result<Outcome, BuildError> {
        let progress = Progress::new(events);
        let prepared = self.prepare(&request, Purpose::Build, &progress).await?;
        let Prepared { text, mut warnings, notes, contexts, session, plan, is_multi_platform } = prepared;
        if options::runs_processes(&plan) && (request.cgroup_parent.is_some() || !request.limits.is_empty()) {
            // Before anything is fetched; a limit that cannot be had is never left out silently.
            let group = Cgroup { parent: request.cgroup_parent.clone(), limits: request.limits.clone() };
            blocking(move || sandbox::cgroup::check(&group)).await?;
        }
        let solving =
            Solving { engine: self, request: &request, text: &text, contexts: &contexts, plan: &plan };
        let outputs = solving.run(session.clone(), &progress).await;
        warnings.extend(session.shares_network().map(network::finding));
        let outputs = match outputs {
            Err(BuildError::Step(error)) => {
                return Err(BuildError::Step(Box::new(StepError { warnings, notes, ..*error })));
            }
            outputs => outputs?,
        };

        let mut images = Vec::with_capacity(plan.targets.len());
        for target in &plan.targets {
            let Some(Output::Snapshot(root)) = outputs.get(&target.rootfs).cloned() else { continue };
            let (store, target, epoch) = (self.store.clone(), target.clone(), plan.source_date_epoch);
            let assembled = blocking(move || export::assemble(&store, &target, &root, epoch)).await;
            images.push(assembled.map_err(|source| BuildError::failed("assemble the image", source))?);
        }
        let images = export::run(self, &request, images, is_multi_platform, &progress).await?;
        Ok(Outcome { dockerfile: text, images, tags: request.tags, warnings, notes })
    }

    /// Carries out a graph, and shows what happens.
    pub(crate) async fn solve(
        &self,
        job: Job,
        session: Session,
        steps: &Steps,
        progress: &Progress,
    ) -> Result<HashMap<VertexId, Output>, SolveError<ExecuteError>> {
        let (events, mut received) = solver::Events::channel();
        let solving = solver::solve(job, Arc::clone(&self.cache), Arc::new(session), events);
        let passing_on = async {
            while let Some(event) = received.recv().await {
                progress.translate(event, steps);
            }
        };
        // The events end when the solver has dropped its side, that is, after the last one.
        let (result, ()) = tokio::join!(solving, passing_on);
        self.write_back();
        result
    }

    /// Begins to write back what was built, also by a build that failed. Nobody waits for it but images.
    fn write_back(&self) {
        let store = self.store.clone();
        // What was not written back is tried again by whoever stores an image, who also reports why it fails.
        tokio::task::spawn_blocking(move || drop(store.sync()));
    }

    /// The Dockerfile, with the context if that has to be fetched.
    pub(crate) async fn definition(
        &self,
        request: &BuildRequest,
        progress: &Progress,
    ) -> Result<Definition, BuildError> {
        let session = self.executor.session(options::session_options(request));
        let remote = self.fetch_context(request, &session, progress).await?;
        let source = remote.as_ref().map(|remote| remote.dockerfile(&request.dockerfile));
        let source = source.as_ref().unwrap_or(&request.dockerfile);
        let step = progress.begin("[internal] load build definition");
        let tree = remote.as_ref().map(|remote| &remote.tree);
        let text = Arc::new(step.end(self.read_dockerfile(source, &session, tree).await)?);
        Ok(Definition { text, session, remote })
    }

    /// Everything up to the plan.
    pub(crate) async fn prepare(
        &self,
        request: &BuildRequest,
        purpose: Purpose,
        progress: &Progress,
    ) -> Result<Prepared, BuildError> {
        let Definition { text, session, remote } = self.definition(request, progress).await?;
        let (dockerfile, mut warnings) = parse(&text, request)?;
        if let Some(frontend) = frontend::foreign(&dockerfile.directives, &request.build_args) {
            progress.warn(format!("the frontend {frontend} is not used: the file is read as a Dockerfile"));
        }
        let (contexts, mut options) = open_contexts(request, remote)?;
        options.stages = match purpose {
            Purpose::Check if request.target.is_none() => StageSelection::All,
            Purpose::Check | Purpose::Build => StageSelection::Target,
        };
        let session = session.with_contexts(contexts.trees.clone());
        let planning = Planning {
            text: &text,
            dockerfile: &dockerfile,
            options: &options,
            warnings: &warnings,
            purpose,
        };
        let plan = planning.run(&session, progress).await?;
        warnings.extend(plan.warnings.iter().map(Finding::from));
        let notes = advice::notes(&plan, &contexts);
        let is_multi_platform = options.is_multi_platform();
        Ok(Prepared { text, warnings, notes, contexts, session, plan, is_multi_platform })
    }
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is carried out.
    Build,
    /// The rules look at it. All stages count, unless there is a target; and of what is elsewhere only the
    /// configs of images do.
    Check,
}

/// A Dockerfile that was read.
pub(crate) struct Definition {
    pub(crate) text: Arc<DockerfileText>,
    pub(crate) session: Session,
    pub(crate) remote: Option<RemoteContext>,
}

/// Opens what the build reads from the host, which shapes the plan.
pub(crate) fn open_contexts(
    request: &BuildRequest,
    remote: Option<RemoteContext>,
) -> Result<(Contexts, PlanOptions), BuildError> {
    let mut contexts = Contexts::open(request, remote.as_ref())?;
    let context_time = remote.map(|remote| remote.time).unwrap_or_default();
    let options = options::plan_options(request, &mut contexts, context_time)?;
    Ok((contexts, options))
}

/// A build that only has to be carried out.
pub(crate) struct Prepared {
    pub(crate) text: Arc<DockerfileText>,
    pub(crate) warnings: Vec<Finding>,
    pub(crate) notes: Vec<Finding>,
    contexts: Contexts,
    session: Session,
    plan: Plan,
    is_multi_platform: bool,
}

/// Parses the text; gives the tree and the parser's warnings.
pub(crate) fn parse(
    text: &Arc<DockerfileText>,
    request: &BuildRequest,
) -> Result<(Dockerfile, Vec<Finding>), BuildError> {
    let parsed = parser::parse(&text.text);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        parsed.diagnostics.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    let warnings: Vec<Finding> = warnings.into_iter().map(Finding::from).collect();
    if errors.is_empty() {
        return Ok((parsed.dockerfile, warnings));
    }
    let planned = planner::lint::warnings_before(&errors, &parsed.dockerfile, &request.build_args);
    let warnings = findings::joined(&warnings, &planned);
    let findings = errors.into_iter().map(Finding::from).collect();
    Err(BuildError::Dockerfile { dockerfile: Arc::clone(text), findings, warnings })
}

/// What a plan is made from.
struct Planning<'a> {
    text: &'a Arc<DockerfileText>,
    dockerfile: &'a Dockerfile,
    options: &'a PlanOptions,
    warnings: &'a [Finding],
    purpose: Purpose,
}

impl Planning<'_> {
    /// Plans, and pins the names that the plan needs, until it needs no more.
    async fn run(&self, session: &Session, progress: &Progress) -> Result<Plan, BuildError> {
        let mut pins = Pins::default();
        loop {
            match planner::plan(self.dockerfile, self.options, &pins)
                .map_err(|error| findings::of_plan(self.text, &error, self.warnings))?
            {
                Planned::Ready(plan) => return Ok(*plan),
                Planned::Needs(Needs { mut names, warnings }) => {
                    if self.purpose == Purpose::Check {
                        let stand_in = |name: &Name| Some((name.clone(), call::stand_in(name)?));
                        pins.extend(names.iter().filter_map(stand_in));
                        names.retain(|name| call::stand_in(name).is_none());
                    }
                    if names.is_empty() {
                        continue;
                    }
                    let list: Vec<String> = names.iter().map(ToString::to_string).collect();
                    let step = progress.begin(format!("[internal] load metadata for {}", list.join(", ")));
                    let pinned = step.end(session.pin(names).await);
                    pins.extend(pinned.map_err(|error| self.pin_error(error, &warnings))?);
                }
            }
        }
    }

    fn pin_error(&self, error: PinError, warnings: &[Remark]) -> BuildError {
        let name = error.name.to_string();
        let short = short_name(&name);
        BuildError::Pin {
            location: self.location(short),
            similar: planner::similar_base(self.dockerfile, short),
            warnings: findings::joined(self.warnings, warnings),
            source: Arc::new(error),
            name,
        }
    }

    /// The first FROM that has the name as it is written, or another instruction that mentions it.
    fn location(&self, short: &str) -> Option<Location> {
        let instructions = self.dockerfile.stages.iter().flat_map(|stage| {
            let from = std::iter::once((&stage.from.text, stage.from.span));
            from.chain(stage.instructions.iter().map(|instruction| (&instruction.text, instruction.span)))
        });
        let span = instructions.into_iter().find(|(text, _)| text.contains(short)).map(|(_, span)| span)?;
        Some(Location { dockerfile: Arc::clone(self.text), span })
    }
}

/// An image as people write it: without the registry and the tag that are meant if nothing is said.
fn short_name(name: &str) -> &str {
    let written = name.split(' ').next().unwrap_or(name);
    let short =
        written.strip_prefix("docker.io/library/").or(written.strip_prefix("docker.io/")).unwrap_or(written);
    short.strip_suffix(":latest").unwrap_or(short)
}

/// What is solved, and what a report of a failure needs.
struct Solving<'a> {
    engine: &'a Engine,
    request: &'a BuildRequest,
    text: &'a Arc<DockerfileText>,
    contexts: &'a Contexts,
    plan: &'a Plan,
}

impl Solving<'_> {
    async fn run(
        &self,
        session: Session,
        progress: &Progress,
    ) -> Result<HashMap<VertexId, Output>, BuildError> {
        let job = Job {
            graph: Arc::new(self.plan.graph.clone()),
            roots: self.plan.roots().collect(),
            positions: self.positions(),
            bypass: match &self.request.bypass {
                request::Bypass::None => Bypass::None,
                request::Bypass::All => Bypass::All,
                request::Bypass::Stages(_) => Bypass::Only(self.plan.uncached.iter().copied().collect()),
            },
            processes: self.request.jobs.unwrap_or_else(options::default_jobs),
        };
        match self.engine.solve(job, session, &self.plan.steps, progress).await {
            Ok(outputs) => Ok(outputs),
            Err(SolveError::Vertex { vertex, source }) => {
                let step = self.step_error(vertex, source, progress.tail(vertex)).await;
                Err(BuildError::Step(Box::new(step)))
            }
            Err(SolveError::Cache(source)) => Err(BuildError::failed("use the cache", source)),
        }
    }

    /// Where the vertices stand in the Dockerfile, for the explanation of misses.
    fn positions(&self) -> HashMap<VertexId, cache::Position> {
        let dockerfile = match &self.request.dockerfile {
            DockerfileSource::File { path, .. } => path.display().to_string(),
            other => other.display().into_owned(),
        };
        let position = |(vertex, steps): (VertexId, &[planner::Step])| {
            let position = &steps.first()?.position;
            let stage = format!("{} {}", position.stage, position.platform);
            let ordinal = u32::try_from(position.ordinal).unwrap_or(u32::MAX);
            Some((vertex, cache::Position { dockerfile: dockerfile.clone(), stage, ordinal }))
        };
        self.plan.steps.iter().filter_map(position).collect()
    }

    async fn step_error(&self, vertex: VertexId, error: ExecuteError, log_tail: Vec<String>) -> StepError {
        let step = self.plan.steps.of(vertex).first();
        let location =
            step.and_then(|step| step.span).map(|span| Location { dockerfile: Arc::clone(self.text), span });
        let missing = error.missing_source().map(|missing| missing::explain(self.contexts, missing));
        let cause = missing
            .map(StepCause::MissingSource)
            .or(error.fault().map(StepCause::Fault))
            .or(error.ending().copied().map(StepCause::Exited))
            .or(error.foreign_platform().cloned().map(StepCause::Foreign))
            .or(error.forbidden_devices().map(|names| StepCause::ForbiddenDevices(names.to_vec())))
            .or(error.lacks_sandbox().then_some(StepCause::NoSandbox));
        let exit = error.ending().map(Ending::code);
        let (source, left) = match error {
            ExecuteError::Process { source, left } => (Arc::new(source) as Source, Some(left)),
            other => (Arc::new(other) as Source, None),
        };
        let mut error = StepError {
            label: step.map(|step| step.label.clone()).unwrap_or_default(),
            location,
            log_tail,
            warnings: Vec::new(),
            notes: Vec::new(),
            cause,
            remains: Remains::default(),
            source,
        };
        if let Some(left) = left {
            let record = self.record(&left, step, &error, exit);
            let (store, wanted) = (self.engine.store.clone(), self.request.on_failure.clone());
            error.remains = blocking(move || keep::keep(&store, *left, &record, &wanted)).await;
        }
        error
    }

    /// What is remembered of a step that failed.
    fn record(
        &self,
        left: &FailedStep,
        step: Option<&planner::Step>,
        error: &StepError,
        exit: Option<i32>,
    ) -> Record {
        let line_of = |location: &Location| {
            let before = self.text.text.get(..location.span.start).unwrap_or_default();
            1 + before.matches('\n').count()
        };
        Record {
            label: error.label.clone(),
            dockerfile: self.text.display.clone(),
            line: error.location.as_ref().map(line_of),
            stage: step.map(|step| step.position.stage.clone()).unwrap_or_default(),
            images: self.request.tags.iter().map(Reference::familiar).collect(),
            exit,
            error: error.to_string(),
            output: error.log_tail.clone(),
            shell: step.map(|step| step.shell.clone()).unwrap_or_default(),
            exec: left.exec.clone(),
            inputs: keep::inputs(left, self.contexts),
            names: self.request.names.clone(),
            network: options::default_network(self.request.network),
            shm_size: self.request.shm_size,
            limits: self.request.limits.clone(),
        }
    }
}
