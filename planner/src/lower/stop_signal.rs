//! `STOPSIGNAL SIGNAL`

use image::signal::Signal;
use parser::ast::StopSignal;

use super::Lowering;
use crate::error::Fault;

impl Lowering<'_, '_> {
    /// The signal is checked and kept as it was written. As in `BuildKit`, a number may be any but 0:
    /// what it means is up to the kernel that runs the container.
    pub(super) fn stop_signal(&mut self, instruction: &StopSignal) -> Result<(), Fault> {
        let signal = self.expand(&instruction.signal)?;
        if !is_nonzero(&signal) {
            signal.parse::<Signal>()?;
        }
        self.state.record(format!("STOPSIGNAL {signal}"));
        self.state.config.config.stop_signal = signal;
        Ok(())
    }
}

fn is_nonzero(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number != 0)
}
