//! The stages of a Dockerfile: what each is based on, what it copies from, and which are needed.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use image::{Platform, Reference};
use parser::ast::{Instruction, MountSpec, Spanned, Stage};
use parser::{Span, Word};

use crate::context::{NamedContext, NamedContexts};
use crate::error::{Fault, Problem};
use crate::external;
use crate::lint::{from_platform_flag_const_disallowed, redundant_target_platform, undefined_arg_in_from};
use crate::onbuild;
use crate::options::StageSelection;
use crate::plan::Planner;
use crate::scope::{Expanded, GlobalScope, expand};
use crate::suggest;

/// The position of a stage in the Dockerfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StageId(pub(crate) usize);

/// All stages, for one target platform.
#[derive(Debug)]
pub(crate) struct StageTable<'a> {
    stages: Vec<StageEntry<'a>>,
    by_name: HashMap<String, StageId>,
    contexts: &'a NamedContexts,
    /// What is built for.
    pub(crate) target_platform: Platform,
}

/// One stage.
#[derive(Debug)]
pub(crate) struct StageEntry<'a> {
    /// Which one.
    pub(crate) id: StageId,
    /// FROM and the instructions as they were parsed.
    pub(crate) syntax: &'a Stage,
    /// What it is based on.
    pub(crate) base: Base,
    /// The platform that its steps run on: for an image that of `--platform`, else that of the base
    /// or the one that is built for.
    pub(crate) platform: Platform,
    /// Triggers of the base, if they are known, then the stage's own instructions.
    pub(crate) commands: Vec<Command<'a>>,
    /// Whether the triggers of the base are known, and among the commands.
    triggers_are_known: bool,
}

/// What a stage is based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// Nothing.
    Scratch,
    /// An earlier stage.
    Stage(StageId),
    /// An image, or the named context in its place.
    Image {
        /// Its name.
        reference: Reference,
        /// The name as FROM has it, variables replaced.
        written: String,
    },
    /// The whole stage is replaced by the named context of its name.
    Replaced(Replacement),
}

/// What takes the place of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Replacement {
    /// The named context of this name.
    Context(Reference),
    /// An earlier stage, as the named context of its name says.
    Stage(StageId),
}

/// An instruction of a stage and where it takes files from.
#[derive(Clone, Debug)]
pub(crate) struct Command<'a> {
    /// The instruction.
    pub(crate) instruction: Cow<'a, Spanned<Instruction>>,
    /// Whether it is a trigger of the base.
    pub(crate) is_trigger: bool,
    /// What `--from` names: of a COPY one at most, of a RUN one for each mount.
    pub(crate) origins: Vec<Option<Origin>>,
}

/// What `--from` or the `from` of a mount names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The empty tree.
    Scratch,
    /// A stage.
    Stage(StageId),
    /// An image, or the named context in its place.
    Image(Reference),
}

impl StageEntry<'_> {
    /// The name for people: the one after AS, or `stage-N`.
    pub(crate) fn name(&self) -> String {
        self.syntax.name().map_or_else(|| format!("stage-{}", self.id.0), str::to_owned)
    }

    /// Where problems of the stage as a whole are.
    pub(crate) fn span(&self) -> Span {
        self.syntax.from.span
    }

    /// Whether a named context takes its place, so that its instructions do not count.
    pub(crate) fn is_replaced(&self) -> bool {
        matches!(self.base, Base::Replaced(_))
    }

    fn origins(&self) -> impl Iterator<Item = (&Command<'_>, &Origin)> {
        let commands = if self.is_replaced() { &[] } else { self.commands.as_slice() };
        commands
            .iter()
            .flat_map(|command| command.origins.iter().flatten().map(move |origin| (command, origin)))
    }
}

impl<'a> StageTable<'a> {
    /// Reads all FROM lines and `--from`s; `None` if something is wrong with any of them.
    pub(crate) fn read(planner: &mut Planner<'a>, scope: &GlobalScope, target: &Platform) -> Option<Self> {
        let mut table = Self {
            stages: Vec::new(),
            by_name: HashMap::new(),
            contexts: &planner.options.contexts,
            target_platform: target.clone(),
        };
        let mut complete = true;
        for (index, syntax) in planner.dockerfile.stages.iter().enumerate() {
            let id = StageId(index);
            planner.linter.enter(&syntax.from.comments);
            match table.read_from(planner, scope, syntax, target) {
                Ok((base, platform)) => table.stages.push(StageEntry {
                    id,
                    syntax,
                    base,
                    platform,
                    commands: Vec::new(),
                    triggers_are_known: false,
                }),
                Err(problem) => {
                    complete = false;
                    planner.report(*problem);
                }
            }
            if let Some(name) = syntax.name() {
                table.by_name.insert(name.to_owned(), id);
            }
        }
        planner.linter.enter(&[]);
        if !complete {
            return None;
        }
        table.read_commands(planner).then_some(table)
    }

    fn read_from(
        &self,
        planner: &mut Planner<'a>,
        scope: &GlobalScope,
        stage: &Stage,
        target: &Platform,
    ) -> Result<(Base, Platform), Box<Problem>> {
        let from = &stage.from;
        let fail = |fault| Box::new(Problem::of_from(from, fault));
        let base = expand(&from.node.base, &scope.values).map_err(|error| fail(error.into()))?;
        undefined_arg_in_from::check(&mut planner.linter, &base.unset, &scope.declared, from.span);
        if base.text.is_empty() {
            let problem = fail(Fault::BlankBase { written: from.node.base.as_written().to_owned() });
            return Err(match base.unset.first() {
                Some(name) => Box::new(problem.with_help(format!(
                    "${name} has no value: declare it by an ARG before the first FROM, with a default or --build-arg"
                ))),
                None => problem,
            });
        }
        let asked = match &from.node.platform {
            Some(word) => read_platform(planner, scope, stage, word)?,
            None => target.clone(),
        };
        let base = self.base_of(stage, &base, &asked).map_err(fail)?;
        // Only an image can be had for another platform; an earlier stage is what it is.
        let platform = match &base {
            Base::Scratch => target.clone(),
            Base::Stage(earlier) | Base::Replaced(Replacement::Stage(earlier)) => {
                self.stages.get(earlier.0).map_or(asked, |stage| stage.platform.clone())
            }
            Base::Image { .. } | Base::Replaced(Replacement::Context(_)) => asked,
        };
        Ok((base, platform))
    }

    fn base_of(&self, stage: &Stage, base: &Expanded, platform: &Platform) -> Result<Base, Fault> {
        if let Some(name) = stage.name() {
            match self.contexts.of_stage(name, platform) {
                Some((_, NamedContext::Stage(target))) => {
                    return Ok(Base::Replaced(Replacement::Stage(self.target_of_context(target)?)));
                }
                Some(_) => return Ok(Base::Replaced(Replacement::Context(read_reference(name)?))),
                None => {}
            }
        }
        if let Some(&earlier) = self.by_name.get(&base.text) {
            return Ok(Base::Stage(earlier));
        }
        if base.text == "scratch" {
            return Ok(Base::Scratch);
        }
        let reference = read_reference(&base.text)?;
        match self.contexts.of_image(&reference, platform) {
            Some((_, NamedContext::Stage(target))) => self.target_of_context(target).map(Base::Stage),
            _ => Ok(Base::Image { reference, written: base.text.clone() }),
        }
    }

    /// The stage that the named context `target:NAME` stands for.
    fn target_of_context(&self, name: &str) -> Result<StageId, Fault> {
        self.by_name.get(&name.to_lowercase()).copied().ok_or_else(|| Fault::UnknownContextTarget {
            name: name.to_owned(),
            similar: suggest::closest(name, self.by_name.keys().map(String::as_str)).map(str::to_owned),
        })
    }

    fn read_commands(&mut self, planner: &mut Planner<'a>) -> bool {
        let mut complete = true;
        for index in 0..self.stages.len() {
            let syntax = self.stages[index].syntax;
            for instruction in &syntax.instructions {
                match self.command(Cow::Borrowed(instruction), false) {
                    Ok(command) => self.stages[index].commands.push(command),
                    Err(fault) => {
                        complete = false;
                        planner.report(Problem::of_instruction(instruction, fault));
                    }
                }
            }
        }
        complete
    }

    /// An instruction with its origins looked up.
    pub(crate) fn command(
        &self,
        instruction: Cow<'a, Spanned<Instruction>>,
        is_trigger: bool,
    ) -> Result<Command<'a>, Fault> {
        let origins = match &instruction.node {
            Instruction::Copy(copy) => match &copy.from {
                Some(from) => vec![Some(self.copy_origin(&from.text)?)],
                None => Vec::new(),
            },
            Instruction::Run(run) => {
                run.mounts.iter().map(|mount| self.mount_origin(mount)).collect::<Result<_, _>>()?
            }
            _ => Vec::new(),
        };
        Ok(Command { instruction, is_trigger, origins })
    }

    /// What `COPY --from` names: a stage by its number or name, or an image.
    fn copy_origin(&self, from: &str) -> Result<Origin, Fault> {
        if from.contains('$') {
            return Err(Fault::VariableInFrom);
        }
        match from.parse::<i64>() {
            Ok(number) => usize::try_from(number)
                .ok()
                .filter(|number| *number < self.stages.len())
                .map(|number| Origin::Stage(StageId(number)))
                .ok_or_else(|| Fault::StageIndex(from.to_owned())),
            Err(_) => self.named_origin(from),
        }
    }

    fn mount_origin(&self, mount: &MountSpec) -> Result<Option<Origin>, Fault> {
        mount.from().map(|name| self.named_origin(name)).transpose()
    }

    fn named_origin(&self, name: &str) -> Result<Origin, Fault> {
        if let Some(&stage) = self.by_name.get(&name.to_lowercase()) {
            return Ok(Origin::Stage(stage));
        }
        if name == "scratch" {
            return Ok(Origin::Scratch);
        }
        let reference = read_reference(name)?;
        match self.contexts.of_image(&reference, &self.target_platform) {
            Some((_, NamedContext::Stage(target))) => self.target_of_context(target).map(Origin::Stage),
            _ => Ok(Origin::Image(reference)),
        }
    }

    /// The stage of that id.
    pub(crate) fn stage(&self, id: StageId) -> &StageEntry<'a> {
        &self.stages[id.0]
    }

    /// All stages, in the order of the file.
    pub(crate) fn stages(&self) -> &[StageEntry<'a>] {
        &self.stages
    }

    /// Whether there are several stages, so that a step has to tell which one it is of.
    pub(crate) fn names_are_told(&self) -> bool {
        self.stages.len() > 1
    }

    /// The stage that is asked for.
    pub(crate) fn find_target(&self, planner: &mut Planner<'a>) -> Option<StageId> {
        let last = self.stages.last().map(|stage| stage.id);
        let Some(name) = planner.options.target.as_deref().filter(|name| !name.is_empty()) else {
            return last;
        };
        let found = self.by_name.get(&name.to_lowercase()).copied();
        if found.is_none() {
            let names: Vec<String> = self.stages.iter().map(StageEntry::name).collect();
            let similar = suggest::closest(name, names.iter().map(String::as_str)).map(str::to_owned);
            let is_similar = similar.is_some();
            let problem = Problem::of_options(Fault::UnknownTarget { name: name.to_owned(), similar });
            let names: Vec<&str> = self.stages.iter().filter_map(|stage| stage.syntax.name()).collect();
            planner.report(match names.as_slice() {
                _ if is_similar => problem,
                [] => problem.with_help("no stage has a name; FROM image AS name gives one"),
                names => problem.with_help(format!("the stages with names are {}", names.join(", "))),
            });
        }
        found
    }

    /// Looks for stages that copy from each other; false if there are some.
    pub(crate) fn check_for_cycles(&self, planner: &mut Planner<'a>) -> bool {
        let mut finished = vec![false; self.stages.len()];
        let mut is_on_way = vec![false; self.stages.len()];
        for start in &self.stages {
            if finished[start.id.0] {
                continue;
            }
            // Depth first, with the way from the start kept; a stage that is on it closes a cycle.
            let mut first_copy = None;
            let mut way = vec![(start.id, self.copies_from(start.id))];
            is_on_way[start.id.0] = true;
            while let Some((stage, waiting)) = way.last_mut() {
                let Some((next, copy)) = waiting.pop() else {
                    finished[stage.0] = true;
                    is_on_way[stage.0] = false;
                    way.pop();
                    continue;
                };
                if way.len() == 1 {
                    first_copy = Some(copy);
                }
                if is_on_way[next.0] {
                    let fault = Fault::Circular(start.name());
                    planner.report(match first_copy {
                        Some(copy) => Problem::of_instruction(copy, fault),
                        None => Problem::of_from(&start.syntax.from, fault),
                    });
                    return false;
                }
                if !finished[next.0] {
                    is_on_way[next.0] = true;
                    way.push((next, self.copies_from(next)));
                }
            }
        }
        true
    }

    /// The stages that a stage copies from or mounts, each with the instruction.
    pub(crate) fn copies_from(&self, id: StageId) -> Vec<(StageId, &Spanned<Instruction>)> {
        let origins = self.stage(id).origins();
        origins
            .filter_map(|(command, origin)| match origin {
                Origin::Stage(stage) => Some((*stage, &*command.instruction)),
                _ => None,
            })
            .collect()
    }

    /// The stages that are needed for the target, after their triggers were added. `None` if pins
    /// are missing, which are asked for, or something is wrong.
    pub(crate) fn resolve(
        &mut self,
        planner: &mut Planner<'a>,
        target: StageId,
    ) -> Option<BTreeSet<StageId>> {
        loop {
            let built = self.needed_by(target);
            let needed = match planner.options.stages {
                StageSelection::Target => built.clone(),
                StageSelection::All => self.stages.iter().map(|stage| stage.id).collect(),
            };
            let missing = external::missing(planner, self, &needed);
            let mut changed = false;
            // Stages that are only looked at run no triggers: those are nobody's mistakes of this file.
            for id in &built {
                if self.stages[id.0].triggers_are_known {
                    continue;
                }
                if let Some(commands) = onbuild::triggers(planner, self, *id)? {
                    let stage = &mut self.stages[id.0];
                    stage.triggers_are_known = true;
                    changed |= !commands.is_empty();
                    stage.commands.splice(0..0, commands);
                }
            }
            if !changed {
                return (!missing).then_some(needed);
            }
            if !self.check_for_cycles(planner) {
                return None;
            }
        }
    }

    /// The stages that a stage is made of, itself included, as far as the file tells.
    pub(crate) fn needed_by(&self, target: StageId) -> BTreeSet<StageId> {
        let mut needed = BTreeSet::new();
        let mut waiting = vec![target];
        while let Some(id) = waiting.pop() {
            if !needed.insert(id) {
                continue;
            }
            if let Base::Stage(base) | Base::Replaced(Replacement::Stage(base)) = self.stage(id).base {
                waiting.push(base);
            }
            waiting.extend(self.copies_from(id).into_iter().map(|(stage, _)| stage));
        }
        needed
    }
}

fn read_reference(name: &str) -> Result<Reference, Fault> {
    let reference: Result<Reference, _> = name.parse();
    reference
        .map(Reference::with_default_tag)
        .map_err(|source| Fault::BaseName { name: name.to_owned(), source })
}

fn read_platform(
    planner: &mut Planner<'_>,
    scope: &GlobalScope,
    stage: &Stage,
    word: &Word,
) -> Result<Platform, Box<Problem>> {
    let span = stage.from.span;
    let written = word.as_written();
    let expanded = expand(word, &scope.values).map_err(|error| Box::new(Problem::at(span, error.into())))?;
    let target = scope.values.get("TARGETPLATFORM");
    undefined_arg_in_from::check(&mut planner.linter, &expanded.unset, &scope.declared, span);
    redundant_target_platform::check(&mut planner.linter, written, &expanded, target, span);
    let similar = |problem: Problem| {
        let similar = expanded.unset.iter().find_map(|name| suggest::closest(name, scope.values.names()));
        Box::new(match similar {
            Some(similar) => problem.with_help(format!("did you mean ${similar}?")),
            None => problem,
        })
    };
    if expanded.text.is_empty() {
        return Err(similar(Problem::of_from(
            &stage.from,
            Fault::EmptyPlatform { written: written.to_owned() },
        )));
    }
    match expanded.text.parse::<Platform>() {
        Ok(platform) => {
            let linter = &mut planner.linter;
            from_platform_flag_const_disallowed::check(linter, stage.name(), &expanded, &platform, span);
            Ok(platform)
        }
        Err(source) => Err(similar(Problem::of_from(
            &stage.from,
            Fault::Platform { written: written.to_owned(), source },
        ))),
    }
}
