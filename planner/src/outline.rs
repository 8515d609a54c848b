//! What a Dockerfile offers its users: its targets, and what a target can be given.
//!
//! Nothing is pinned for this, so it knows the file alone: triggers and variables of base images are
//! not in it.

use std::collections::{BTreeMap, BTreeSet};

use parser::ast::{ArgDefinition, Env, Instruction, Run, Spanned};
use parser::instruction::Mount;
use parser::{Dockerfile, Span, Stage};

use crate::environment::Environment;
use crate::plan::Planner;
use crate::scope;
use crate::stages::{Base, StageId, StageTable};
use crate::{PlanError, PlanOptions, paths};

/// A stage that can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageListing {
    /// Its name; none if it cannot be named as a target.
    pub name: Option<String>,
    /// What it is based on, as written.
    pub base: String,
    /// Its `--platform`, as written.
    pub platform: Option<String>,
    /// What the comment above it says: `# NAME DESCRIPTION`.
    pub description: Option<String>,
    /// Whether it is built if nobody asks for another one.
    pub is_default: bool,
    /// The FROM.
    pub span: Span,
}

/// What a target can be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The name of the target.
    pub name: Option<String>,
    /// What the comment above it says.
    pub description: Option<String>,
    /// Build arguments that make a difference, in the order of the file.
    pub arguments: Vec<OutlineArgument>,
    /// Secrets that steps ask for.
    pub secrets: Vec<OutlineMount>,
    /// Ssh agents that steps ask for.
    pub agents: Vec<OutlineMount>,
    /// Cache mounts that steps use.
    pub caches: Vec<OutlineMount>,
}

/// A build argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineArgument {
    /// Its name.
    pub name: String,
    /// Its value as the build stands.
    pub value: Option<String>,
    /// What the comment above it says.
    pub description: Option<String>,
    /// The ARG.
    pub span: Span,
}

/// Something of the session that steps ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineMount {
    /// Its name in the session.
    pub id: String,
    /// Whether the build fails without it.
    pub required: bool,
    /// The first RUN that asks for it.
    pub span: Span,
}

/// The stages of a file, in its order.
pub fn targets(dockerfile: &Dockerfile) -> Vec<StageListing> {
    let last = dockerfile.stages.len();
    let listing = |(index, stage): (usize, &Stage)| StageListing {
        name: stage.name().map(str::to_owned),
        base: stage.from.node.base.as_written().to_owned(),
        platform: stage.from.node.platform.as_ref().map(|word| word.as_written().to_owned()),
        description: description(stage),
        is_default: index + 1 == last,
        span: stage.from.span,
    };
    dockerfile.stages.iter().enumerate().map(listing).collect()
}

/// What the target of these options can be given.
pub fn outline(dockerfile: &Dockerfile, options: &PlanOptions) -> Result<Outline, PlanError> {
    crate::plan::survey(dockerfile, options, outline_of)
}

fn outline_of(
    planner: &Planner<'_>,
    table: &StageTable<'_>,
    globals: &Environment,
    (target, needed): (StageId, BTreeSet<StageId>),
) -> Outline {
    let survey = Survey { planner, table, globals };
    let declared = survey.global_arguments();
    let mut environments = BTreeMap::new();
    let mut stages = BTreeMap::new();
    // A stage comes after the one that it is built on.
    for id in needed {
        let base = match table.stage(id).base {
            Base::Stage(base) => environments.get(&base).cloned(),
            _ => None,
        };
        let (stage, environment) = survey.stage(id, base.unwrap_or_default());
        environments.insert(id, environment);
        stages.insert(id, stage);
    }
    let syntax = table.stage(target).syntax;
    let mut outline = Outline {
        name: syntax.name().map(str::to_owned),
        description: description(syntax),
        ..Outline::default()
    };
    // Of one name in several stages, that of the stage nearest to the target is meant.
    let mut waiting = vec![target];
    while let Some(id) = waiting.pop() {
        let Some(stage) = stages.remove(&id) else { continue };
        outline.add(stage, &declared);
        waiting.extend(table.copies_from(id).into_iter().rev().map(|(origin, _)| origin));
        if let Base::Stage(base) = table.stage(id).base {
            waiting.push(base);
        }
    }
    outline.sort();
    outline
}

/// What one stage asks for.
#[derive(Debug, Default)]
struct StageOutline {
    /// The names that FROM uses and that ARG declares.
    used: BTreeSet<String>,
    /// The arguments that it does not have from the global ones; the last definition of a name counts.
    arguments: BTreeMap<String, OutlineArgument>,
    secrets: Vec<OutlineMount>,
    agents: Vec<OutlineMount>,
    caches: Vec<OutlineMount>,
}

/// A global argument with the global arguments that its value is made of.
#[derive(Debug)]
struct GlobalArgument {
    argument: OutlineArgument,
    uses: BTreeSet<String>,
}

impl Outline {
    /// Adds what a stage asks for and no stage before it.
    fn add(&mut self, stage: StageOutline, globals: &BTreeMap<String, GlobalArgument>) {
        let mut waiting: Vec<String> = stage.used.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let global = globals.get(&name);
            waiting.extend(global.into_iter().flat_map(|global| global.uses.iter().cloned()));
            let found = stage.arguments.get(&name).or(global.map(|global| &global.argument));
            if self.arguments.iter().all(|argument| argument.name != name) {
                self.arguments.extend(found.cloned());
            }
        }
        for (list, found) in [
            (&mut self.secrets, stage.secrets),
            (&mut self.agents, stage.agents),
            (&mut self.caches, stage.caches),
        ] {
            for mount in found {
                push(list, mount);
            }
        }
    }

    fn sort(&mut self) {
        self.arguments.sort_by(|one, other| (one.span, &one.name).cmp(&(other.span, &other.name)));
        for list in [&mut self.secrets, &mut self.agents, &mut self.caches] {
            list.sort_by_key(|mount| mount.span);
        }
    }
}

/// A name counts once.
fn push(list: &mut Vec<OutlineMount>, mount: OutlineMount) {
    if list.iter().all(|known| known.id != mount.id) {
        list.push(mount);
    }
}

/// A file that is being looked at.
struct Survey<'s, 'a> {
    planner: &'s Planner<'a>,
    table: &'s StageTable<'a>,
    globals: &'s Environment,
}

impl Survey<'_, '_> {
    fn global_arguments(&self) -> BTreeMap<String, GlobalArgument> {
        let mut found: BTreeMap<String, GlobalArgument> = BTreeMap::new();
        let args = &self.planner.dockerfile.global_args;
        let mut variables = self.globals.clone();
        // An argument has no value above its definition.
        for definition in args.iter().flat_map(|arg| &arg.node.definitions) {
            if definition.default.is_some() {
                variables.remove(definition.name.as_written());
            }
        }
        for arg in args {
            for definition in &arg.node.definitions {
                let name = definition.name.as_written();
                let (value, mut uses) = self.value_of(definition, &variables);
                if let Some(value) = &value {
                    variables.set(name, value.as_str());
                }
                if uses.remove(name)
                    && let Some(earlier) = found.get(name)
                {
                    uses.extend(earlier.uses.iter().cloned());
                }
                let argument = argument(arg, name, value);
                found.insert(name.to_owned(), GlobalArgument { argument, uses });
            }
        }
        found
    }

    /// What a stage asks for, and the variables that it has in the end.
    fn stage(&self, id: StageId, mut variables: Environment) -> (StageOutline, Environment) {
        let stage = self.table.stage(id).syntax;
        let from = &stage.from.node;
        let mut outline = StageOutline::default();
        for word in std::iter::once(&from.base).chain(from.platform.as_ref()) {
            outline.used.extend(scope::expand(word, self.globals).unwrap_or_default().used);
        }
        for instruction in &stage.instructions {
            match &instruction.node {
                Instruction::Arg(arg) => {
                    for definition in &arg.definitions {
                        self.declare(&mut outline, &mut variables, instruction, definition);
                    }
                }
                Instruction::Env(env) => set(&mut variables, env),
                Instruction::Run(run) => outline.mounts(run, &variables, instruction.span),
                _ => {}
            }
        }
        (outline, variables)
    }

    fn declare(
        &self,
        outline: &mut StageOutline,
        variables: &mut Environment,
        instruction: &Spanned<Instruction>,
        definition: &ArgDefinition,
    ) {
        let name = definition.name.as_written();
        let inherited = self.globals.get(name).map(str::to_owned);
        let is_given = self.planner.options.build_args.contains_key(name);
        let is_inherited = definition.default.is_none() && inherited.is_some() && !is_given;
        let value = self.value_of(definition, variables).0.or(inherited);
        if let Some(value) = &value {
            variables.set(name, value.as_str());
        }
        outline.used.insert(name.to_owned());
        if !is_inherited {
            outline.arguments.insert(name.to_owned(), argument(instruction, name, value));
        }
    }

    /// The value of a definition, and the variables that it is made of.
    fn value_of(
        &self,
        definition: &ArgDefinition,
        variables: &Environment,
    ) -> (Option<String>, BTreeSet<String>) {
        if let Some(given) = self.planner.options.build_args.get(definition.name.as_written()) {
            return (Some(given.clone()), BTreeSet::new());
        }
        let default = definition.default.as_ref();
        match default.and_then(|default| scope::expand(default, variables).ok()) {
            Some(expanded) => (Some(expanded.text), expanded.used),
            None => (None, BTreeSet::new()),
        }
    }
}

impl StageOutline {
    fn mounts(&mut self, run: &Run, variables: &Environment, span: Span) {
        for spec in &run.mounts {
            let Ok(resolved) = spec.resolve(|name| variables.get(name).map(str::to_owned)) else { continue };
            let (list, id, required) = match resolved.mount {
                Mount::Secret(secret) => (&mut self.secrets, secret.id, secret.required),
                Mount::Ssh(ssh) => {
                    (&mut self.agents, ssh.id.unwrap_or_else(|| "default".to_owned()), ssh.required)
                }
                Mount::Cache(cache) => {
                    (&mut self.caches, cache.id.unwrap_or_else(|| paths::clean(&cache.target)), false)
                }
                Mount::Bind(_) | Mount::Tmpfs(_) => continue,
            };
            push(list, OutlineMount { id, required, span });
        }
    }
}

fn argument<T>(instruction: &Spanned<T>, name: &str, value: Option<String>) -> OutlineArgument {
    let description = instruction.description(name).map(str::to_owned);
    OutlineArgument { name: name.to_owned(), value, description, span: instruction.span }
}

/// All values of an ENV are those from before it.
fn set(variables: &mut Environment, env: &Env) {
    let before = variables.clone();
    let text = |word| scope::expand(word, &before).unwrap_or_default().text;
    for pair in &env.pairs {
        variables.set(text(&pair.key), text(&pair.value));
    }
}

fn description(stage: &Stage) -> Option<String> {
    stage.from.description(stage.name()?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{options, parse};

    const TEXT: &str = "\
# VERSION of the base
ARG VERSION=1
ARG UNUSED
# tools that are needed
FROM busybox:${VERSION} AS tools
ARG TOKEN=secret
# LEVEL of detail
ARG LEVEL VERSION
RUN --mount=type=secret,id=$TOKEN,required --mount=type=cache,target=/c/./d make
FROM scratch AS other
ARG OTHER
# final is what is shipped
FROM tools AS final
RUN --mount=type=ssh make
";

    #[test]
    fn an_outline_has_what_the_target_needs() {
        let mut options = options();
        options.build_args.insert("LEVEL".to_owned(), "3".to_owned());
        let outline = outline(&parse(TEXT), &options).unwrap();
        let arguments: Vec<_> = outline
            .arguments
            .iter()
            .map(|argument| {
                (argument.name.as_str(), argument.value.as_deref(), argument.description.as_deref())
            })
            .collect();
        assert_eq!(
            arguments,
            [
                ("VERSION", Some("1"), Some("of the base")),
                ("TOKEN", Some("secret"), None),
                ("LEVEL", Some("3"), Some("of detail")),
            ]
        );
        let ids = |list: &[OutlineMount]| {
            list.iter().map(|mount| format!("{} {}", mount.id, mount.required)).collect::<Vec<_>>()
        };
        assert_eq!(ids(&outline.secrets), ["secret true"]);
        assert_eq!(ids(&outline.agents), ["default false"]);
        assert_eq!(ids(&outline.caches), ["/c/d false"]);
        assert_eq!(
            (outline.name.as_deref(), outline.description.as_deref()),
            (Some("final"), Some("is what is shipped"))
        );
    }

    /// The arguments of a text as `NAME=VALUE`.
    fn arguments(text: &str, target: Option<&str>) -> Vec<String> {
        let mut options = options();
        options.target = target.map(str::to_owned);
        let found = outline(&parse(text), &options).unwrap().arguments;
        let text = |one: &OutlineArgument| format!("{}={}", one.name, one.value.clone().unwrap_or_default());
        found.iter().map(text).collect()
    }

    #[test]
    fn arguments_need_the_arguments_that_they_are_made_of() {
        let text = "ARG A=box\nARG B=2\nARG UNUSED=abc$B\nARG SUFFIX=usy$A\nFROM b$SUFFIX AS first\n\
                    FROM alpine$UNUSED AS second\nARG OTHER\nFROM first\nCOPY --from=first /a /\n";
        assert_eq!(arguments(text, None), ["A=box", "SUFFIX=usybox"]);
        assert_eq!(arguments(text, Some("second")), ["B=2", "UNUSED=abc2", "OTHER="]);
    }

    #[test]
    fn the_last_definition_of_a_name_counts() {
        let text = "ARG A=1${B:-}\nARG B=b\nARG C=c\nARG A=$A$B\nARG D=${A}2\nARG A=${A}2$D\nFROM scratch\nARG A\n\
                    ARG X=1\nENV E=5\nARG Y=${X}2$E\nARG X=${X}2$Y\n";
        assert_eq!(arguments(text, None), ["B=b", "D=1b2", "A=1b21b2", "Y=125", "X=12125"]);
    }

    #[test]
    fn a_stage_sees_the_variables_of_its_base() {
        let text = "FROM scratch AS base\nARG ID=1\nENV E=$ID\nFROM base\nRUN --mount=type=secret,id=s$E x\n";
        let outline = outline(&parse(text), &options()).unwrap();
        assert_eq!(outline.secrets.first().map(|secret| secret.id.as_str()), Some("s1"));
    }

    #[test]
    fn targets_are_the_stages() {
        let found: Vec<_> = targets(&parse(TEXT))
            .into_iter()
            .map(|target| (target.name, target.base, target.is_default))
            .collect();
        let stage = |name: &str, base: &str, is_default| (Some(name.to_owned()), base.to_owned(), is_default);
        assert_eq!(
            found,
            [
                stage("tools", "busybox:${VERSION}", false),
                stage("other", "scratch", false),
                stage("final", "tools", true)
            ]
        );
    }

    #[test]
    fn an_unknown_target_has_no_outline() {
        let mut options = options();
        options.target = Some("fnial".to_owned());
        let error = outline(&parse(TEXT), &options).unwrap_err();
        assert_eq!(error.to_string(), r#"target stage "fnial" could not be found (did you mean final?)"#);
    }
}
