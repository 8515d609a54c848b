//! Limits for whole sandboxes, set in real control groups.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use rustix::process::Pid;
use sandbox::cgroup::Controller;
use sandbox::{Cgroup, Exit, Incidents, Limits, OutOfMemory, Spec, Stdio, Stream};

use crate::{Root, child, kill, output, pipe, sandbox, server, spawn, spawn_in};

/// The groups that a supervisor has made below the group of this process.
fn groups_of(supervisor: Pid) -> Vec<String> {
    let start = format!("builder-{}-", supervisor.as_raw_nonzero());
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap();
    let mut found = Vec::new();
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (names, own) = (parts.next().unwrap(), parts.next().unwrap().trim_start_matches('/'));
        for mount in [names, "unified", ""] {
            let parent = Path::new("/sys/fs/cgroup").join(mount).join(own);
            for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
                let name = entry.file_name().into_string().unwrap();
                if name.starts_with(&start) {
                    found.push(entry.path().display().to_string());
                }
            }
        }
    }
    found
}

/// Whether limits of a kind cannot be set here, which is said.
fn skips(controller: Controller) -> bool {
    let support = sandbox::cgroup::support();
    let found = support.controllers.iter().find(|support| support.controller == controller).unwrap();
    if let Some(obstacle) = &found.obstacle {
        eprintln!("SKIPPED: a test of limits: {obstacle}");
    }
    found.obstacle.is_some()
}

fn limited(mut spec: Spec, limits: Limits) -> Spec {
    spec.cgroup = Some(Cgroup { parent: None, limits });
    spec
}

pub(crate) fn memory_has_a_limit() {
    if skips(Controller::Memory) {
        return;
    }
    let root = Root::new();
    let limits = Limits { memory: Some(16 << 20), ..Limits::default() };
    let run = |script: &str| {
        let mut running = spawn(&limited(root.shell(script), limits.clone())).unwrap();
        (running.wait().unwrap(), running.incidents().out_of_memory)
    };
    let at_limit = Some(OutOfMemory::Limit { bytes: 16 << 20 });
    let fill = "busybox dd if=/dev/zero of=/dev/shm/x bs=1M count=60";
    assert_eq!(run(&format!("exec {fill}")), (Exit::Signal(9), at_limit));
    assert_eq!(run(&format!("{fill}; exit 3")), (Exit::Code(3), at_limit));
    assert_eq!(run("exit 3"), (Exit::Code(3), None));
}

pub(crate) fn processes_have_a_limit() {
    if skips(Controller::Pids) {
        return;
    }
    let root = Root::new();
    let limits = Limits { pids: Some(10), ..Limits::default() };
    let mut running =
        spawn(&limited(root.shell("for i in 1 2 3 4 5 6 7 8 9 0; do sleep 60 & done"), limits.clone()))
            .unwrap();
    running.wait().unwrap();
    assert_eq!(running.incidents().process_limit, Some(10));
    let mut running = spawn(&limited(root.spec(&["true"]), limits)).unwrap();
    assert_eq!(running.wait().unwrap(), Exit::Code(0));
    assert_eq!(running.incidents(), Incidents::default());
}

pub(crate) fn a_group_is_the_root_of_its_sandbox_and_gone_with_it() {
    if skips(Controller::Pids) {
        return;
    }
    let root = Root::new();
    let limits = Limits { pids: Some(77), ..Limits::default() };
    let (mut out, stdout) = pipe();
    let stdio = Stdio { stdout: Stream::Descriptor(stdout), ..Stdio::default() };
    let script = "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2> /dev/null; \
                  grep -c ':/$' /proc/self/cgroup; grep -vc ':/$' /proc/self/cgroup; \
                  echo 1 2> /dev/null > /sys/fs/cgroup/pids/pids.max || echo refused; sleep 60";
    let spec = limited(root.shell(script), limits);
    let running = spawn_in(&sandbox(), &spec, stdio).unwrap();
    let mut text = String::new();
    let mut buffer = [0; 256];
    while !text.ends_with("refused\n") {
        let length = out.read(&mut buffer).unwrap();
        assert_ne!(length, 0, "{text}");
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    assert!(text.starts_with("77\n") && text.ends_with("\n0\nrefused\n"), "{text}");
    let made = groups_of(child(server()));
    assert_eq!(made.len(), 1, "{made:?}");
    drop(running);
    assert!(!Path::new(&made[0]).exists());

    // What a supervisor leaves that is killed, the next one removes.
    let running =
        spawn(&limited(root.spec(&["sleep", "60"]), Limits { pids: Some(77), ..Limits::default() }));
    let running = running.unwrap();
    let made = groups_of(child(server()));
    assert_eq!(made.len(), 1, "{made:?}");
    kill(child(server()));
    drop(running);
    let began = Instant::now();
    // Its processes leave it a moment after they were killed.
    while Path::new(&made[0]).exists() && began.elapsed().as_secs() < 50 {
        sandbox::cgroup::check(&spec.cgroup.clone().unwrap()).unwrap();
    }
    assert!(!Path::new(&made[0]).exists());
}

pub(crate) fn groups_can_lie_below_a_parent() {
    if skips(Controller::Pids) {
        return;
    }
    let root = Root::new();
    let name = format!("builder-test-{}", std::process::id());
    let mut spec = limited(root.spec(&["cat", "/proc/self/cgroup"]), Limits::default());
    let parent = Some(format!("/{name}/inner"));
    spec.cgroup = Some(Cgroup { parent, limits: Limits { pids: Some(5), ..Limits::default() } });
    let listed = output(&spec);
    assert!(listed.lines().any(|line| line.contains("pids:/") && line.ends_with(":/")), "{listed}");
    for entry in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let parent = entry.path().join(&name);
        if parent.exists() {
            // Empty, or this would be refused.
            fs::remove_dir(parent.join("inner")).unwrap();
            fs::remove_dir(parent).unwrap();
        }
    }
    spec.cgroup = Some(Cgroup { parent: Some("/a/../..".to_owned()), limits: Limits::default() });
    let message = spawn(&spec).unwrap_err().to_string();
    assert_eq!(message, "cgroup parent cannot be set: \"/a/../..\" is no path below the root");
}
