//! What is left of a build on the machine, however it ends: nothing, or what the next build removes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::machine::{Machine, unfinished_work};

use crate::project::Project;

/// What the step prints; its label has other quotes.
const BEGUN: &str = " begun";

/// Steps with everything that has to be taken away again: mounts, networks, a limited group, daemons.
const DOCKERFILE: &str = "\
FROM busybox
RUN echo first > /first
ARG END
RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/memory --mount=type=bind,target=/context \\
    --mount=type=bind,from=busybox,target=/other,rw \\
    trap '' TERM INT HUP; (setsid sleep 86420 &) ; echo be''gun; \\
    if [ \"$END\" = wait ]; then tail -f /dev/null & wait; fi; \\
    test \"$END\" != fail
RUN --network=none true
";

/// How long those who were killed may take to die.
const PATIENCE: Duration = Duration::from_secs(60);

/// A project, and a machine in which nothing else is.
struct World {
    project: Project,
    machine: Machine,
}

impl World {
    fn new() -> Option<Self> {
        Some(Self { project: Project::with_busybox(DOCKERFILE)?, machine: Machine::start()? })
    }

    fn command(&self, end: &str) -> Command {
        let end = format!("END={end}");
        let arguments = ["build", "--progress=plain", "--memory=200m", "--build-arg", &end, "context"];
        self.machine.command(&self.project.command(&arguments))
    }

    /// Runs a build to its end; its exit code.
    fn build(&self, end: &str) -> Option<i32> {
        let output = self.machine.output(&mut self.command(end)).expect("the program can be started");
        let code = output.status.code();
        assert!(code.is_some(), "{}", String::from_utf8_lossy(&output.stderr));
        code
    }

    /// Starts a build that does not end, and reads on until a line of its progress has this text.
    fn begin(&self, text: &str) -> (Child, BufReader<ChildStderr>) {
        let mut command = self.command("wait");
        let mut child =
            self.machine.spawn(command.stderr(Stdio::piped())).expect("the program can be started");
        let mut progress = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(progress.read_line(&mut line).expect("a pipe can be read"), 0, "no {text:?}");
        }
        (child, progress)
    }

    /// Nothing is left on the machine.
    #[track_caller]
    fn assert_nothing_runs(&self, after: &str) {
        let left = self.machine.leftovers_at_last().expect("a machine can be looked at");
        assert_eq!(left, Vec::<String>::new(), "after {after}");
    }

    /// Nothing is left in the store either.
    #[track_caller]
    fn assert_clean(&self, after: &str) {
        self.assert_nothing_runs(after);
        let left = unfinished_work(&self.project.directory().join("store")).expect("it was made");
        assert_eq!(left, Vec::<String>::new(), "after {after}");
    }

    /// Like [`assert_nothing_runs`](Self::assert_nothing_runs), but for groups, which nobody is there to remove.
    #[track_caller]
    fn assert_only_groups_are_left(&self, after: &str) {
        let is_more = |line: &String| !line.starts_with("cgroup ");
        let began = Instant::now();
        loop {
            let left = self.machine.leftovers().expect("a machine can be looked at");
            if !left.iter().any(is_more) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "after {after}: {left:?}");
        }
    }
}

#[test]
fn a_build_that_ends_leaves_nothing() {
    let Some(world) = World::new() else { return };
    assert_eq!(world.build("well"), Some(0));
    world.assert_clean("success");
    assert_eq!(world.build("fail"), Some(1));
    world.assert_nothing_runs("failure");
}

#[test]
fn a_build_that_is_interrupted_leaves_nothing() {
    let Some(world) = World::new() else { return };
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (mut child, mut progress) = world.begin(BEGUN);
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        progress.read_to_string(&mut String::new()).expect("a pipe can be read");
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
        world.assert_clean("an interruption");
    }
}

#[test]
fn what_a_killed_build_leaves_is_gone_after_the_next() {
    let Some(world) = World::new() else { return };
    // At the start, while a step is being prepared or runs, and in the middle of the step that does not end.
    for instant in ["#1 ", "echo first", "END", BEGUN] {
        let (mut child, progress) = world.begin(instant);
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        drop(progress);
        world.assert_only_groups_are_left(instant);
        assert_eq!(world.build("well"), Some(0));
        world.assert_clean(instant);
    }
}

#[test]
fn whoever_of_the_sandbox_is_killed_the_rest_goes_too() {
    let Some(world) = World::new() else { return };
    let (mut child, mut progress) = world.begin(BEGUN);
    let helpers = world.machine.processes_with("__sandbox").expect("a machine can be looked at");
    assert!(helpers.len() >= 2, "a server and a supervisor: {:?}", world.machine.leftovers());
    for helper in helpers {
        // The death of one may be that of the next.
        let _ = kill_process(helper, Signal::KILL);
    }
    let mut rest = String::new();
    progress.read_to_string(&mut rest).expect("a pipe can be read");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{rest}");
    world.assert_only_groups_are_left("the death of all helpers");
    assert_eq!(world.build("well"), Some(0));
    world.assert_clean("the next build");
}
