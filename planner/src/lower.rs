//! From instructions to vertices: the stages that are needed, one after the other.
//!
//! Each instruction has a file here that says what it does to the [`StageState`]: add a vertex to
//! the graph, change the config, both. A mistake is reported and the next instruction goes on from
//! the state as it was, so that one call finds all mistakes; a plan with mistakes is never used.

pub(crate) mod add;
mod arg;
mod cmd;
mod copy;
mod entrypoint;
mod env;
mod expose;
mod healthcheck;
mod label;
mod maintainer;
mod mount;
mod onbuild;
mod run;
mod shell;
mod state;
mod stop_signal;
mod user;
mod volume;
mod workdir;

use std::collections::BTreeSet;

use graph::source::ContextName;
use graph::{Op, Source, VertexId};
use image::{Platform, Reference};
use parser::ast::{Instruction, Spanned};
use parser::word::{ExpandError, ExpandFault, expand_for_display};
use parser::{Span, Word};

pub use expose::PortError;
pub(crate) use state::StageState;

use crate::context::MainContext;
use crate::environment::Environment;
use crate::error::{Fault, Problem};
use crate::external;
use crate::lint::arg_busts_cache::Mentions;
use crate::lint::{invalid_base_image_platform, undefined_var};
use crate::plan::Planner;
use crate::scope::{self, GlobalScope};
use crate::stages::{Base, Command, Origin, Replacement, StageEntry, StageId, StageTable};
use crate::steps::{Labels, Position, Step};
use crate::suggest;

/// The states at the end of the needed stages, by the number of the stage.
pub(crate) fn stages<'a>(
    planner: &mut Planner<'a>,
    table: &StageTable<'a>,
    scope: &GlobalScope,
    needed: &BTreeSet<StageId>,
) -> Option<Vec<Option<StageState>>> {
    let mentions = Mentions::of(&planner.dockerfile.stages);
    let mut done: Vec<Option<StageState>> = Vec::new();
    done.resize_with(table.stages().len(), || None);
    for id in needed {
        let stage = table.stage(*id);
        let (state, labels) = start(planner, table, &done, stage)?;
        if stage.is_replaced() {
            done[id.0] = Some(state);
            continue;
        }
        mentions.check(&mut planner.linter, id.0, &planner.options.build_args, &scope.values);
        let mut lowering = Lowering {
            planner,
            table,
            scope,
            done: &done,
            stage,
            state,
            labels,
            current: Current::default(),
            last_cmd: None,
            last_entrypoint: None,
            last_healthcheck: None,
        };
        for (ordinal, command) in stage.commands.iter().enumerate() {
            lowering.command(command, ordinal + 1);
        }
        done[id.0] = Some(lowering.state);
    }
    planner.linter.enter(&[]);
    Some(done)
}

/// The state that FROM leaves.
fn start(
    planner: &mut Planner<'_>,
    table: &StageTable<'_>,
    done: &[Option<StageState>],
    stage: &StageEntry<'_>,
) -> Option<(StageState, Labels)> {
    planner.linter.enter(&stage.syntax.from.comments);
    let mut labels = labels(planner, table, stage);
    let state = match &stage.base {
        Base::Scratch => StageState::empty(external::scratch(planner), &stage.platform),
        Base::Stage(base) => done[base.0].as_ref()?.inherited(),
        Base::Replaced(Replacement::Stage(earlier)) => done[earlier.0].as_ref()?.inherited(),
        Base::Replaced(Replacement::Context(reference)) => replaced(planner, reference, &stage.platform)?,
        Base::Image { reference, written } => {
            based_on_image(planner, stage, &mut labels, (reference, written.as_str()))?
        }
    };
    Some((state, labels))
}

/// The state of a stage that a named context takes the place of, whole as it is.
fn replaced(planner: &mut Planner<'_>, reference: &Reference, platform: &Platform) -> Option<StageState> {
    let found = external::find(planner, reference, platform)?;
    let label = format!("[context {}] {}", found.context.unwrap_or_default(), found.label);
    planner.steps.insert(found.tree, external::step_outside_of_stages(label, platform));
    Some(match found.image {
        Some((name, pin)) => StageState::replaced(found.tree, name, pin),
        None => StageState::bare(found.tree, platform),
    })
}

/// The state that FROM of an image leaves, or of the named context in its place.
fn based_on_image(
    planner: &mut Planner<'_>,
    stage: &StageEntry<'_>,
    labels: &mut Labels,
    (reference, written): (&Reference, &str),
) -> Option<StageState> {
    let platform = &stage.platform;
    let found = external::find(planner, reference, platform)?;
    let label = match &found.context {
        Some(key) => format!("[context {key}] {}", found.label),
        None => labels.next(&format!("FROM {}", found.label), false, &Environment::default()),
    };
    let position = Position { stage: stage.name(), ordinal: 0, platform: platform.clone() };
    planner.steps.insert(found.tree, Step { label, span: Some(stage.span()), position, shell: Vec::new() });
    let Some((name, pin)) = found.image else { return Some(StageState::empty(found.tree, platform)) };
    if found.context.is_none() {
        // As BuildKit has it, a comment above FROM does not switch this rule off.
        planner.linter.enter(&[]);
        let actual = pin.config.platform();
        invalid_base_image_platform::check(&mut planner.linter, written, platform, &actual, stage.span());
    }
    Some(StageState::based_on(found.tree, name, pin, platform))
}

fn labels(planner: &Planner<'_>, table: &StageTable<'_>, stage: &StageEntry<'_>) -> Labels {
    let from = usize::from(matches!(stage.base, Base::Image { .. }));
    let counts = |command: &&Command<'_>| {
        command.is_trigger
            || matches!(
                command.instruction.node,
                Instruction::Add(_) | Instruction::Copy(_) | Instruction::Run(_) | Instruction::Workdir(_)
            )
    };
    Labels {
        platform: planner.options.is_multi_platform().then(|| stage.platform.clone()),
        stage: if table.names_are_told() { stage.name() } else { String::new() },
        total: from + stage.commands.iter().filter(counts).count(),
        used: 0,
    }
}

/// A stage that is being lowered.
#[derive(Debug)]
struct Lowering<'p, 'a> {
    planner: &'p mut Planner<'a>,
    table: &'p StageTable<'a>,
    scope: &'p GlobalScope,
    /// The states of the stages before this one.
    done: &'p [Option<StageState>],
    stage: &'p StageEntry<'a>,
    state: StageState,
    labels: Labels,
    current: Current,
    last_cmd: Option<Span>,
    last_entrypoint: Option<Span>,
    last_healthcheck: Option<Span>,
}

/// The instruction that is being lowered.
#[derive(Clone, Debug, Default)]
struct Current {
    span: Span,
    keyword: String,
    text: String,
    is_trigger: bool,
    ordinal: usize,
}

impl Lowering<'_, '_> {
    fn command(&mut self, command: &Command<'_>, ordinal: usize) {
        let instruction: &Spanned<Instruction> = &command.instruction;
        self.planner.linter.enter(&instruction.comments);
        self.current = Current {
            span: instruction.span,
            keyword: instruction.keyword.text.clone(),
            text: instruction.text.clone(),
            is_trigger: command.is_trigger,
            ordinal,
        };
        if let Err(fault) = self.instruction(&instruction.node, &command.origins) {
            let mut problem = Problem::of_instruction(instruction, fault);
            if command.is_trigger {
                problem.focus = None;
                problem =
                    problem.with_help(format!("the base has the trigger: ONBUILD {}", instruction.text));
            }
            self.planner.report(self.with_similar_variable(problem));
        }
    }

    /// Tells a variable that may have been meant by one that must be set and is not.
    fn with_similar_variable(&self, problem: Problem) -> Problem {
        let Fault::Expand(ExpandError { reason: ExpandFault::Required { name, .. }, .. }) = &problem.fault
        else {
            return problem;
        };
        let declared = self.state.argument_values().map(|(name, _)| name);
        match suggest::closest(name, self.state.environment.names().chain(declared)) {
            Some(similar) => {
                let help = format!("did you mean ${similar}?");
                problem.with_help(help)
            }
            None => problem,
        }
    }

    fn instruction(&mut self, instruction: &Instruction, origins: &[Option<Origin>]) -> Result<(), Fault> {
        match instruction {
            Instruction::Add(add) => self.add(add)?,
            Instruction::Arg(arg) => self.arg(arg)?,
            Instruction::Cmd(cmd) => self.cmd(cmd),
            Instruction::Copy(copy) => self.copy(copy, origins.first().and_then(Option::as_ref))?,
            Instruction::Entrypoint(entrypoint) => self.entrypoint(entrypoint),
            Instruction::Env(env) => self.env(env)?,
            Instruction::Expose(expose) => self.expose(expose)?,
            Instruction::Healthcheck(healthcheck) => self.healthcheck(healthcheck),
            Instruction::Label(label) => self.label(label)?,
            Instruction::Maintainer(maintainer) => self.maintainer(maintainer),
            Instruction::Onbuild(onbuild) => self.onbuild(onbuild),
            Instruction::Run(run) => self.run(run, origins)?,
            Instruction::Shell(shell) => self.shell(shell),
            Instruction::StopSignal(signal) => self.stop_signal(signal)?,
            Instruction::User(user) => self.user(user)?,
            Instruction::Volume(volume) => self.volume(volume)?,
            Instruction::Workdir(workdir) => self.workdir(workdir)?,
        }
        Ok(())
    }

    /// Replaces the variables of a word by what they are before the instruction.
    fn expand(&mut self, word: &Word) -> Result<String, Fault> {
        let expanded = scope::expand(word, &self.state.environment)?;
        self.report_unset(expanded.unset);
        Ok(expanded.text)
    }

    fn expand_optional(&mut self, word: Option<&Word>) -> Result<Option<String>, Fault> {
        let text = word.map(|word| self.expand(word)).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// Warns of variables that are not set, unless an ARG without a value declares them.
    fn report_unset(&mut self, mut unset: BTreeSet<String>) {
        unset.retain(|name| !self.state.declares(name) && !arg::is_unexported(name));
        let (linter, environment) = (&mut self.planner.linter, &self.state.environment);
        undefined_var::check(linter, &unset, environment, self.current.span);
    }

    /// The label of an instruction whose arguments are words: its text, expanded as they are.
    fn words_label(&mut self) -> String {
        let escape = self.planner.dockerfile.directives.escape_character();
        let environment = &self.state.environment;
        let whole = Word::new(self.current.text.as_str(), self.current.span, escape);
        let expanded = whole.expand(|name| environment.get(name).map(str::to_owned));
        let text = expanded.map_or_else(|_| self.current.text.clone(), |expansion| expansion.text);
        self.labels.next(&text, self.current.is_trigger, environment)
    }

    /// The label of an instruction whose arguments are for a shell: its text with the variables replaced
    /// that are set.
    fn shell_label(&mut self, text: &str) -> String {
        let escape = self.planner.dockerfile.directives.escape_character();
        let environment = &self.state.environment;
        let text = expand_for_display(text, escape, |name| environment.get(name).map(str::to_owned));
        self.labels.next(&text, self.current.is_trigger, environment)
    }

    /// Makes a vertex the root filesystem and shows it as this instruction.
    fn advance(&mut self, vertex: VertexId, label: String) {
        self.state.rootfs = vertex;
        self.show(vertex, label);
    }

    /// Shows a vertex as this instruction.
    fn show(&mut self, vertex: VertexId, label: String) {
        let platform = self.stage.platform.clone();
        let position = Position { stage: self.stage.name(), ordinal: self.current.ordinal, platform };
        let shell = self.state.config.config.shell.clone();
        let step = Step { label, span: Some(self.current.span), position, shell };
        self.planner.steps.insert(vertex, step);
    }

    /// Whether the steps of the stage run even if their results are known.
    fn is_uncached(&self) -> bool {
        let name = self.stage.syntax.name().unwrap_or_default();
        self.planner.options.uncached_stages.iter().any(|stage| stage.eq_ignore_ascii_case(name))
    }

    /// Adds what this instruction does.
    fn add_vertex(&mut self, op: Op, inputs: Vec<graph::Edge>) -> VertexId {
        let vertex = self.planner.graph.add(op, inputs);
        if self.is_uncached() {
            self.planner.uncached.insert(vertex);
        }
        vertex
    }

    /// The tree of the main context.
    fn main_context(&mut self) -> VertexId {
        match self.planner.options.main_context {
            MainContext::Empty => external::scratch(self.planner),
            MainContext::Directory => {
                let source = Op::Source(Source::Local(ContextName::main()));
                let vertex = self.planner.graph.add(source, Vec::new());
                let label = "[internal] load build context".to_owned();
                let step = external::step_outside_of_stages(label, &self.planner.options.build_platform);
                self.planner.steps.insert(vertex, step);
                vertex
            }
        }
    }

    /// The tree that `--from` names; `Ok(None)` if a pin is missing, `Err` with the stage if that
    /// comes later.
    fn origin(&mut self, origin: &Origin) -> Result<Option<VertexId>, StageId> {
        match origin {
            Origin::Scratch => Ok(Some(external::scratch(self.planner))),
            Origin::Stage(stage) => {
                let state = self.done.get(stage.0).and_then(Option::as_ref);
                state.map(|state| Some(state.rootfs)).ok_or(*stage)
            }
            Origin::Image(reference) => {
                let platform = &self.table.target_platform;
                let Some(found) = external::find(self.planner, reference, platform) else { return Ok(None) };
                let label = match &found.context {
                    Some(key) => format!("[context {key}] {}", found.label),
                    None => format!("FROM {}", found.label),
                };
                let step = external::step_outside_of_stages(label, platform);
                self.planner.steps.insert(found.tree, step);
                Ok(Some(found.tree))
            }
        }
    }
}
