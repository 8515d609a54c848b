//! Expansion of words, and the arguments that FROM lines see.

use std::collections::BTreeSet;

use image::Platform;
use parser::word::ExpandError;
use parser::{Dockerfile, Word};

use crate::PlanOptions;
use crate::environment::Environment;

/// What a word became.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expanded {
    /// The text.
    pub(crate) text: String,
    /// The variables that were looked up and are set.
    pub(crate) used: BTreeSet<String>,
    /// The variables that were looked up and are not set.
    pub(crate) unset: BTreeSet<String>,
}

/// Replaces the variables of a word and removes its quotes.
pub(crate) fn expand(word: &Word, environment: &Environment) -> Result<Expanded, ExpandError> {
    let mut used = BTreeSet::new();
    let expansion = word.expand(|name| {
        let value = environment.get(name)?;
        used.insert(name.to_owned());
        Some(value.to_owned())
    })?;
    Ok(Expanded { text: expansion.text, used, unset: expansion.unset.into_iter().collect() })
}

/// The text of a word that needs no variable; `None` if it needs one, set or not.
pub(crate) fn constant(word: &Word) -> Option<String> {
    let mut is_constant = true;
    let expansion = word.expand(|_| {
        is_constant = false;
        None
    });
    expansion.ok().filter(|_| is_constant).map(|expansion| expansion.text)
}

/// The global arguments: those that are declared before the first FROM, and the predefined ones
/// about platforms.
#[derive(Clone, Debug)]
pub(crate) struct GlobalScope {
    /// Their values; also what `ARG NAME` in a stage inherits.
    pub(crate) values: Environment,
    /// The names, with and without a value.
    pub(crate) declared: BTreeSet<String>,
}

/// The value of `TARGETSTAGE` if the stage to build has no name.
pub(crate) const DEFAULT_STAGE: &str = "default";

impl GlobalScope {
    /// The scope for one target platform, with the values of `--build-arg`.
    pub(crate) fn new(
        dockerfile: &Dockerfile,
        options: &PlanOptions,
        target_platform: &Platform,
    ) -> Result<Self, ExpandError> {
        let mut scope = Self::predefined(dockerfile, options, target_platform);
        scope.declare(dockerfile, |name| options.build_args.get(name).cloned())?;
        Ok(scope)
    }

    /// The scope as it is for who gives no `--build-arg` at all.
    pub(crate) fn with_defaults_only(
        dockerfile: &Dockerfile,
        options: &PlanOptions,
        target_platform: &Platform,
    ) -> Result<Self, ExpandError> {
        let mut scope = Self::predefined(dockerfile, options, target_platform);
        scope.declare(dockerfile, |_| None)?;
        Ok(scope)
    }

    fn predefined(dockerfile: &Dockerfile, options: &PlanOptions, target: &Platform) -> Self {
        let build = &options.build_platform;
        let last_stage = dockerfile.stages.last().and_then(parser::Stage::name);
        let stage = options.target.as_deref().or(last_stage).filter(|name| !name.is_empty());
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut values = Environment::default();
        for (name, value) in [
            ("BUILDPLATFORM", build.to_string()),
            ("BUILDOS", build.os.clone()),
            ("BUILDOSVERSION", text(&build.os_version)),
            ("BUILDARCH", build.architecture.clone()),
            ("BUILDVARIANT", text(&build.variant)),
            ("TARGETPLATFORM", target.to_string()),
            ("TARGETOS", target.os.clone()),
            ("TARGETOSVERSION", text(&target.os_version)),
            ("TARGETARCH", target.architecture.clone()),
            ("TARGETVARIANT", text(&target.variant)),
            ("TARGETSTAGE", stage.unwrap_or(DEFAULT_STAGE).to_owned()),
        ] {
            values.set(name, options.build_args.get(name).cloned().unwrap_or(value));
        }
        let declared = values.names().map(str::to_owned).collect();
        Self { values, declared }
    }

    fn declare(
        &mut self,
        dockerfile: &Dockerfile,
        given: impl Fn(&str) -> Option<String>,
    ) -> Result<(), ExpandError> {
        for definition in dockerfile.global_args.iter().flat_map(|arg| &arg.node.definitions) {
            let name = definition.name.as_written();
            let value = match (given(name), &definition.default) {
                (Some(value), _) => Some(value),
                (None, Some(default)) => Some(expand(default, &self.values)?.text),
                (None, None) => None,
            };
            if let Some(value) = value {
                self.values.set(name, value);
            }
            self.declared.insert(name.to_owned());
        }
        Ok(())
    }
}
