//! `builder doctor` on this machine, and on worse ones.

use std::fs;

use crate::project::Project;
use crate::rootless::{OrdinaryUser, stdout};
use crate::snapshotters::OnOverlay;

#[test]
fn a_machine_that_runs_builds_is_healthy() {
    let Some(project) = Project::new("FROM scratch") else { return };
    let ran = project.builder(&["doctor"]).success();
    assert!(ran.stdout.contains("ok      user       root\n"), "{ran}");
    assert!(ran.stdout.contains("ok      files      overlays in [DIRECTORY]/store\n"), "{ran}");
    assert!(ran.stdout.ends_with("builds can run\n"), "{ran}");
    assert!(!project.directory().join("store").exists(), "a doctor makes nothing");
    assert_eq!(fs::read_dir(project.directory()).expect("it is ours").count(), 2, "context and tmp");
}

#[test]
fn an_ordinary_user_is_told_what_is_lost() {
    let Some(user) = OrdinaryUser::new("FROM scratch") else { return };
    let report: serde_json::Value =
        serde_json::from_str(&stdout(&user.builder(&["doctor", "--format", "json"]))).expect("it is JSON");
    assert_eq!(report["builds"], true, "{report}");
    let of = |name: &str| {
        let items = report["items"].as_array().expect("a list").iter();
        items.clone().find(|item| item["name"] == name).expect("it is there").clone()
    };
    assert_eq!(of("user")["state"], "limited");
    assert!(of("user")["remedy"].as_str().is_some_and(|remedy| remedy.starts_with("usermod ")), "{report}");
    assert_eq!(of("devices")["text"], "those of this machine, shown");
    assert_eq!(of("files")["state"], "good");
}

#[test]
fn on_an_overlay_there_are_copies() {
    let Some(machine) = OnOverlay::new("FROM scratch") else { return };
    let (code, text, errors) = machine.builder(&["doctor"], None);
    assert_eq!(code, Some(0), "{errors}");
    let files = text.lines().find(|line| line.contains(" files ")).expect("it is there");
    assert!(files.starts_with("limited files      copies in "), "{files}");
    assert!(files.contains("remedy: a store on ext4"), "{files}");
}

/// In a container, parts of `/proc` are covered, and the kernel mounts no other one that would uncover them.
#[test]
fn a_covered_proc_is_named() {
    let Some(user) = OrdinaryUser::new("FROM scratch\nRUN [\"x\"]") else { return };
    let ran = user.builder_after("mount -t tmpfs covered /proc/bus", &["doctor"]);
    let text = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(1), "{text}");
    assert!(text.contains("failed  proc       not to be had: "), "{text}");
    assert!(text.contains("systempaths=unconfined"), "{text}");
    assert!(text.ends_with("builds cannot run here\n"), "{text}");
}
