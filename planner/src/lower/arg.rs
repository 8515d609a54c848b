//! `ARG NAME[=DEFAULT] …`: variables of the build that are not in the image.

use parser::ast::Arg;

use super::Lowering;
use crate::epoch;
use crate::error::Fault;
use crate::lint::secrets_used_in_arg_or_env;

/// Whether an argument steers the build itself and is no variable of it.
pub(super) fn is_unexported(name: &str) -> bool {
    matches!(name, "BUILDKIT_SBOM_SCAN_CONTEXT" | "BUILDKIT_SBOM_SCAN_STAGE")
}

impl Lowering<'_, '_> {
    /// The value is that of `--build-arg`, or else the default, or else that of the global argument
    /// of the name. Several definitions of one instruction see each other.
    pub(super) fn arg(&mut self, arg: &Arg) -> Result<(), Fault> {
        let mut texts = Vec::with_capacity(arg.definitions.len());
        for definition in &arg.definitions {
            let name = definition.name.as_written();
            secrets_used_in_arg_or_env::check(&mut self.planner.linter, "ARG", name, self.current.span);
            let value = match (self.given(name), &definition.default) {
                (Some(value), _) => Some(value),
                (None, Some(default)) => Some(self.expand(default)?),
                (None, None) => self.scope.values.get(name).map(str::to_owned),
            };
            match &value {
                Some(value) => {
                    if !is_unexported(name) {
                        self.state.environment.set(name, value);
                    }
                    texts.push(format!("{name}={value}"));
                }
                None => texts.push(name.to_owned()),
            }
            self.state.declare(name, value);
        }
        self.state.record(format!("ARG {}", texts.join(" ")));
        Ok(())
    }

    /// The value of `--build-arg`. For `SOURCE_DATE_EPOCH` the global scope has the number that the
    /// value stands for, if it stands for one.
    fn given(&self, name: &str) -> Option<String> {
        let given = self.planner.options.build_args.get(name)?;
        match name {
            epoch::NAME => self.scope.values.get(name).map(str::to_owned),
            _ => Some(given.clone()),
        }
    }
}
