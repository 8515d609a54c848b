//! `STOPSIGNAL SIGNAL`

use image::signal::Signal;
use parser::ast::StopSignal;

use super::Lowering;
use crate::error::Fault;

impl Lowering<'_, '_> {
    /// The signal is checked and kept as it was written.
    pub(super) fn stop_signal(&mut self, instruction: &StopSignal) -> Result<(), Fault> {
        let signal = self.expand(&instruction.signal)?;
        signal.parse::<Signal>()?;
        self.state.record(format!("STOPSIGNAL {signal}"));
        self.state.config.config.stop_signal = signal;
        Ok(())
    }
}
