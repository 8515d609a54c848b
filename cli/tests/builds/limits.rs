//! Limits of steps and containers, in real control groups.

use testkit::command::Ran;

use crate::project::{Project, steps};

/// Whether limits cannot be set on this machine, which is said.
fn skips(project: &Project) -> bool {
    let ran = project.builder(&["run", "-m", "64m", "--pids-limit", "50", "busybox", "true"]);
    if ran.code != Some(0) {
        eprintln!("SKIPPED: a test of limits: {}", ran.stderr);
    }
    ran.code != Some(0)
}

/// What comes after the progress of the steps.
fn last_line(ran: &Ran) -> &str {
    ran.stderr.lines().last().unwrap_or_default()
}

#[test]
fn a_step_that_needs_more_memory_than_its_limit() {
    let text = "FROM busybox\nRUN dd if=/dev/zero of=/dev/shm/file bs=1M count=60\n";
    let Some(project) = Project::with_busybox(text) else { return };
    if skips(&project) {
        return;
    }
    let failed = project.build(&["--memory", "16m"]);
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(last_line(&failed).contains("exit code: 137: cannot allocate memory"), "{failed}");
    // A limit is no part of the key, and with a higher one the step succeeds.
    let _ = project.build(&["--resource", "memory=100m"]).success();
    let again = project.build(&["--memory", "16m"]).success();
    assert!(steps(&again.stderr).contains("count=60: CACHED"), "{again}");
}

#[test]
fn a_step_that_starts_too_many_processes() {
    let text = "FROM busybox\nRUN f() { f | f; }; f\n";
    let Some(project) = Project::with_busybox(text) else { return };
    if skips(&project) {
        return;
    }
    let failed = project.build(&["--pids-limit", "50"]);
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(failed.stderr.contains("limit of 50 processes"), "{failed}");
}

#[test]
fn a_parent_is_a_part_of_the_key() {
    let Some(project) = Project::with_busybox("FROM busybox\nRUN true\n") else { return };
    if skips(&project) {
        return;
    }
    let _ = project.build(&[]).success();
    let parent = format!("/builder-test-{}", std::process::id());
    let other = project.build(&["--cgroup-parent", &parent]).success();
    assert!(steps(&other.stderr).contains("RUN true: DONE"), "{other}");
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").expect("limits work here").flatten() {
        // Empty, or it could not be removed; where it was not made, there is nothing to remove.
        let made = hierarchy.path().join(&parent[1..]);
        assert!(!made.exists() || std::fs::remove_dir(&made).is_ok(), "{}", made.display());
    }
}

#[test]
fn a_container_has_limits() {
    let Some(project) = Project::with_busybox("FROM busybox\n") else { return };
    if skips(&project) {
        return;
    }
    let script = "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2> /dev/null";
    let limited = project.builder(&["run", "--pids-limit", "33", "busybox", "sh", "-c", script]);
    assert!(limited.stdout.starts_with("33\n"), "{limited}");
    let refused = project.builder(&["run", "--memory", "1m", "busybox", "true"]);
    assert_eq!(refused.code, Some(125), "{refused}");
    assert!(refused.stderr.contains("Minimum memory limit allowed is 6MB"), "{refused}");
}
