//! `RUN <<EOF` with several commands: a shell goes on after one that fails, and only the last one
//! decides whether the step did. With `&&` between them, as people know it from before, it stops.

use parser::Span;
use parser::ast::{CommandLine, Run, RunCommand};

use super::{Linter, Rule};

const SHELLS: &[&str] = &["sh", "ash", "bash", "dash", "ksh", "zsh"];
/// Commands that hardly fail.
const HARMLESS: &[&str] =
    &["echo", "export", "printf", "readonly", "set", "shopt", "trap", "umask", "unset", ":"];

/// `shell` is the SHELL of the stage, empty if none is set.
pub(crate) fn check(linter: &mut Linter, run: &Run, shell: &[String], span: Span) {
    let [heredoc] = run.heredocs.as_slice() else { return };
    let RunCommand::Line(CommandLine::Shell(text)) = &run.command else { return };
    let script = heredoc.text();
    // The line itself may call a shell: `RUN bash <<EOF`.
    let is_shell = match text.strip_suffix(&heredoc.name).and_then(|text| text.strip_suffix(&heredoc.content))
    {
        _ if *text == script => shell.is_empty() || stops_late(shell.iter().map(String::as_str)),
        Some(line) => {
            line.split_once("<<").is_some_and(|(command, _)| stops_late(command.split_whitespace()))
        }
        None => false,
    };
    if is_shell && may_fail_unnoticed(&script) {
        let message = "The shell goes on after a command of this here-document fails".to_owned();
        linter.report_with_help(
            Rule::HeredocWithoutErrexit,
            span,
            message,
            Some("begin it with: set -e".to_owned()),
        );
    }
}

/// Whether a command is a shell that is not told to exit when a command fails.
fn stops_late<'t>(mut words: impl Iterator<Item = &'t str>) -> bool {
    let program = words.next().unwrap_or_default();
    let is_shell = SHELLS.contains(&program.rsplit('/').next().unwrap_or_default());
    is_shell && !asks_for_errexit(words)
}

/// Whether the options of a shell, or of `set`, have `-e`.
fn asks_for_errexit<'t>(options: impl Iterator<Item = &'t str>) -> bool {
    options.into_iter().any(|option| {
        let letters = option.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        letters.is_some_and(|letters| letters.contains('e')) || option == "errexit"
    })
}

/// Whether a command that is not the last one can fail without anybody taking care of it.
fn may_fail_unnoticed(script: &str) -> bool {
    let commands = commands(script);
    let is_careful = commands.iter().any(|command| {
        let mut words = command.split([' ', '\t', ';']);
        (words.next() == Some("set") && asks_for_errexit(words)) || command.contains("|| exit")
    });
    let fallible = |command: &String| {
        let first = command.split([' ', '\t']).next().unwrap_or_default();
        !HARMLESS.contains(&first) && !first.ends_with("()") && !is_assignment(command)
    };
    !is_careful && commands.split_last().is_some_and(|(_, earlier)| earlier.iter().any(fallible))
}

/// `NAME=VALUE` without a command that makes the value.
fn is_assignment(command: &str) -> bool {
    let Some((name, value)) = command.split_once('=') else { return false };
    let is_name = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    is_name && !value.contains(['`', ' ']) && !value.contains("$(")
}

/// The commands of a script as its lines have them: without comments, continued and compound ones as one.
fn commands(script: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let (mut goes_on, mut depth) = (false, 0_usize);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match commands.last_mut() {
            Some(last) if goes_on || depth > 0 => {
                last.push(' ');
                last.push_str(line);
            }
            _ => commands.push(line.to_owned()),
        }
        goes_on = ["\\", "&&", "||", "|"].iter().any(|end| line.ends_with(end));
        depth = (depth + opened(line)).saturating_sub(closed(line));
    }
    commands
}

/// How many compound commands begin in a line.
fn opened(line: &str) -> usize {
    let keyword = words(line).filter(|word| ["if", "for", "while", "until", "case"].contains(word)).count();
    keyword + usize::from(line.ends_with(['{', '(']))
}

/// How many compound commands end in a line.
fn closed(line: &str) -> usize {
    let keyword = words(line).filter(|word| ["fi", "done", "esac"].contains(word)).count();
    keyword + usize::from(line.starts_with(['}', ')']))
}

/// The words of a line that can be keywords: the first one of each command.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split([';', '&', '|']).filter_map(|command| {
        let mut words = command.split_whitespace();
        words.find(|word| !["then", "do", "else", "!"].contains(word))
    })
}

#[cfg(test)]
mod tests {
    use crate::lint::{Rule, testing::findings};

    fn found(run: &str) -> Vec<String> {
        findings(Rule::HeredocWithoutErrexit, &format!("FROM busybox\n{run}\n"))
    }

    #[test]
    fn the_document_is_reported() {
        assert_eq!(
            found("RUN <<EOF\nmake\nmake install\nEOF"),
            ["3: The shell goes on after a command of this here-document fails"]
        );
        assert_eq!(found("RUN <<EOF\nif true; then make; fi\nls\nEOF").len(), 1);
        assert_eq!(found("RUN bash -x <<-'EOF'\n\tmake\n\tmake install\n\tEOF").len(), 1);
        assert_eq!(
            found("SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN <<EOF\nmake\nls\nEOF").len(),
            1
        );
    }

    #[test]
    fn whoever_takes_care_hears_nothing() {
        for run in [
            "RUN <<EOF\nset -eux\nmake\nls\nEOF",
            "RUN <<EOF\n# why\nset -o errexit\nmake\nls\nEOF",
            "RUN <<EOF\nmake || exit 1\nls\nEOF",
            "RUN sh -e <<EOF\nmake\nls\nEOF",
            "SHELL [\"/bin/bash\", \"-euo\", \"pipefail\", \"-c\"]\nRUN <<EOF\nmake\nls\nEOF",
        ] {
            assert!(found(run).is_empty(), "{run}");
        }
    }

    #[test]
    fn one_command_needs_no_care() {
        for run in [
            "RUN <<EOF\n\n# one\nmake &&\n  make install\nEOF",
            "RUN <<EOF\nmake \\\n  install\nEOF",
            "RUN <<EOF\nexport A=1\nB=2\necho begins\nmake\nEOF",
            "RUN <<EOF\nif [ -f Makefile ]; then\n  make\nelse\n  ls\nfi\nEOF",
            "RUN <<EOF\nfor name in *; do if true; then\n  make $name\nfi; done\nEOF",
            "RUN <<EOF\nall() {\n  make\n}\nall\nEOF",
        ] {
            assert!(found(run).is_empty(), "{run}");
        }
    }

    #[test]
    fn other_interpreters_have_other_rules() {
        for run in [
            "RUN <<EOF\n#!/bin/sh\nmake\nls\nEOF",
            "RUN python3 <<EOF\nprint(1)\nprint(2)\nEOF",
            "SHELL [\"/usr/bin/python3\", \"-c\"]\nRUN <<EOF\nprint(1)\nprint(2)\nEOF",
            "RUN cat <<EOF > /x\na\nb\nEOF",
        ] {
            assert!(found(run).is_empty(), "{run}");
        }
    }
}
