//! `VOLUME PATH …`

use parser::Word;
use parser::ast::Volume;

use super::{Current, Lowering};
use crate::error::Fault;
use crate::go_text;
use crate::lint::malformed_json_form;

impl Lowering<'_, '_> {
    pub(super) fn volume(&mut self, volume: &Volume) -> Result<(), Fault> {
        let paths: Vec<String> =
            volume.paths.iter().map(|path| self.expand(path)).collect::<Result<_, _>>()?;
        let written = volume.paths.iter().map(Word::as_written);
        let Current { keyword, span, .. } = &self.current;
        malformed_json_form::check_list(&mut self.planner.linter, keyword, written, *span);
        if paths.iter().any(String::is_empty) {
            return Err(Fault::EmptyVolume);
        }
        self.state.record(format!("VOLUME {}", go_text::list(&paths)));
        self.state.config.config.volumes.extend(paths);
        Ok(())
    }
}
