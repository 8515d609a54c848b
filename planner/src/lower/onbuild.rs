//! `ONBUILD INSTRUCTION`: a trigger for what is built on this image.

use parser::ast::Onbuild;

use super::Lowering;

impl Lowering<'_, '_> {
    /// The text is kept; it leaves no history entry.
    pub(super) fn onbuild(&mut self, onbuild: &Onbuild) {
        self.state.config.config.on_build.push(onbuild.trigger.clone());
    }
}
