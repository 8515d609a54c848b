//! `CMD COMMAND`: what the image runs unless it is told otherwise.

use parser::ast::{Cmd, CommandLine};

use super::Lowering;
use crate::go_text;
use crate::lint::{json_args_recommended, malformed_json_form, multiple_instructions_disallowed};

impl Lowering<'_, '_> {
    /// `ArgsEscaped` is always set, which means something on Windows only.
    pub(super) fn cmd(&mut self, cmd: &Cmd) {
        let earlier = self.last_cmd.replace(self.current.span);
        let linter = &mut self.planner.linter;
        multiple_instructions_disallowed::check(linter, &self.current.keyword, earlier);
        let args = self.image_command(&cmd.command);
        self.state.record(format!("CMD {}", go_text::quoted_list(&args)));
        self.state.config.config.cmd = (!args.is_empty()).then_some(args);
        self.state.config.config.args_escaped = true;
    }

    /// A command for the image, behind the shell if it is a text.
    pub(super) fn image_command(&mut self, command: &CommandLine) -> Vec<String> {
        match command {
            CommandLine::Exec(args) => args.clone(),
            CommandLine::Shell(text) => {
                let shell_is_set = !self.state.config.config.shell.is_empty();
                let (linter, keyword) = (&mut self.planner.linter, &self.current.keyword);
                json_args_recommended::check(linter, keyword, shell_is_set, self.current.span);
                malformed_json_form::check(linter, keyword, command, self.current.span);
                self.state.with_shell(text)
            }
        }
    }
}
