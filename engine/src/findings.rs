//! What the parser, the planner and the lint rules say, as findings for a report.

use std::sync::Arc;

use parser::Diagnostic;
use planner::{PlanError, Problem, Remark};

use crate::error::BuildError;
use crate::outcome::{DockerfileText, Finding, Label};

/// What keeps a Dockerfile from being planned, with the parser's warnings before it.
pub(crate) fn of_plan(text: &Arc<DockerfileText>, error: &PlanError, earlier: &[Finding]) -> BuildError {
    let findings = error.problems.iter().map(Finding::from).collect();
    let warnings = joined(earlier, &error.warnings);
    BuildError::Dockerfile { dockerfile: Arc::clone(text), findings, warnings }
}

/// The parser's warnings, then those of the rules.
pub(crate) fn joined(parsed: &[Finding], planned: &[Remark]) -> Vec<Finding> {
    parsed.iter().cloned().chain(planned.iter().map(Finding::from)).collect()
}

impl From<Diagnostic> for Finding {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            rule: None,
            message: diagnostic.message,
            span: Some(diagnostic.span),
            focus: Some(diagnostic.span),
            labels: diagnostic.labels.into_iter().map(|(span, text)| Label { span, text }).collect(),
            help: diagnostic.help,
        }
    }
}

impl From<&Problem> for Finding {
    fn from(problem: &Problem) -> Self {
        Self {
            rule: None,
            message: problem.fault.to_string(),
            span: problem.span,
            focus: problem.focus,
            labels: Vec::new(),
            help: problem.help.clone(),
        }
    }
}

impl From<&Remark> for Finding {
    fn from(remark: &Remark) -> Self {
        Self {
            rule: Some(remark.rule),
            message: remark.message.clone(),
            span: Some(remark.span),
            focus: None,
            labels: Vec::new(),
            help: remark.help.clone(),
        }
    }
}
