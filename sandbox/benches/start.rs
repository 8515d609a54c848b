//! What it costs to start `true` in a sandbox and to wait for its end, beside the bare program and, where they
//! are installed, other runtimes.
//!
//! `cargo bench -p sandbox` runs the candidates in turns, so that a busy machine is unjust to none of them, and
//! prints the least and the median wall time of each. `cargo bench -p sandbox -- 500` makes 500 turns instead of
//! 100, `-- 500 crun` only those of the candidates with `crun` in their name. It needs root and a static busybox (Debian's busybox-static).
//!
//! The others get what they are quickest with: a plain directory as root, and no seccomp filter. `crun` refuses
//! machines on which both versions of cgroups are mounted, so everything is run in a mount namespace (made by
//! `unshare`) without the second one.
#![expect(clippy::unwrap_used, reason = "a benchmark that meets an error ends there")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{Exit, Network, Overlay, Process, Sandbox, Seccomp, Spec};

/// First argument of this program in its own mount namespace.
const INSIDE: &str = "__inside";

const TURNS: usize = 100;

fn main() {
    sandbox::init();
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if !Path::new("/bin/busybox").exists() || !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: this benchmark needs root and /bin/busybox (package busybox-static)");
        return;
    }
    match words.split_first() {
        Some((first, words)) if first == INSIDE => {
            let turns = words.first().and_then(|word| word.parse().ok()).unwrap_or(TURNS);
            let part = words.get(1).map_or("", String::as_str);
            let directory = tempfile::tempdir().unwrap();
            let mut candidates = candidates(directory.path());
            candidates.retain(|candidate| candidate.name.contains(part));
            compare(candidates, turns);
        }
        _ => enter_mount_namespace(&words),
    }
}

/// Becomes this program again, in a mount namespace.
fn enter_mount_namespace(words: &[String]) -> ! {
    let script = "umount /sys/fs/cgroup/unified 2> /dev/null; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]);
    // In the shell, /proc/self/exe is the shell.
    command.arg(fs::read_link("/proc/self/exe").unwrap()).arg(INSIDE).args(words);
    panic!("cannot start unshare: {}", command.exec())
}

/// One way to run `true`.
struct Candidate {
    name: String,
    /// Runs it and says how long that took.
    run: Box<dyn FnMut() -> Duration>,
    times: Vec<Duration>,
}

fn candidate(name: &str, run: impl FnMut() -> Duration + 'static) -> Candidate {
    Candidate { name: name.to_owned(), run: Box::new(run), times: Vec::new() }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn candidates(directory: &Path) -> Vec<Candidate> {
    let root = directory.join("root");
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    symlink("busybox", root.join("bin/true")).unwrap();

    let program = root.join("bin/true");
    let bare = move || timed(|| assert!(Command::new(&program).status().unwrap().success()));
    let mut candidates = vec![candidate("true", bare)];
    let sandbox = || Sandbox::new(PathBuf::from("/proc/self/exe"));
    for (name, change) in [
        ("sandbox", (|_| {}) as fn(&mut Spec)),
        ("sandbox, network of its own", |spec| spec.network = Network::None),
        ("sandbox, no filter", |spec| spec.seccomp = Seccomp::Unconfined),
    ] {
        let own = directory.join(name.replace(' ', "-"));
        let (root, sandbox) = (root.clone(), sandbox());
        candidates.push(candidate(name, move || {
            let mut spec = spec(&root, &own);
            change(&mut spec);
            timed(|| run(&sandbox, &spec))
        }));
    }
    let (own, base) = (directory.join("first"), root.clone());
    candidates.push(candidate("sandbox, first of a program", move || {
        let spec = spec(&base, &own);
        timed(|| run(&sandbox(), &spec))
    }));
    candidates.extend(["crun", "runc"].into_iter().filter_map(|runtime| other(runtime, directory, &root)));
    candidates
}

/// An overlay that has not been used, below `own`.
fn spec(root: &Path, own: &Path) -> Spec {
    if own.exists() {
        fs::remove_dir_all(own).unwrap();
    }
    let [upper, work] = ["upper", "work"].map(|part| own.join(part));
    for path in [&upper, &work] {
        fs::create_dir_all(path).unwrap();
    }
    Spec::new(Overlay { lowers: vec![root.to_owned()], upper, work }, Process::new(["/bin/true"]))
}

fn run(sandbox: &Sandbox, spec: &Spec) {
    let mut running = sandbox.spawn(spec, sandbox::Stdio::default()).unwrap();
    assert_eq!(running.wait().unwrap(), Exit::Code(0));
}

/// Another runtime, if it is installed and works here.
fn other(runtime: &'static str, directory: &Path, root: &Path) -> Option<Candidate> {
    let bundle = directory.join(runtime);
    fs::create_dir(&bundle).unwrap();
    let made = Command::new(runtime).arg("spec").current_dir(&bundle).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: {runtime} is not installed");
        return None;
    }
    let path = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["process"]["args"] = serde_json::json!(["/bin/true"]);
    config["process"]["terminal"] = false.into();
    config["root"] = serde_json::json!({ "path": root, "readonly": false });
    fs::write(&path, config.to_string()).unwrap();
    let state = directory.join(format!("{runtime}-state"));
    let mut number = 0;
    let mut run = move || {
        number += 1;
        let mut command = Command::new(runtime);
        command.arg("--root").arg(&state).args(["run", "--bundle"]).arg(&bundle);
        let name = format!("bench-{}-{number}", std::process::id());
        command.arg(name).stdin(Stdio::null()).output().unwrap()
    };
    let first = run();
    if !first.status.success() {
        eprintln!("SKIPPED: {runtime}: {}", String::from_utf8_lossy(&first.stderr).trim());
        return None;
    }
    Some(candidate(runtime, move || timed(|| assert!(run().status.success()))))
}

fn compare(mut candidates: Vec<Candidate>, turns: usize) {
    for turn in 0..=turns {
        for candidate in &mut candidates {
            let time = (candidate.run)();
            // The first turn starts servers and fills caches.
            if turn > 0 {
                candidate.times.push(time);
            }
        }
    }
    println!("{:<30} {:>9} {:>9}   milliseconds of {turns} turns", "", "least", "median");
    for Candidate { name, times, .. } in &mut candidates {
        times.sort();
        let [least, median] = [0, turns / 2].map(|at| times[at].as_secs_f64() * 1e3);
        println!("{name:<30} {least:>9.2} {median:>9.2}");
    }
}
