//! A pseudo terminal, and a program that is started on it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The side of the user, who types and reads.
pub(crate) struct Terminal {
    master: File,
    child: Child,
    seen: String,
}

impl Terminal {
    /// Starts a program on a terminal of its own, of 40 rows and 100 columns.
    pub(crate) fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("which is text");
        let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a terminal has a size");
        let slave = File::options().read(true).write(true).open(name).expect("it is there");
        let stream = || slave.try_clone().map(OwnedFd::from).expect("there are descriptors left");
        command.stdin(stream()).stdout(stream()).stderr(stream()).env("TERM", "dumb");
        let child = command.spawn().expect("the program can be started");
        Self { master: File::from(master), child, seen: String::new() }
    }

    /// Reads until this was shown, after what was read before.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 1024];
        loop {
            if let Some(place) = self.seen.find(text) {
                self.seen.drain(..place + text.len());
                return;
            }
            let length = self.master.read(&mut buffer).unwrap_or(0);
            assert_ne!(length, 0, "the terminal was closed before {text:?}: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    }

    /// Types a line.
    pub(crate) fn enter(&mut self, line: &str) {
        self.master.write_all(format!("{line}\n").as_bytes()).expect("the terminal is open");
    }

    /// Waits for the program to end; its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        // What it still shows has to be read, or it waits for that. The end is reported as an error.
        let mut rest = Vec::new();
        let _ = self.master.read_to_end(&mut rest);
        self.child.wait().expect("it ends").code()
    }
}
