//! A here-document with Windows line ends. They are part of its text, so a shell takes the carriage
//! return as the last letter of each command, and the kernel as part of the interpreter's name.
//!
//! Scripts that are files of the context are the engine's to look at.

use parser::Span;
use parser::heredoc::Heredoc;

use super::{Linter, Rule};

/// Looks at a document that RUN executes.
pub(crate) fn check_command(linter: &mut Linter, heredoc: &Heredoc, span: Span) {
    if heredoc.content.contains("\r\n") {
        let message = "The lines of this here-document end in CR LF, and the CR becomes part of each command";
        report(linter, message, span);
    }
}

/// Looks at a document that COPY or ADD writes: only a script makes trouble.
pub(crate) fn check_file(linter: &mut Linter, heredoc: &Heredoc, span: Span) {
    let first_line =
        heredoc.content.split_inclusive('\n').next().unwrap_or_default().trim_start_matches('\t');
    if first_line.starts_with("#!") && first_line.ends_with("\r\n") {
        let message =
            "The lines of this script end in CR LF, and the CR becomes part of its interpreter's name";
        report(linter, message, span);
    }
}

fn report(linter: &mut Linter, message: &str, span: Span) {
    let help = "store the Dockerfile with Unix line ends".to_owned();
    linter.report_with_help(Rule::CrlfScript, span, message.to_owned(), Some(help));
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    fn found(text: &str) -> usize {
        findings(Rule::CrlfScript, text).len()
    }

    #[test]
    fn commands_and_scripts_are_reported_at_their_document() {
        assert_eq!(
            findings(Rule::CrlfScript, "FROM busybox\r\nRUN <<EOF\r\nmake\r\nEOF\r\n"),
            ["3: The lines of this here-document end in CR LF, and the CR becomes part of each command"]
        );
        assert_eq!(
            findings(Rule::CrlfScript, "FROM busybox\r\nCOPY <<EOF /run.sh\r\n#!/bin/sh\r\nmake\r\nEOF\r\n"),
            ["3: The lines of this script end in CR LF, and the CR becomes part of its interpreter's name"]
        );
        assert_eq!(found("FROM busybox\r\nRUN <<EOF\r\n#!/bin/sh\r\nmake\r\nEOF\r\n"), 1);
    }

    #[test]
    fn other_files_may_have_any_line_ends() {
        assert_eq!(found("FROM busybox\r\nCOPY <<EOF /a.txt\r\ntext\r\nEOF\r\n"), 0);
        assert_eq!(found("FROM busybox\r\nRUN make \\\r\n  all\r\n"), 0);
        assert_eq!(found("FROM busybox\nRUN <<EOF\nmake\nEOF\n"), 0);
    }
}
