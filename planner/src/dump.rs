//! The readable form of a plan, for tests and bug reports.
//!
//! ```text
//! %0 = image sha256:6f2a…
//! %1 = exec cwd=/ ["/bin/sh", "-c", "make"] <- %0
//!
//! target linux/amd64 = %1
//!   base docker.io/library/busybox:latest (linux/amd64)
//!   config {"Env":["PATH=/bin"],"Cmd":["sh"]}
//!   history
//!     %1 RUN /bin/sh -c make # buildkit
//!
//! steps
//!   %0 [1/2] FROM docker.io/library/busybox:latest  stage-0:0 line 1
//!   %1 [2/2] RUN make  stage-0:1 line 2
//! ```
//!
//! Of the history only what is new is shown, with the vertex of the layer or `-` for none.

use std::collections::HashMap;
use std::fmt::Write as _;

use graph::{Name, VertexId};
use parser::LineIndex;

use crate::lint::Remark;
use crate::{Plan, Problem, Target};

/// A plan as text; `lines` is the Dockerfile that it was made from.
pub fn plan(plan: &Plan, lines: &LineIndex<'_>) -> String {
    let numbers: HashMap<VertexId, usize> =
        plan.graph.vertices().enumerate().map(|(number, (id, _))| (id, number)).collect();
    let number =
        |vertex: VertexId| numbers.get(&vertex).map_or("?".to_owned(), |number| format!("%{number}"));
    let mut text = graph::dump::graph(&plan.graph);
    for target in &plan.targets {
        text.push('\n');
        self::target(&mut text, target, &number);
    }
    text.push_str("\nsteps\n");
    for (vertex, steps) in plan.steps.iter() {
        for step in steps {
            let _ = write!(text, "  {} {}", number(vertex), step.label);
            if !step.position.stage.is_empty() {
                let _ = write!(text, "  {}:{}", step.position.stage, step.position.ordinal);
            }
            if let Some(span) = step.span {
                let _ = write!(text, " line {}", lines.line(span.start));
            }
            text.push('\n');
        }
    }
    if !plan.uncached.is_empty() {
        let mut uncached: Vec<usize> =
            plan.uncached.iter().filter_map(|vertex| numbers.get(vertex).copied()).collect();
        uncached.sort_unstable();
        let _ = writeln!(text, "\nuncached {uncached:?}");
    }
    if let Some(seconds) = plan.source_date_epoch {
        let _ = writeln!(text, "\nsource date epoch {seconds}");
    }
    text.push_str(&warnings(&plan.warnings, lines));
    text.push_str(&remarks("notes", &plan.notes, lines));
    text
}

fn target(text: &mut String, target: &Target, number: &impl Fn(VertexId) -> String) {
    let _ = writeln!(text, "target {} = {}", target.platform, number(target.rootfs));
    if let Some(base) = &target.base {
        let _ = writeln!(text, "  base {}", Name::Image(base.name.clone()));
    }
    let config = &target.config;
    let _ = writeln!(text, "  platform {}", config.platform());
    if let Some(author) = &config.author {
        let _ = writeln!(text, "  author {author}");
    }
    let json = serde_json::to_string(&config.config).unwrap_or_default();
    let _ = writeln!(text, "  config {json}");
    let inherited = target.base.as_ref().map_or(0, |base| base.config.history.len());
    if config.history.len() > inherited {
        text.push_str("  history\n");
    }
    for (index, entry) in config.history.iter().enumerate().skip(inherited) {
        let layer = target.layers.iter().find(|layer| layer.history == index);
        let layer = layer.map_or("-".to_owned(), |layer| number(layer.vertex));
        let _ = writeln!(text, "    {layer} {}", entry.created_by.replace('\n', "\\n"));
    }
}

/// Names that have to be pinned, as text.
pub fn names(names: &[Name]) -> String {
    names.iter().fold("needs\n".to_owned(), |text, name| format!("{text}  {name}\n"))
}

/// Problems as text.
pub fn problems(problems: &[Problem], lines: &LineIndex<'_>) -> String {
    let mut text = String::new();
    for problem in problems {
        match problem.span {
            Some(span) => _ = writeln!(text, "error in line {}: {}", lines.line(span.start), problem.fault),
            None => _ = writeln!(text, "error: {}", problem.fault),
        }
        if let Some(focus) = problem.focus {
            let _ = writeln!(text, "  at {:?}", focus.of(lines.text()));
        }
        if let Some(help) = &problem.help {
            let _ = writeln!(text, "  help: {help}");
        }
    }
    text
}

/// Warnings of lint rules as text; nothing if there are none.
pub fn warnings(warnings: &[Remark], lines: &LineIndex<'_>) -> String {
    remarks("warnings", warnings, lines)
}

fn remarks(heading: &str, remarks: &[Remark], lines: &LineIndex<'_>) -> String {
    if remarks.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{heading}\n");
    for remark in remarks {
        let line = lines.line(remark.span.start);
        let _ = writeln!(text, "  {}: {} (line {line})", remark.rule.name(), remark.message);
    }
    text
}
