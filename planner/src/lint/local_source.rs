//! What the rules about files of the context need: the planner sees no files, so whoever does asks
//! here whether a rule applies.

use parser::Span;

use super::options::CheckOptions;
use super::{Remark, Rule};

/// A source of COPY or ADD in the main context.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalSource {
    /// The source as it was written, variables replaced.
    pub written: String,
    /// The pattern of what it selects, relative to the root of the context.
    pub pattern: String,
    /// Whether it is one of `COPY --parents`, where `**` stands for any number of directories.
    pub parents: bool,
    /// The instruction.
    pub span: Span,
    pub(crate) options: CheckOptions,
}

impl LocalSource {
    /// A finding about the source; none where the rule does not apply.
    pub fn remark(&self, rule: Rule, message: String, help: Option<String>) -> Option<Remark> {
        self.options.applies(rule).then_some(Remark { rule, message, span: self.span, help })
    }
}
