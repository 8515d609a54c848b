//! What a Dockerfile offers its users: its targets, and what a target can be given.
//!
//! Nothing is pinned for this, so it knows the file alone: triggers and variables of base images are
//! not in it.

use std::collections::BTreeSet;

use parser::ast::{ArgDefinition, Instruction, Run, Spanned};
use parser::instruction::Mount;
use parser::{Dockerfile, Span, Stage, Word};

use crate::environment::Environment;
use crate::plan::Planner;
use crate::scope;
use crate::stages::{StageId, StageTable};
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
    let syntax = table.stage(target).syntax;
    let mut outline = Outline {
        name: syntax.name().map(str::to_owned),
        description: description(syntax),
        ..Outline::default()
    };
    let mut used = BTreeSet::new();
    for id in &needed {
        let stage = table.stage(*id).syntax;
        let from = &stage.from.node;
        used.extend(names_in(Some(&from.base), globals).chain(names_in(from.platform.as_ref(), globals)));
        outline.stage(planner, stage, globals, &mut used);
    }
    let mut used_globals = Outline::default();
    let mut variables = Environment::default();
    for arg in &planner.dockerfile.global_args {
        for definition in &arg.node.definitions {
            let name = definition.name.as_written();
            let value = value_of(planner, definition, &variables);
            if let Some(value) = &value {
                variables.set(name, value.as_str());
            }
            if used.contains(name) {
                used_globals.argument(arg, name, value);
            }
        }
    }
    outline.arguments.splice(0..0, used_globals.arguments);
    outline
}

impl Outline {
    /// Adds what the instructions of a stage ask for, and their arguments to the names that are used.
    fn stage(
        &mut self,
        planner: &Planner<'_>,
        stage: &Stage,
        globals: &Environment,
        used: &mut BTreeSet<String>,
    ) {
        let mut variables = Environment::default();
        for instruction in &stage.instructions {
            let definitions = match &instruction.node {
                Instruction::Arg(arg) => &arg.definitions,
                Instruction::Run(run) => {
                    self.mounts(run, &variables, instruction.span);
                    continue;
                }
                _ => continue,
            };
            for definition in definitions {
                let name = definition.name.as_written();
                let inherited = globals.get(name).map(str::to_owned);
                let is_inherited = definition.default.is_none() && inherited.is_some();
                let value = value_of(planner, definition, &variables).or(inherited);
                if let Some(value) = &value {
                    variables.set(name, value.as_str());
                }
                used.insert(name.to_owned());
                if !is_inherited {
                    self.argument(instruction, name, value);
                }
            }
        }
    }

    /// Adds an argument; a later definition of the same name adds nothing for the user.
    fn argument<T>(&mut self, instruction: &Spanned<T>, name: &str, value: Option<String>) {
        if self.arguments.iter().all(|argument| argument.name != name) {
            let description = instruction.description(name).map(str::to_owned);
            let (name, span) = (name.to_owned(), instruction.span);
            self.arguments.push(OutlineArgument { name, value, description, span });
        }
    }

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
            if list.iter().all(|mount| mount.id != id) {
                list.push(OutlineMount { id, required, span });
            }
        }
    }
}

fn value_of(planner: &Planner<'_>, definition: &ArgDefinition, variables: &Environment) -> Option<String> {
    let given = planner.options.build_args.get(definition.name.as_written()).cloned();
    given.or_else(|| Some(scope::expand(definition.default.as_ref()?, variables).ok()?.text))
}

fn names_in<'w>(word: Option<&'w Word>, variables: &'w Environment) -> impl Iterator<Item = String> + 'w {
    let expanded = word.and_then(|word| scope::expand(word, variables).ok()).unwrap_or_default();
    expanded.used.into_iter().chain(expanded.unset)
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
