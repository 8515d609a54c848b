//! [`Machine`]: namespaces in which a program runs alone, so that everything it leaves behind can be counted.
//!
//! ```text
//! test ─ unshare ─ pid 1 of the machine   `cat`, which ignores SIGCHLD: orphans are its children, and vanish
//!    │             ├─ own pid, mount and network namespaces, own control groups; files are the host's
//!    └─ setns, spawn ─▶ the program       a child of the test, which may signal it and wait for it
//! ```
//! What the machine had when it started is known; whatever else is there later is the program's. Nothing of
//! other programs on the host is seen, so counts are exact however many tests run at the same time. The machine
//! ends with the test: `cat` reads a pipe that nobody else holds, and with pid 1 the kernel ends the rest.

mod groups;
mod inventory;
mod tables;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use groups::Groups;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// How long a killed program's kin may take to die before they count as left behind.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine of its own for the programs of one test.
#[derive(Debug)]
pub struct Machine {
    unshare: Child,
    /// Pid 1 of the machine, by its number on the host.
    init: u32,
    /// What was there at the start.
    own: BTreeSet<String>,
    groups: Groups,
    _life: Option<ChildStdin>,
}

impl Machine {
    /// Starts a machine whose network has nothing but a loopback interface. None, said on stderr, where this
    /// process may not make namespaces.
    #[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
    pub fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(machine) => Some(machine),
            Err(error) => {
                eprintln!("SKIPPED: this process cannot make a machine of namespaces: {error}");
                None
            }
        }
    }

    fn try_start() -> io::Result<Self> {
        // Not every shell passes on that a signal is ignored.
        let script = "busybox ifconfig lo up; exec env --ignore-signal=CHLD cat";
        let mut command = Command::new("unshare");
        command.args(["--pid", "--mount", "--net", "--kill-child", "--mount-proc", "sh", "-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut unshare = command.spawn()?;
        // What `cat` sends back shows that it is there.
        let mut life = unshare.stdin.take();
        life.as_mut().map(|stdin| stdin.write_all(b"ready\n")).transpose()?;
        let mut ready = String::new();
        if let Some(stdout) = unshare.stdout.take() {
            BufReader::new(stdout).read_line(&mut ready)?;
        }
        if ready != "ready\n" {
            let status = unshare.wait()?;
            return Err(io::Error::other(format!("unshare: {status}")));
        }
        let (init, groups) = (only_child(unshare.id())?, Groups::make());
        let mut machine = Self { init, unshare, own: BTreeSet::new(), groups, _life: life };
        machine.own = machine.inventory()?;
        Ok(machine)
    }

    /// The same command inside of the machine, with the variables that were set for it and no others. It has to
    /// be started by [`spawn`](Self::spawn).
    pub fn command(&self, inner: &Command) -> Command {
        let init = self.init.to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &init, "--mount", "--net", "--"]);
        // Entering a mount namespace leads to its root.
        let mut script = "cd \"$0\"".to_owned();
        for entrance in self.groups.entrances() {
            let _ = write!(script, " && echo $$ > '{}'", entrance.display());
        }
        command.args(["sh", "-c", &format!("{script} && exec \"$@\"")]);
        command.arg(inner.get_current_dir().unwrap_or(Path::new("/")));
        command.arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
        command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// Starts a command of [`command`](Self::command). It is a child of this process like any other.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let processes = File::open(format!("/proc/{}/ns/pid", self.init))?;
        // A namespace for children, and only for those of the thread that asks for it.
        let enter_and_spawn = || {
            move_into_link_name_space(processes.as_fd(), Some(LinkNameSpaceType::ProcessID))?;
            command.spawn()
        };
        thread::scope(|scope| scope.spawn(enter_and_spawn).join().expect("this closure does not panic"))
    }

    /// Runs a command of [`command`](Self::command) to its end, and returns what it printed.
    pub fn output(&self, command: &mut Command) -> io::Result<Output> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.spawn(command)?.wait_with_output()
    }

    /// What is in the machine now and was not at its start, one line each: `process 7 sleep 60`,
    /// `mount /mnt tmpfs`, `namespace net:[4026532001]`, `interface veth0`, `table filter`, `cgroup …`.
    pub fn leftovers(&self) -> io::Result<Vec<String>> {
        Ok(self.inventory()?.difference(&self.own).cloned().collect())
    }

    /// Waits until nothing is left that was not there at the start: who was killed takes a moment to die, and so
    /// do network interfaces. What is still there after a minute is returned.
    pub fn leftovers_at_last(&self) -> io::Result<Vec<String>> {
        let began = Instant::now();
        loop {
            let left = self.leftovers()?;
            if left.is_empty() || began.elapsed() > PATIENCE {
                return Ok(left);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The number on the host of a process of the machine whose command line has this word.
    pub fn process_with(&self, word: &str) -> io::Result<Option<Pid>> {
        Ok(self.processes_with(word)?.into_iter().next())
    }

    /// The same of all such processes.
    pub fn processes_with(&self, word: &str) -> io::Result<Vec<Pid>> {
        inventory::processes_with(self.init, word)
    }

    fn inventory(&self) -> io::Result<BTreeSet<String>> {
        let mut found = inventory::of(self.init)?;
        found.extend(self.groups.lines());
        Ok(found)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let init = Pid::from_raw(self.init.cast_signed()).map(|init| pidfd_open(init, PidfdFlags::empty()));
        // With `unshare` the kernel kills pid 1, and with pid 1 all others.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        if let Some(Ok(init)) = init {
            // Pid 1 is the last to go. Who was started here and not waited for keeps it.
            let moment = Timespec { tv_sec: 5, tv_nsec: 0 };
            let _ = poll(&mut [PollFd::new(&init, PollFlags::IN)], Some(&moment));
        }
    }
}

fn only_child(parent: u32) -> io::Result<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&path)?;
    let child = children.split_ascii_whitespace().next().and_then(|number| number.parse().ok());
    child.ok_or_else(|| io::Error::other(format!("{path}: {children:?}")))
}

/// What a store has of unfinished work: the entries of its directories for drafts and temporary files.
pub fn unfinished_work(store: &Path) -> io::Result<Vec<String>> {
    let mut left = Vec::new();
    for name in ["drafts", "tmp"] {
        for entry in fs::read_dir(store.join(name))? {
            left.push(format!("{name}/{}", entry?.file_name().to_string_lossy()));
        }
    }
    left.sort();
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    #[test]
    fn everything_that_a_program_leaves_is_counted() {
        let Some(machine) = Machine::start() else { return };
        assert_eq!(machine.leftovers().unwrap(), Vec::<String>::new());
        let script =
            "mount -t tmpfs x /mnt; sleep 8642 > /dev/null 2>&1 & unshare --uts true; echo $$; ls /proc";
        let output = machine.output(&mut machine.command(&shell(script))).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let id = text.lines().next().unwrap();
        assert!(text.lines().any(|name| name == id), "it sees itself: {text}");
        let network = File::open(format!("/proc/{}/ns/net", machine.init)).unwrap();
        tables::tests::make(&network, *b"one\0").unwrap();
        let left = machine.leftovers().unwrap();
        assert_eq!(left[0], "mount /mnt tmpfs", "{left:?}");
        assert!(left[1].starts_with("process ") && left[1].ends_with(" sleep 8642"), "{left:?}");
        assert_eq!(left[2..], ["table one"]);
        let sleeping = machine.process_with("8642").unwrap().unwrap();
        rustix::process::kill_process(sleeping, rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn a_program_is_a_child_of_the_test() {
        let Some(machine) = Machine::start() else { return };
        let mut command = machine.command(&shell("echo begun; exec sleep 7531"));
        let mut child = machine.spawn(command.stdout(Stdio::piped())).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None);
        assert_eq!(machine.leftovers_at_last().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn namespaces_that_live_on_are_counted() {
        let Some(machine) = Machine::start() else { return };
        let script = "unshare --uts sleep 6420 > /dev/null 2>&1 & echo";
        machine.output(&mut machine.command(&shell(script))).unwrap();
        let began = Instant::now();
        let is_namespace = |line: &String| line.starts_with("namespace uts:");
        while !machine.leftovers().unwrap().iter().any(is_namespace) {
            assert!(began.elapsed() < PATIENCE, "{:?}", machine.leftovers());
        }
    }
}
