//! What the parser, the planner and the lint rules say, as findings for a report.

use parser::Diagnostic;
use planner::{Problem, Warning};

use crate::outcome::Finding;

impl From<Diagnostic> for Finding {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            rule: None,
            url: None,
            message: diagnostic.message,
            span: Some(diagnostic.span),
            focus: Some(diagnostic.span),
            help: diagnostic.help,
        }
    }
}

impl From<&Problem> for Finding {
    fn from(problem: &Problem) -> Self {
        Self {
            rule: None,
            url: None,
            message: problem.fault.to_string(),
            span: problem.span,
            focus: problem.focus,
            help: problem.help.clone(),
        }
    }
}

impl From<&Warning> for Finding {
    fn from(warning: &Warning) -> Self {
        Self {
            rule: Some(warning.rule.name()),
            url: Some(warning.rule.url()),
            message: warning.message.clone(),
            span: Some(warning.span),
            focus: None,
            help: warning.help.clone(),
        }
    }
}
