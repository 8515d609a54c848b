//! `LABEL KEY=VALUE …`

use std::fmt::Write as _;

use parser::ast::Label;

use super::Lowering;
use crate::error::Fault;
use crate::lint::legacy_key_value_format;

impl Lowering<'_, '_> {
    pub(super) fn label(&mut self, label: &Label) -> Result<(), Fault> {
        let mut text = "LABEL".to_owned();
        for (key, value) in self.expand_pairs(&label.pairs)? {
            let (linter, keyword) = (&mut self.planner.linter, &self.current.keyword);
            legacy_key_value_format::check(linter, keyword, label.form, self.current.span);
            let _ = write!(text, " {key}={value}");
            self.state.config.config.labels.insert(key, value);
        }
        self.state.record(text);
        Ok(())
    }
}
