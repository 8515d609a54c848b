//! How a process ended that did not succeed, in words.

use std::fmt;

use sandbox::{Exit, Incidents, OutOfMemory, signal};

/// How the process of a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// By which code or signal.
    pub exit: Exit,
    /// Whose memory ran out, if processes were killed for that.
    pub out_of_memory: Option<OutOfMemory>,
    /// The limit of the step's processes, if it was reached.
    pub process_limit: Option<u64>,
}

impl Ending {
    /// What is known of the end. Where memory ran out around the step, somebody else may have been killed: that
    /// counts only for a process that looks like a victim.
    pub(crate) fn new(exit: Exit, incidents: Incidents) -> Self {
        let Incidents { out_of_memory, process_limit } = incidents;
        let is_kill = exit.shell_code() == 128 + KILL;
        let out_of_memory =
            out_of_memory.filter(|memory| is_kill || matches!(memory, OutOfMemory::Limit { .. }));
        Self { exit, out_of_memory, process_limit }
    }

    /// The exit code as shells report it.
    pub fn code(&self) -> i32 {
        self.exit.shell_code()
    }
}

/// The number of SIGKILL.
const KILL: i32 = 9;

/// In `BuildKit`'s words, which scripts look for, and with more behind them.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code: {}", self.code())?;
        if let Some(whose) = &self.out_of_memory {
            f.write_str(": cannot allocate memory")?;
            match whose {
                OutOfMemory::Limit { bytes } => write!(f, " (the limit of the step is {})", Size(*bytes))?,
                OutOfMemory::Surroundings => f.write_str(" (the limit around the builder was reached)")?,
                OutOfMemory::Machine => f.write_str(" (the machine has no more)")?,
            }
        } else if let Exit::Signal(number) = self.exit {
            match signal::describe(number) {
                Some((name, meaning)) => write!(f, ": killed by {name} ({meaning})")?,
                None => write!(f, ": killed by signal {number}")?,
            }
        }
        match self.process_limit {
            Some(limit) => write!(f, ": cannot start a process (the limit of {limit} processes was reached)"),
            None => Ok(()),
        }
    }
}

/// Bytes in the largest binary unit of which they are a whole number.
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            if self.0 != 0 && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{} {unit}", self.0 >> shift);
            }
        }
        write!(f, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(exit: Exit, out_of_memory: Option<OutOfMemory>, process_limit: Option<u64>) -> String {
        Ending::new(exit, Incidents { out_of_memory, process_limit }).to_string()
    }

    #[test]
    fn ends_are_told_in_words() {
        assert_eq!(text(Exit::Code(2), None, None), "exit code: 2");
        assert_eq!(
            text(Exit::Signal(11), None, None),
            "exit code: 139: killed by SIGSEGV (segmentation fault)"
        );
        assert_eq!(text(Exit::Signal(40), None, None), "exit code: 168: killed by signal 40");
        let limit = Some(OutOfMemory::Limit { bytes: 64 << 20 });
        assert_eq!(
            text(Exit::Signal(9), limit, None),
            "exit code: 137: cannot allocate memory (the limit of the step is 64 MiB)"
        );
        assert_eq!(
            text(Exit::Code(1), limit, None),
            "exit code: 1: cannot allocate memory (the limit of the step is 64 MiB)"
        );
        assert_eq!(
            text(Exit::Code(2), None, Some(50)),
            "exit code: 2: cannot start a process (the limit of 50 processes was reached)"
        );
    }

    #[test]
    fn a_lack_of_memory_elsewhere_counts_for_victims_only() {
        let machine = Some(OutOfMemory::Machine);
        assert_eq!(text(Exit::Code(1), machine, None), "exit code: 1");
        let killed = "exit code: 137: cannot allocate memory (the machine has no more)";
        assert_eq!(text(Exit::Code(137), machine, None), killed);
    }
}
