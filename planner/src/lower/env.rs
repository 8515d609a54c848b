//! `ENV KEY=VALUE …`: variables of the image, and of the instructions that follow.

use std::fmt::Write as _;

use parser::ast::{Env, KeyValue};

use super::Lowering;
use crate::error::Fault;
use crate::lint::{legacy_key_value_format, secrets_used_in_arg_or_env};

impl Lowering<'_, '_> {
    /// All values are expanded before the first variable is set: `ENV a=1 b=$a` uses the old `a`.
    pub(super) fn env(&mut self, env: &Env) -> Result<(), Fault> {
        let pairs = self.expand_pairs(&env.pairs)?;
        let mut text = "ENV".to_owned();
        for (name, value) in &pairs {
            let (linter, span) = (&mut self.planner.linter, self.current.span);
            legacy_key_value_format::check(linter, &self.current.keyword, env.form, span);
            secrets_used_in_arg_or_env::check(linter, "ENV", name, span);
            let _ = write!(text, " {name}={value}");
            self.state.set_listed(name, value);
        }
        self.state.record(text);
        Ok(())
    }

    pub(super) fn expand_pairs(&mut self, pairs: &[KeyValue]) -> Result<Vec<(String, String)>, Fault> {
        pairs.iter().map(|pair| Ok((self.expand(&pair.key)?, self.expand(&pair.value)?))).collect()
    }
}
