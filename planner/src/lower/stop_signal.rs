//! `STOPSIGNAL SIGNAL`

use parser::ast::StopSignal;

use super::Lowering;
use crate::error::Fault;

impl Lowering<'_, '_> {
    /// The signal is checked and kept as it was written.
    pub(super) fn stop_signal(&mut self, instruction: &StopSignal) -> Result<(), Fault> {
        let signal = self.expand(&instruction.signal)?;
        if !is_signal(&signal) {
            return Err(Fault::Signal(signal));
        }
        self.state.record(format!("STOPSIGNAL {signal}"));
        self.state.config.config.stop_signal = signal;
        Ok(())
    }
}

const NAMES: &[&str] = &[
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "IOT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "POLL", "PWR", "SYS", "UNUSED", "RTMIN", "RTMAX",
];

/// Whether a text is the name of a signal of Linux, with or without `SIG`, or a number.
fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<i32>() {
        return number != 0;
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = name.strip_prefix("RTMIN+").or_else(|| name.strip_prefix("RTMAX-"));
    match offset {
        Some(offset) => offset.parse::<u8>().is_ok_and(|offset| (1..=15).contains(&offset)),
        None => NAMES.contains(&name),
    }
}
