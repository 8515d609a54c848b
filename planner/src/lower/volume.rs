//! `VOLUME PATH …`

use parser::ast::Volume;

use super::Lowering;
use crate::error::Fault;
use crate::go_text;

impl Lowering<'_, '_> {
    pub(super) fn volume(&mut self, volume: &Volume) -> Result<(), Fault> {
        let paths: Vec<String> =
            volume.paths.iter().map(|path| self.expand(path)).collect::<Result<_, _>>()?;
        if paths.iter().any(String::is_empty) {
            return Err(Fault::EmptyVolume);
        }
        self.state.record(format!("VOLUME {}", go_text::list(&paths)));
        self.state.config.config.volumes.extend(paths);
        Ok(())
    }
}
