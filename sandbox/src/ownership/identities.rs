//! Which process believes to be whom.
//!
//! A process that changes its ids hands the new ones down to what it forks, and keeps them when it executes another
//! program. A table by process number would have to learn of every fork and every end, and numbers are used again.
//! The kernel keeps the table instead, in a value of each thread that is handed down and kept just so, which others
//! may set, and which otherwise is nobody's concern: the timer slack (`PR_SET_TIMERSLACK`, prctl(2)). It says by how
//! many nanoseconds a timer may be late, and is 50 000 for everybody; here a few more mean the ids with that number.
//! A program that sets a timer slack of its own becomes whoever the first process was.

use std::fs::File;
use std::io::{Read, Write};

use rustix::io::Errno;

use super::credentials::Credentials;

/// The timer slack of everybody, in nanoseconds.
const ORDINARY: u64 = 50_000;

/// More ids than any step has, and a bound for one that goes through all there are.
const LIMIT: usize = 65_536;

/// All that processes have been so far.
#[derive(Debug)]
pub(super) struct Identities {
    /// The first is that of the first process.
    known: Vec<Credentials>,
}

impl Identities {
    pub(super) fn new(first: Credentials) -> Self {
        Self { known: vec![first] }
    }

    /// What the first process is.
    pub(super) fn first(&self) -> &Credentials {
        // There is a first one from the beginning on.
        &self.known[0]
    }

    /// What a thread is.
    pub(super) fn of(&self, thread: u32) -> &Credentials {
        // As long as nobody has changed anything, there is nothing to look up.
        let changed = self.known.len() > 1;
        let number = changed
            .then(|| slack(thread))
            .flatten()
            .and_then(|slack| usize::try_from(slack.checked_sub(ORDINARY)?).ok());
        number.and_then(|number| self.known.get(number)).unwrap_or_else(|| self.first())
    }

    /// Makes a thread something else.
    pub(super) fn set(&mut self, thread: u32, credentials: Credentials) -> Result<(), Errno> {
        let number = match self.known.iter().position(|known| *known == credentials) {
            Some(number) => number,
            None if self.known.len() == LIMIT => return Err(Errno::AGAIN),
            None => {
                self.known.push(credentials);
                self.known.len() - 1
            }
        };
        let slack = ORDINARY + u64::try_from(number).unwrap_or_default();
        let file = File::options().write(true).open(format!("/proc/{thread}/timerslack_ns"));
        file.and_then(|mut file| file.write_all(slack.to_string().as_bytes())).map_err(|_| Errno::PERM)
    }
}

fn slack(thread: u32) -> Option<u64> {
    let mut text = [0; 24];
    let length = File::open(format!("/proc/{thread}/timerslack_ns")).ok()?.read(&mut text).ok()?;
    std::str::from_utf8(text.get(..length)?).ok()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::print_stderr, reason = "a test says what it skips")]
    fn a_thread_hands_its_ids_down() {
        let mut identities = Identities::new(Credentials::new(0, 0, vec![]));
        let user = Credentials::new(1000, 1000, vec![4]);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let thread = child.id();
        assert_eq!(identities.of(thread), identities.first());
        if let Err(errno) = identities.set(thread, user.clone()) {
            eprintln!("SKIPPED: no timer slack of others can be set here: {errno}");
        } else {
            assert_eq!(identities.of(thread), &user);
            identities.set(thread, Credentials::new(0, 0, vec![])).unwrap();
            assert_eq!(identities.of(thread), identities.first());
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
