//! `SHELL ["PROGRAM", "ARGUMENT", …]`: what the shell forms that follow are run by.

use parser::ast::Shell;

use super::Lowering;
use crate::go_text;

impl Lowering<'_, '_> {
    pub(super) fn shell(&mut self, shell: &Shell) {
        self.state.config.config.shell.clone_from(&shell.shell);
        self.state.record(format!("SHELL {}", go_text::list(&shell.shell)));
    }
}
