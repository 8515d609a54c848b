//! What is left when a build is interrupted or killed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStderr, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::project::{Project, steps};

/// A step that does not end while `BLOCK` is not empty. The mark is found on its command line.
fn blocking(mark: &str) -> String {
    format!(
        "FROM busybox\n\
         RUN echo before > /before\n\
         ARG BLOCK\n\
         RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/memory \\\n\
             if [ -n \"$BLOCK\" ]; then echo begun; tail -n {mark} -f /dev/null & wait; fi; cat /before\n"
    )
}

/// A word that no other test's processes have on their command line: a number, for `tail`.
fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("9{}{:07}", NEXT.fetch_add(1, Ordering::Relaxed), std::process::id())
}

/// The processes of this machine whose command line has this word: ids and lines.
fn processes_with(word: &str) -> Vec<(Pid, String)> {
    let entries = fs::read_dir("/proc").expect("every system has it").flatten();
    let with_word = entries.filter_map(|entry| {
        let line =
            fs::read_to_string(entry.path().join("cmdline")).ok().filter(|line| line.contains(word))?;
        Some((Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?, line))
    });
    with_word.collect()
}

/// A build that has reached the blocking step.
fn begin(project: &Project) -> (Child, BufReader<ChildStderr>) {
    let mut command =
        project.command(&["build", "--progress=plain", "--build-arg=BLOCK=1", "-t=app", "context"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program can be started");
    let mut progress = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.ends_with(" begun\n") {
        line.clear();
        assert_ne!(progress.read_line(&mut line).expect("a pipe can be read"), 0, "the build ended");
    }
    (child, progress)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it runs");
}

/// Nothing is mounted in the store, and no layer is in the making.
fn assert_clean(project: &Project) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("every system has it");
    let store = project.directory().join("store");
    assert!(!mounts.contains(store.to_str().expect("it is text")), "{mounts}");
    for name in ["drafts", "tmp"] {
        let left: Vec<_> = fs::read_dir(store.join(name)).expect("it is there").flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The next build finds what was complete before, and succeeds.
fn assert_next_build_works(project: &Project) {
    let next = project.build(&["-t", "app"]).success();
    assert!(steps(&next.stderr).contains("[2/3] RUN echo before > /before: CACHED\n"), "{next}");
    assert!(next.stderr.contains(" before\n"), "{next}");
    assert_eq!(project.builder(&["run", "app", "cat", "/before"]).success().stdout, "before\n");
}

#[test]
fn an_interrupted_build_leaves_nothing() {
    for (number, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mark = mark();
        let Some(project) = Project::with_busybox(&blocking(&mark)) else { return };
        let (mut child, mut progress) = begin(&project);
        assert!(!processes_with(&mark).is_empty());
        signal(&child, number);
        let mut rest = String::new();
        progress.read_to_string(&mut rest).expect("a pipe can be read");
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{rest}");
        assert_eq!(processes_with(&mark), []);
        assert_clean(&project);
        let images = project.builder(&["images"]).success().stdout;
        assert!(!images.contains("app"), "{images}");
        assert_next_build_works(&project);
    }
}

#[test]
fn a_build_that_waits_for_another_can_be_interrupted() {
    let text = "FROM busybox\nRUN --mount=type=cache,target=/cache,sharing=locked echo begun\n";
    let Some(project) = Project::with_busybox(text) else { return };
    let _ = project.build(&[]).success();
    let caches = fs::read_dir(project.directory().join("store/cache-mounts")).expect("a cache was made");
    let cache = caches.flatten().next().expect("a cache was made").path();
    let lock = File::open(cache.join("lock")).expect("every cache has a lock");
    lock.lock().expect("nobody has it");

    let mut command = project.command(&["build", "--progress=plain", "--no-cache", "context"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program can be started");
    let mut progress = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains(" RUN --mount") {
        line.clear();
        assert_ne!(progress.read_line(&mut line).expect("a pipe can be read"), 0, "the build ended");
    }
    signal(&child, Signal::INT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn what_a_killed_build_leaves_is_removed_by_the_next() {
    let mark = mark();
    let Some(project) = Project::with_busybox(&blocking(&mark)) else { return };
    let (mut child, _progress) = begin(&project);
    let running: Vec<OwnedFd> = processes_with(&mark)
        .into_iter()
        .filter(|(id, _)| *id != Pid::from_child(&child))
        .filter_map(|(id, _)| pidfd_open(id, PidfdFlags::empty()).ok())
        .collect();
    assert!(!running.is_empty());
    signal(&child, Signal::KILL);
    assert_eq!(child.wait().expect("it ends").code(), None);
    for process in &running {
        // Readable as soon as the process has ended.
        let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
        let ended = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&minute));
        assert_eq!(ended, Ok(1), "the step runs on without its builder");
    }
    assert_next_build_works(&project);
    assert_clean(&project);
}

#[test]
fn a_second_builder_is_not_disturbed() {
    let mark = mark();
    let Some(project) = Project::with_busybox(&blocking(&mark)) else { return };
    let (mut child, _progress) = begin(&project);
    // Another build removes what the dead have left, not what the living use.
    let _ = project.build(&["-t", "other"]).success();
    assert!(!processes_with(&mark).is_empty());
    signal(&child, Signal::INT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_clean(&project);
}

#[test]
fn a_build_whose_reader_leaves_is_no_failure() {
    let Some(project) = Project::with_busybox("FROM busybox\nRUN seq 100000\n") else { return };
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(File::from(OwnedFd::from(reader)));
    let mut command = project.command(&["build", "-t", "app", "context"]);
    let status = command.stderr(writer).status().expect("the program can be started");
    assert_eq!(status.code(), Some(0));
    let _ = project.builder(&["run", "app", "true"]).success();
}
