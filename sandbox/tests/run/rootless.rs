//! Sandboxes of ordinary users.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sandbox::{Exit, Network, Overlay, Process, Spec, Stdio, Stream};

use crate::escapes::{ATTEMPTS, denied_programs, has_these_calls, is_denial};
use crate::{Root, attempt, pipe, run, sandbox, spawn_in};

/// Started again as an ordinary user: enters the rootless mode and runs a sandbox in the root at `root`.
pub(crate) const ORDINARY_USER: &str = "__ordinary_user";

pub(crate) fn be_an_ordinary_user(root: &str, uid: &str) -> ! {
    match sandbox::rootless::enter() {
        Ok(identity) => println!("{identity:?}"),
        Err(error) => println!("{error}"),
    }
    let root = Path::new(root);
    let overlay =
        Overlay { lowers: vec![root.join("base")], upper: root.join("upper"), work: root.join("work") };
    let script = "id -u; id -g; touch /tmp/mine; rm -f /etc/gone 2> /dev/null; ls /sys/class/net; \
                  echo again > /dev/stdout; grep Seccomp: /proc/self/status; \
                  mount -t tmpfs x /mnt 2> /dev/null || echo denied";
    let mut process = Process::new(["/bin/sh", "-c", script]);
    process.uid = uid.parse().unwrap();
    process.gid = process.uid;
    process.additional_gids = vec![process.gid];
    let mut spec = Spec::new(overlay, process);
    spec.network = Network::None;
    let (mut out, stdout) = pipe();
    let stdio = Stdio { stdout: Stream::Descriptor(stdout), stderr: Stream::Inherit, ..Stdio::default() };
    match spawn_in(&sandbox(), &spec, stdio) {
        Ok(mut running) => {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            println!("{text}{:?}", running.wait().unwrap());
        }
        Err(error) => println!("{error}"),
    }
    std::process::exit(0)
}

/// An ordinary user that every distribution has.
pub(crate) const NOBODY: u32 = 65534;

/// A root that `nobody` owns.
pub(crate) fn root_of_nobody() -> Root {
    let root = Root::new();
    fs::write(root.path("base/etc/gone"), "").unwrap();
    let (uid, gid) = (Some(NOBODY), Some(NOBODY));
    for path in ["", "base", "base/etc", "base/etc/gone", "base/tmp", "upper", "work"] {
        std::os::unix::fs::chown(root.path(path), uid, gid).unwrap();
    }
    root
}

/// A program that an ordinary user may execute, wherever the build directory lies.
pub(crate) fn own_copy(root: &Root) -> PathBuf {
    let copy = root.path("harness");
    fs::copy("/proc/self/exe", &copy).unwrap();
    copy
}

pub(crate) fn lines(command: &mut std::process::Command) -> Vec<String> {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    eprint!("{errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

pub(crate) fn an_ordinary_user_without_ranges_has_one_id() {
    use std::os::unix::process::CommandExt;
    let root = root_of_nobody();
    let run = |uid: &str| {
        let mut command = std::process::Command::new(own_copy(&root));
        command.arg(ORDINARY_USER).arg(root.directory.path()).arg(uid);
        lines(command.uid(NOBODY).gid(NOBODY))
    };
    let text = run("0");
    assert!(text[0].starts_with("SingleId { uid: 65534, gid: 65534, reason: NotGranted"), "{text:?}");
    assert_eq!(text[1..], ["0", "0", "lo", "again", "Seccomp:\t2", "denied", "Code(0)"], "{text:?}");
    let whiteout = fs::symlink_metadata(root.path("upper/etc/gone")).unwrap();
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&whiteout.file_type()));
    let text = run("7");
    assert_eq!(text[1..], ["gid 7 is not mapped in this user namespace"], "{text:?}");
}

pub(crate) fn an_ordinary_user_with_ranges_has_many_ids() {
    if !Path::new("/usr/bin/newuidmap").exists() {
        eprintln!(
            "SKIPPED: an_ordinary_user_with_ranges_has_many_ids: newuidmap is missing (package uidmap)"
        );
        return;
    }
    let root = root_of_nobody();
    let ranges = root.path("ranges");
    fs::write(&ranges, "nobody:200000:1000\n").unwrap();
    let owner = |path: &str| std::os::unix::fs::MetadataExt::uid(&fs::metadata(root.path(path)).unwrap());
    // The machine's own files stay as they are: the ranges are shown in a mount namespace of this test.
    let script = "mount --bind \"$1\" /etc/subuid && mount --bind \"$1\" /etc/subgid && \
                  exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$2\" \"$3\" \"$4\" 7";
    for file in ["/etc/subuid", "/etc/subgid"] {
        assert!(Path::new(file).exists(), "{file} is a part of the package passwd");
    }
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(ranges).arg(own_copy(&root));
    let text = lines(command.arg(ORDINARY_USER).arg(root.directory.path()));
    assert_eq!(
        text[0],
        "MappedUser { uid: 65534, gid: 65534, subordinate_uids: 1000, subordinate_gids: 1000 }"
    );
    assert_eq!(text[1..], ["7", "7", "lo", "again", "Seccomp:\t2", "denied", "Code(0)"], "{text:?}");
    assert_eq!(owner("upper/tmp/mine"), 200_006);
}

/// Started again as an ordinary user: tries what cannot succeed, and prints what did.
pub(crate) const ATTEMPTING: &str = "__attempting";

pub(crate) fn attempt_everything(root: &str) -> ! {
    sandbox::rootless::enter().unwrap();
    let root = Path::new(root);
    let spec = |arguments: &[&str]| {
        let overlay =
            Overlay { lowers: vec![root.join("base")], upper: root.join("upper"), work: root.join("work") };
        let mut process = Process::new(arguments.iter().copied());
        process.env.push(("PATH".into(), "/bin".into()));
        let mut spec = Spec::new(overlay, process);
        spec.network = Network::None;
        spec
    };
    let shell = |script: &str| {
        run(&spec(&["/bin/sh", "-c", &format!("busybox --install -s /bin 2> /dev/null; {script}")]))
    };
    for attempt in ATTEMPTS {
        let (exit, out, errors) = shell(attempt);
        if exit == Exit::Code(0) {
            println!("{attempt}: {out}{errors}");
        }
    }
    let tools = shell("which unshare nsenter mount umount chroot find head pivot_root");
    assert_eq!(tools.0, Exit::Code(0), "what was tried was tried");
    for (name, program) in denied_programs().filter(|_| has_these_calls()) {
        attempt::install(&root.join("base/bin/attempt"), &program);
        let (exit, ..) = run(&spec(&["attempt"]));
        if !is_denial(exit) {
            println!("{name}: {exit:?}");
        }
    }
    println!("tried");
    std::process::exit(0)
}

pub(crate) fn an_ordinary_user_cannot_get_out() {
    use std::os::unix::process::CommandExt;
    let root = root_of_nobody();
    std::os::unix::fs::chown(root.path("base/bin"), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = std::process::Command::new(own_copy(&root));
    command.arg(ATTEMPTING).arg(root.directory.path());
    assert_eq!(lines(command.uid(NOBODY).gid(NOBODY)), ["tried"]);
}
