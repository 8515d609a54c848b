//! `ENTRYPOINT COMMAND`: what the image runs, whatever it is told.

use parser::ast::Entrypoint;

use super::Lowering;
use crate::go_text;
use crate::lint::multiple_instructions_disallowed;

impl Lowering<'_, '_> {
    /// The command of the base is no argument for this program, so it is dropped, unless the stage
    /// has a CMD of its own already.
    pub(super) fn entrypoint(&mut self, entrypoint: &Entrypoint) {
        let earlier = self.last_entrypoint.replace(self.current.span);
        let linter = &mut self.planner.linter;
        multiple_instructions_disallowed::check(linter, &self.current.keyword, earlier);
        let args = self.image_command(&entrypoint.command);
        self.state.record(format!("ENTRYPOINT {}", go_text::quoted_list(&args)));
        self.state.config.config.entrypoint = (!args.is_empty()).then_some(args);
        if self.last_cmd.is_none() {
            self.state.config.config.cmd = None;
        }
    }
}
