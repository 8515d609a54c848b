//! Real processes in real sandboxes.
//!
//! This program is its own helper: `main` begins with [`sandbox::init`]. The root is the host's static
//! busybox in overlay layers; without it, or without being root, the tests say that they are
//! skipped.
#![expect(clippy::unwrap_used, reason = "a test that meets an error ends there")]
#![expect(clippy::print_stdout, clippy::print_stderr, clippy::exit, reason = "this is a test harness")]

mod attempt;
mod escapes;
mod limits;
mod ownership;
mod rootless;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags};
use sandbox::{
    Exit, Mount, MountKind, Network, Overlay, Process, Running, Sandbox, SandboxError, Spec, Stdio, Stream,
};
use testkit::harness::{self, Test};

/// The layers of a root, and a writable one on top.
struct Root {
    directory: tempfile::TempDir,
}

impl Root {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join("base");
        for name in ["bin", "dev", "etc", "proc", "sys", "tmp", "mnt"] {
            fs::create_dir_all(base.join(name)).unwrap();
        }
        for name in ["upper", "work"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::set_permissions(base.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::copy("/bin/busybox", base.join("bin/busybox")).unwrap();
        for applet in [
            "sh", "cat", "echo", "ls", "id", "grep", "mount", "sleep", "rm", "true", "stat", "tty", "wc",
            "kill",
        ] {
            symlink("busybox", base.join("bin").join(applet)).unwrap();
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn spec(&self, args: &[&str]) -> Spec {
        let overlay =
            Overlay { lowers: vec![self.path("base")], upper: self.path("upper"), work: self.path("work") };
        let mut process = Process::new(args.iter().copied());
        process.env.push(("PATH".into(), "/bin".into()));
        Spec::new(overlay, process)
    }

    fn shell(&self, script: &str) -> Spec {
        self.spec(&["/bin/sh", "-c", script])
    }
}

fn sandbox() -> Sandbox {
    Sandbox::new(PathBuf::from("/proc/self/exe"))
}

fn pipe() -> (File, OwnedFd) {
    let (reader, writer) = std::io::pipe().unwrap();
    (File::from(OwnedFd::from(reader)), OwnedFd::from(writer))
}

/// Starts a process, with a new work directory for its overlay: each can be used once.
fn spawn_in(sandbox: &Sandbox, spec: &Spec, stdio: Stdio) -> Result<Running, SandboxError> {
    if let sandbox::Root::Overlay(Overlay { work, .. }) = &spec.rootfs {
        fs::remove_dir_all(work).unwrap();
        fs::create_dir(work).unwrap();
    }
    sandbox.spawn(spec, stdio)
}

/// Runs to the end; gives the exit, standard output and standard error.
fn run(spec: &Spec) -> (Exit, String, String) {
    let ((mut out, stdout), (mut err, stderr)) = (pipe(), pipe());
    let stdio =
        Stdio { stdin: Stream::Null, stdout: Stream::Descriptor(stdout), stderr: Stream::Descriptor(stderr) };
    let mut running = spawn_in(&sandbox(), spec, stdio).unwrap();
    let (mut output, mut errors) = (String::new(), String::new());
    out.read_to_string(&mut output).unwrap();
    err.read_to_string(&mut errors).unwrap();
    (running.wait().unwrap(), output, errors)
}

fn output(spec: &Spec) -> String {
    let (exit, output, errors) = run(spec);
    assert_eq!(exit, Exit::Code(0), "{output}{errors}");
    output
}

fn spawn(spec: &Spec) -> Result<Running, SandboxError> {
    spawn_in(&sandbox(), spec, Stdio::default())
}

fn exits_and_signals_are_reported() {
    let root = Root::new();
    assert_eq!(run(&root.shell("exit 7")).0, Exit::Code(7));
    assert_eq!(run(&root.spec(&["true"])).0, Exit::Code(0));
    let mut running = spawn(&root.spec(&["sleep", "100"])).unwrap();
    running.kill();
    assert_eq!(running.wait().unwrap(), Exit::Signal(9));
    assert_eq!(Exit::Signal(9).shell_code(), 137);
    let (mut out, stdout) = pipe();
    let stdio = Stdio { stdout: Stream::Descriptor(stdout), ..Stdio::default() };
    let trap = root.shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    let mut running = spawn_in(&sandbox(), &trap, stdio).unwrap();
    let mut ready = [0; 6];
    out.read_exact(&mut ready).unwrap();
    running.signal(15);
    assert_eq!(running.wait().unwrap(), Exit::Code(5));
}

fn streams_stay_apart_and_input_is_empty() {
    let root = Root::new();
    let (exit, out, err) = run(&root.shell("echo out; echo err >&2; cat; tty"));
    assert_eq!((exit, out.as_str(), err.as_str()), (Exit::Code(1), "out\nnot a tty\n", "err\n"));
}

fn the_process_is_as_specified() {
    let root = Root::new();
    let mut spec = root.shell("id -u; id -g; id -G; echo $X; pwd; umask; echo $$; hostname 2>/dev/null || cat /proc/sys/kernel/hostname");
    spec.process.uid = 1000;
    spec.process.gid = 1001;
    spec.process.additional_gids = vec![5, 6];
    spec.process.cwd = "/tmp".into();
    spec.process.env.push(("X".into(), "value".into()));
    "the-host".clone_into(&mut spec.hostname);
    assert_eq!(output(&spec), "1000\n1001\n1001 5 6\nvalue\n/tmp\n0022\n1\nthe-host\n");
}

fn only_its_own_processes_are_visible() {
    let root = Root::new();
    let count: u32 = output(&root.shell("ls -d /proc/[0-9]* | wc -l")).trim().parse().unwrap();
    assert!(count <= 3, "{count}");
}

fn capabilities_and_filter_are_dockers() {
    let root = Root::new();
    let status = output(&root.shell("grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status"));
    for line in [
        "CapEff:\t00000000a80425fb",
        "CapPrm:\t00000000a80425fb",
        "CapBnd:\t00000000a80425fb",
        "Seccomp:\t2",
        "NoNewPrivs:\t0",
    ] {
        assert!(status.contains(line), "{line} in {status}");
    }
    let mut spec = root.shell("grep -E '^Cap' /proc/self/status");
    spec.process.uid = 1000;
    let status = output(&spec);
    assert!(
        status.contains("CapEff:\t0000000000000000") && status.contains("CapBnd:\t00000000a80425fb"),
        "{status}"
    );
}

fn the_host_cannot_be_reached() {
    let root = Root::new();
    for attempt in [
        "mount -t tmpfs x /mnt",
        "echo 1 > /proc/sys/kernel/panic",
        "mkdir /sys/x",
        "echo b > /proc/sysrq-trigger",
        "cat /proc/kcore | head -c 1 | grep -q .",
        "ls /sys/firmware | grep -q .",
        "test ! /.. -ef /",
        "busybox unshare -m true",
        "busybox mknod /tmp/disk b 8 0 && cat /tmp/disk",
    ] {
        let (exit, out, _) = run(&root.shell(attempt));
        assert_ne!(exit, Exit::Code(0), "{attempt}: {out}");
    }
}

fn devices_are_there() {
    let root = Root::new();
    let script = "echo x > /dev/null; head -c 2 /dev/zero | wc -c; ls /dev; stat -c %a /dev/null /dev/shm; ls /dev/pts";
    let text = output(&root.shell(&script.replace("head", "busybox head")));
    for name in ["2\n", "full", "urandom", "ptmx", "stdin", "666\n1777\n"] {
        assert!(text.contains(name), "{name:?} in {text}");
    }
}

fn without_network_there_is_loopback_only() {
    let root = Root::new();
    let mut spec = root.shell("ls /sys/class/net; busybox ifconfig lo | grep -c UP");
    spec.network = Network::None;
    assert_eq!(output(&spec), "lo\n1\n");
}

fn changes_land_in_the_upper_directory() {
    let root = Root::new();
    fs::write(root.path("base/etc/gone"), "x").unwrap();
    output(&root.shell("echo new > /etc/new; rm /etc/gone; echo x > /dev/shm/x"));
    assert_eq!(fs::read_to_string(root.path("upper/etc/new")).unwrap(), "new\n");
    let whiteout = fs::symlink_metadata(root.path("upper/etc/gone")).unwrap();
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&whiteout.file_type()));
    let left: Vec<_> =
        fs::read_dir(root.path("upper")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["etc"], "nothing else is written");
}

fn hundreds_of_layers_can_be_mounted() {
    let root = Root::new();
    let mut spec = root.shell("cat /file; ls / | wc -l");
    let mut lowers = Vec::new();
    for number in 0..300 {
        let layer = root.path(&format!("layer{number:03}"));
        fs::create_dir(&layer).unwrap();
        fs::write(layer.join("file"), format!("{number}\n")).unwrap();
        lowers.insert(0, layer);
    }
    lowers.push(root.path("base"));
    spec.rootfs = Overlay { lowers, upper: root.path("upper"), work: root.path("work") }.into();
    assert!(output(&spec).starts_with("299\n"));
}

fn the_root_can_be_a_directory() {
    let root = Root::new();
    let mut spec = root.shell("echo new > /tmp/new; rm /etc/old; ls / | wc -l; cat /tmp/new");
    fs::write(root.path("base/etc/old"), "").unwrap();
    spec.rootfs = sandbox::Root::Directory(root.path("base"));
    assert_eq!(output(&spec), "7\nnew\n");
    assert!(root.path("base/tmp/new").exists() && !root.path("base/etc/old").exists());
}

fn mounts_are_made_in_order() {
    let root = Root::new();
    for path in ["base/mnt/bind", "base/mnt/tmp", "base/mnt/over", "shown", "over", "over-work"] {
        fs::create_dir_all(root.path(path)).unwrap();
    }
    fs::write(root.path("base/mnt/secret"), "").unwrap();
    fs::write(root.path("shown/file"), "shown\n").unwrap();
    let mut spec = root.shell(
        "cat /mnt/bind/file; echo x 2>/dev/null > /mnt/bind/x || echo read-only; echo t > /mnt/tmp/t && echo writable;
         cat /mnt/secret; stat -c '%a %u:%g' /mnt/secret; echo more >> /mnt/over/file; cat /mnt/over/file",
    );
    let target = |name: &str| PathBuf::from("/mnt").join(name);
    let over =
        Overlay { lowers: vec![root.path("shown")], upper: root.path("over"), work: root.path("over-work") };
    spec.mounts = vec![
        Mount {
            target: target("bind"),
            kind: MountKind::Bind { source: root.path("shown"), read_only: true, recursive: false },
        },
        Mount { target: target("tmp"), kind: MountKind::Tmpfs { size: Some(1 << 20), mode: 0o1777 } },
        Mount {
            target: target("secret"),
            kind: MountKind::File { content: b"secret\n".to_vec(), mode: 0o440, uid: 3, gid: 4 },
        },
        Mount { target: target("over"), kind: MountKind::Overlay(over) },
    ];
    assert_eq!(output(&spec), "shown\nread-only\nwritable\nsecret\n440 3:4\nshown\nmore\n");
    assert_eq!(fs::read_to_string(root.path("shown/file")).unwrap(), "shown\n");
}

fn what_cannot_start_says_why() {
    let root = Root::new();
    fs::write(root.path("base/etc/plain"), "x").unwrap();
    for (name, text) in
        [("script", "#!/bin/missing -x\n"), ("crlf", "#!/bin/sh\r\n"), ("nothing", "\u{7f}ELF")]
    {
        let path = root.path("base/bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let error = |args: &[&str]| spawn(&root.spec(args)).err().unwrap_or_else(|| panic!("{args:?} starts"));
    assert!(matches!(error(&["no-such"]), SandboxError::CommandNotFound { searched: Some(_), .. }));
    assert!(matches!(error(&["/no/such"]), SandboxError::CommandNotFound { searched: None, .. }));
    assert!(matches!(error(&["/etc/plain"]), SandboxError::CommandNotExecutable { .. }));
    assert!(
        matches!(error(&["script"]), SandboxError::MissingInterpreter { interpreter, .. } if interpreter == Path::new("/bin/missing"))
    );
    assert!(
        matches!(error(&["crlf"]), SandboxError::MissingInterpreter { interpreter, .. } if interpreter == Path::new("/bin/sh\r"))
    );
    assert!(matches!(error(&["nothing"]), SandboxError::ExecFormat { .. }));
    let mut spec = root.spec(&["true"]);
    spec.process.cwd = "/missing".into();
    assert!(matches!(spawn(&spec), Err(SandboxError::WorkingDirectory { .. })));
    let mut spec = root.spec(&["true"]);
    spec.mounts = vec![Mount {
        target: "/etc/plain/missing".into(),
        kind: MountKind::Tmpfs { size: None, mode: 0o755 },
    }];
    let message = spawn(&spec).unwrap_err().to_string();
    assert_eq!(message, "cannot find the mount point /etc/plain/missing");
}

fn a_terminal_is_a_terminal() {
    let root = Root::new();
    let mut spec = root.shell("tty; test -c /dev/console && echo console; read line; echo got $line");
    spec.process.terminal = true;
    let mut running = spawn(&spec).unwrap();
    let mut master = File::from(running.terminal().unwrap());
    master.write_all(b"hello\n").unwrap();
    let mut text = Vec::new();
    let mut buffer = [0; 256];
    // Reading ends with EIO when the last process has closed the other side.
    while let Ok(length) = master.read(&mut buffer) {
        text.extend_from_slice(&buffer[..length]);
        if length == 0 {
            break;
        }
    }
    assert_eq!(running.wait().unwrap(), Exit::Code(0));
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("/dev/pts/0") && text.contains("console") && text.contains("got hello"), "{text}");
}

/// Processes of the host whose command line has this word.
fn processes_with(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        if let Ok(line) = fs::read_to_string(entry.path().join("cmdline"))
            && line.contains(word)
        {
            found.push(format!("{} {line:?}", entry.path().display()));
        }
    }
    found
}

fn dropping_kills_the_whole_tree() {
    let root = Root::new();
    let mark = format!("{}91.25", std::process::id());
    let (mut out, stdout) = pipe();
    let stdio = Stdio { stdout: Stream::Descriptor(stdout), ..Stdio::default() };
    let script =
        format!("(sleep {mark}; echo late) & (trap '' TERM HUP; sleep {mark}) & echo ready; sleep {mark}");
    let running = spawn_in(&sandbox(), &root.shell(&script), stdio).unwrap();
    let mut ready = [0; 6];
    out.read_exact(&mut ready).unwrap();
    assert!(!processes_with(&mark).is_empty());
    drop(running);
    assert_eq!(processes_with(&mark), Vec::<String>::new());
}

/// Started again by the next test: starts a sandbox and waits for ever.
const PARENT: &str = "__parent";

fn be_a_parent(root: &str, mark: &str) -> ! {
    let root = Path::new(root);
    let overlay =
        Overlay { lowers: vec![root.join("base")], upper: root.join("upper"), work: root.join("work") };
    let process = Process::new(["/bin/sh", "-c", &format!("echo ready; sleep {mark}")]);
    let stdio = Stdio { stdout: Stream::Inherit, ..Stdio::default() };
    let mut running = sandbox().spawn(&Spec::new(overlay, process), stdio).unwrap();
    running.wait().unwrap();
    std::process::exit(0)
}

fn killing_the_caller_kills_the_tree() {
    let root = Root::new();
    let mark = format!("{}92.25", std::process::id());
    let (mut out, stdout) = pipe();
    let mut parent = std::process::Command::new("/proc/self/exe")
        .args([PARENT.as_ref(), root.directory.path().as_os_str(), mark.as_ref()])
        .stdout(stdout)
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    out.read_exact(&mut ready).unwrap();
    let server = child(Pid::from_child(&parent));
    let helpers = [server, child(server)].map(handle);
    parent.kill().unwrap();
    parent.wait().unwrap();
    helpers.iter().for_each(wait_for_end);
    // Everybody who could write to the pipe is gone when reading ends.
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let left: Vec<String> = processes_with(&mark).into_iter().filter(|line| !line.contains(PARENT)).collect();
    assert_eq!(left, Vec::<String>::new());
}

/// The processes that a process has started and not yet waited for.
fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let children = entries.filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("stat")).ok()?;
        // pid (name) state parent …
        let its_parent = status.rsplit(')').next()?.split_ascii_whitespace().nth(1)?;
        (its_parent == parent).then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    });
    children.filter_map(Pid::from_raw).collect()
}

/// The only child of a process: of a caller the server, of the server with one sandbox its supervisor.
#[track_caller]
fn child(parent: Pid) -> Pid {
    let children = children(parent);
    assert_eq!(children.len(), 1, "{children:?}");
    children[0]
}

fn server() -> Pid {
    child(rustix::process::getpid())
}

fn kill(process: Pid) {
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
}

/// Refers to a process also when it is gone.
fn handle(process: Pid) -> OwnedFd {
    rustix::process::pidfd_open(process, PidfdFlags::empty()).unwrap()
}

/// Waits until a process has ended.
fn wait_for_end(process: &OwnedFd) {
    poll(&mut [PollFd::new(process, PollFlags::IN)], None).unwrap();
}

/// Starts a script that says `ready`, and waits for that.
fn start(sandbox: &Sandbox, spec: &Spec) -> (Running, File) {
    let (mut out, stdout) = pipe();
    let stdio = Stdio { stdout: Stream::Descriptor(stdout), ..Stdio::default() };
    let running = spawn_in(sandbox, spec, stdio).unwrap();
    let mut ready = [0; 6];
    out.read_exact(&mut ready).unwrap();
    (running, out)
}

fn killing_the_supervisor_kills_the_tree() {
    let root = Root::new();
    for uid in [0, 1000] {
        for server_lives in [true, false] {
            let mut spec = root.shell("sleep 60 & echo ready; sleep 60");
            spec.process.uid = uid;
            spec.process.gid = uid;
            let (mut running, mut out) = start(&sandbox(), &spec);
            let began = Instant::now();
            let supervisor = child(server());
            if !server_lives {
                let server = (server(), handle(server()));
                kill(server.0);
                wait_for_end(&server.1);
            }
            kill(supervisor);
            let Err(SandboxError::HelperLost { status }) = running.wait() else { panic!("not lost") };
            assert_eq!(status.is_some_and(|status| status.signal() == Some(9)), server_lives);
            // Reading ends when everybody who could write is gone.
            out.read_to_string(&mut String::new()).unwrap();
            assert!(began.elapsed().as_secs() < 50, "uid {uid}, server {server_lives}");
        }
    }
}

fn what_runs_outlives_the_server_and_the_next_order_starts_another() {
    let root = Root::new();
    let sandbox = sandbox();
    let (mut running, mut out) = start(&sandbox, &root.shell("echo ready; read line < /dev/zero; echo end"));
    let other = Root::new();
    let (mut killed, _) = start(&sandbox, &other.shell("echo ready; sleep 60"));
    let first = server();
    let handle = handle(first);
    kill(first);
    wait_for_end(&handle);
    let third = Root::new();
    let mut next = sandbox.spawn(&third.spec(&["true"]), Stdio::default()).unwrap();
    assert_eq!(next.wait().unwrap(), Exit::Code(0));
    assert!(children(rustix::process::getpid()).iter().any(|child| *child != first));
    killed.kill();
    assert_eq!(killed.wait().unwrap(), Exit::Signal(9));
    running.signal(rustix::process::Signal::KILL.as_raw());
    assert_eq!(running.wait().unwrap(), Exit::Signal(9));
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(text, "");
}

fn the_server_ends_with_its_last_user() {
    let root = Root::new();
    let sandbox = sandbox();
    let (running, _) = start(&sandbox, &root.shell("echo ready; sleep 60"));
    let server = handle(server());
    drop(sandbox);
    // The running process keeps it.
    let mut source = [PollFd::new(&server, PollFlags::IN)];
    assert_eq!(poll(&mut source, Some(&Timespec::default())).unwrap(), 0);
    drop(running);
    assert_eq!(children(rustix::process::getpid()), []);
}

fn many_threads_spawn_at_once_and_share_nothing() {
    let roots: Vec<Root> = (0..8).map(|_| Root::new()).collect();
    let sandbox = sandbox();
    std::thread::scope(|scope| {
        for (number, root) in roots.iter().enumerate() {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for _ in 0..10 {
                    // The listing itself opens descriptor 3.
                    let spec = root.shell(&format!("ls /proc/self/fd; echo of {number}"));
                    let (mut out, stdout) = pipe();
                    let stdio = Stdio { stdout: Stream::Descriptor(stdout), ..Stdio::default() };
                    let mut running = spawn_in(sandbox, &spec, stdio).unwrap();
                    let mut text = String::new();
                    out.read_to_string(&mut text).unwrap();
                    assert_eq!(running.wait().unwrap(), Exit::Code(0));
                    assert_eq!(text, format!("0\n1\n2\n3\nof {number}\n"));
                }
            });
        }
    });
    // Supervisors that have ended are waited for; if not, this takes for ever.
    let server = server();
    while !children(server).is_empty() {
        std::thread::yield_now();
    }
}

fn the_callers_terminal_does_not_reach_the_helpers() {
    let root = Root::new();
    let running = spawn(&root.spec(&["sleep", "60"])).unwrap();
    let server = server();
    for helper in [server, child(server)] {
        assert_eq!(rustix::process::getsid(Some(helper)).unwrap(), server);
    }
    drop(running);
}

fn every_user_can_open_its_streams_again() {
    let root = Root::new();
    let mut spec = root.shell("echo out > /dev/stdout; echo err > /dev/stderr");
    spec.process.uid = 1000;
    spec.process.gid = 1000;
    assert_eq!(run(&spec), (Exit::Code(0), "out\n".to_owned(), "err\n".to_owned()));
}

fn the_working_directory_cannot_lead_out() {
    let root = Root::new();
    let mut spec = root.spec(&["busybox", "pwd"]);
    for number in 0..10 {
        spec.process.cwd = format!("/proc/self/fd/{number}").into();
        assert!(matches!(spawn(&spec), Err(SandboxError::WorkingDirectory { .. })), "{number}");
    }
    symlink("/tmp", root.path("base/link")).unwrap();
    spec.process.cwd = "/link".into();
    assert_eq!(output(&spec), "/tmp\n");
}

fn limits_are_set() {
    let root = Root::new();
    let mut spec = root.shell("ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; umask; busybox df -k /dev/shm | busybox tail -n 1");
    spec.process.rlimits =
        vec![sandbox::Rlimit { resource: "nofile".parse().unwrap(), soft: Some(100), hard: Some(200) }];
    spec.process.oom_score_adj = Some(500);
    spec.process.umask = 0o077;
    spec.shm_size = 3 << 20;
    let text = output(&spec);
    assert!(text.starts_with("100\n200\n500\n0077\n"), "{text}");
    assert!(text.contains(" 3072 "), "{text}");
}

fn no_new_privileges_is_set_where_asked() {
    let root = Root::new();
    let mut spec = root.shell("grep -E '^(Seccomp:|NoNewPrivs)' /proc/self/status");
    spec.process.no_new_privileges = true;
    assert_eq!(output(&spec), "NoNewPrivs:\t1\nSeccomp:\t2\n");
}

fn the_step_ends_with_its_first_process() {
    let root = Root::new();
    let began = Instant::now();
    output(&root.shell("(sleep 100; echo late > /late) & echo started"));
    assert!(began.elapsed().as_secs() < 50);
    assert!(!root.path("upper/late").exists());
}

const TESTS: &[Test] = &[
    ("exits_and_signals_are_reported", exits_and_signals_are_reported),
    ("streams_stay_apart_and_input_is_empty", streams_stay_apart_and_input_is_empty),
    ("the_process_is_as_specified", the_process_is_as_specified),
    ("only_its_own_processes_are_visible", only_its_own_processes_are_visible),
    ("capabilities_and_filter_are_dockers", capabilities_and_filter_are_dockers),
    ("the_host_cannot_be_reached", the_host_cannot_be_reached),
    ("devices_are_there", devices_are_there),
    ("without_network_there_is_loopback_only", without_network_there_is_loopback_only),
    ("changes_land_in_the_upper_directory", changes_land_in_the_upper_directory),
    ("hundreds_of_layers_can_be_mounted", hundreds_of_layers_can_be_mounted),
    ("the_root_can_be_a_directory", the_root_can_be_a_directory),
    ("mounts_are_made_in_order", mounts_are_made_in_order),
    ("what_cannot_start_says_why", what_cannot_start_says_why),
    ("a_terminal_is_a_terminal", a_terminal_is_a_terminal),
    ("dropping_kills_the_whole_tree", dropping_kills_the_whole_tree),
    ("killing_the_caller_kills_the_tree", killing_the_caller_kills_the_tree),
    ("killing_the_supervisor_kills_the_tree", killing_the_supervisor_kills_the_tree),
    (
        "what_runs_outlives_the_server_and_the_next_order_starts_another",
        what_runs_outlives_the_server_and_the_next_order_starts_another,
    ),
    ("the_server_ends_with_its_last_user", the_server_ends_with_its_last_user),
    ("many_threads_spawn_at_once_and_share_nothing", many_threads_spawn_at_once_and_share_nothing),
    ("the_callers_terminal_does_not_reach_the_helpers", the_callers_terminal_does_not_reach_the_helpers),
    ("every_user_can_open_its_streams_again", every_user_can_open_its_streams_again),
    ("the_working_directory_cannot_lead_out", the_working_directory_cannot_lead_out),
    ("limits_are_set", limits_are_set),
    ("no_new_privileges_is_set_where_asked", no_new_privileges_is_set_where_asked),
    ("an_ordinary_user_without_ranges_has_one_id", rootless::an_ordinary_user_without_ranges_has_one_id),
    ("an_ordinary_user_with_ranges_has_many_ids", rootless::an_ordinary_user_with_ranges_has_many_ids),
    ("an_ordinary_user_cannot_get_out", rootless::an_ordinary_user_cannot_get_out),
    ("the_step_ends_with_its_first_process", the_step_ends_with_its_first_process),
    ("memory_has_a_limit", limits::memory_has_a_limit),
    ("processes_have_a_limit", limits::processes_have_a_limit),
    (
        "a_group_is_the_root_of_its_sandbox_and_gone_with_it",
        limits::a_group_is_the_root_of_its_sandbox_and_gone_with_it,
    ),
    ("groups_can_lie_below_a_parent", limits::groups_can_lie_below_a_parent),
    ("a_shell_cannot_get_out", escapes::a_shell_cannot_get_out),
    ("denied_calls_are_denied", escapes::denied_calls_are_denied),
    ("without_filter_the_same_calls_succeed", escapes::without_filter_the_same_calls_succeed),
    ("processes_of_others_cannot_be_traced", escapes::processes_of_others_cannot_be_traced),
    ("the_running_program_cannot_be_written_to", escapes::the_running_program_cannot_be_written_to),
    ("devices_of_the_host_cannot_be_opened", escapes::devices_of_the_host_cannot_be_opened),
    ("harmless_devices_can_be_made_and_used", escapes::harmless_devices_can_be_made_and_used),
    ("devices_that_are_given_can_be_used", escapes::devices_that_are_given_can_be_used),
    ("where_there_is_no_group_mounts_refuse_devices", escapes::where_there_is_no_group_mounts_refuse_devices),
    ("daemons_end_with_their_step", escapes::daemons_end_with_their_step),
    ("a_step_without_streams_is_waited_for", escapes::a_step_without_streams_is_waited_for),
    ("memory_file_systems_are_bounded", escapes::memory_file_systems_are_bounded),
    ("nothing_of_the_caller_is_inherited", escapes::nothing_of_the_caller_is_inherited),
    ("mounts_cannot_be_led_out_of_the_root", escapes::mounts_cannot_be_led_out_of_the_root),
    ("capabilities_that_are_taken_are_gone", escapes::capabilities_that_are_taken_are_gone),
    ("no_descriptor_is_left_open", escapes::no_descriptor_is_left_open),
    ("owners_are_recorded_and_shown", ownership::owners_are_recorded_and_shown),
    ("paths_stay_in_the_root", ownership::paths_stay_in_the_root),
    ("processes_become_other_users", ownership::processes_become_other_users),
    ("the_first_process_can_be_anybody", ownership::the_first_process_can_be_anybody),
];

fn main() {
    sandbox::init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, root, mark] = words.as_slice()
        && first == PARENT
    {
        be_a_parent(root, mark);
    }
    if let [first, root, uid] = words.as_slice()
        && first == rootless::ORDINARY_USER
    {
        rootless::be_an_ordinary_user(root, uid);
    }
    if let [first, root] = words.as_slice()
        && first == rootless::ATTEMPTING
    {
        rootless::attempt_everything(root);
    }
    if let [first, root, uid, script] = words.as_slice()
        && first == ownership::SINGLE_ID
    {
        ownership::be_a_single_id(root, uid, script);
    }
    harness::run("sandbox", TESTS, &words);
}
