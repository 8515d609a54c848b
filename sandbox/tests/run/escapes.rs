//! Attempts to get out of the sandbox, or to leave something behind in it. Each must fail.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use sandbox::{
    Capability, CapabilitySet, Device, DeviceAccess, Devices, Exit, Mount, MountKind, Network, Seccomp, Spec,
};

use super::attempt::{self, Argument, Entry};
use super::{Root, output, processes_with, run, server, spawn};
use Argument::{Bytes, Number};

/// Users that try: root, and somebody who was never root.
const USERS: [u32; 2] = [0, 1000];

fn as_user(mut spec: Spec, uid: u32) -> Spec {
    spec.process.uid = uid;
    spec.process.gid = uid;
    spec
}

/// What a shell can try.
pub(crate) const ATTEMPTS: &[&str] = &[
    // Settings of the machine.
    "echo 1 > /proc/sys/kernel/panic",
    "echo /tmp/x > /proc/sys/kernel/core_pattern",
    "echo b > /proc/sysrq-trigger",
    "echo 0 > /proc/irq/default_smp_affinity",
    "mkdir /sys/x",
    "echo 0 > /sys/kernel/profiling",
    "echo x > /sys/kernel/uevent_helper",
    // The host's control groups, whose files would run programs on the host.
    "mkdir /sys/fs/cgroup/x",
    "find /sys/fs/cgroup -name cgroup.procs | while read file; do echo $$ > $file && exit 0; done; false",
    "find /sys/fs/cgroup -name release_agent | while read file; do echo /x > $file && exit 0; done; false",
    // What tells about the machine.
    "head -c 1 /proc/kcore | grep -q .",
    "grep -q . /proc/keys",
    "grep -q . /proc/timer_list",
    "grep -q . /proc/interrupts",
    "ls /sys/firmware | grep -q .",
    "head -c 1 /dev/mem",
    // Mounts, and what is below those that are there.
    "mount -t tmpfs x /mnt",
    "mount -t proc x /mnt",
    "mount -o remount,rw /sys",
    "mount -o remount,rw /proc/sys",
    "mount --bind /proc/sys /mnt",
    "umount /proc/keys",
    "umount -l /sys",
    "pivot_root /mnt /mnt",
    // Other namespaces.
    "unshare -m true",
    "unshare -U true",
    "unshare -r true",
    "unshare -n true",
    "nsenter -t 1 -m true",
    "nsenter --net=/proc/1/ns/net true",
    // Ways out of the root.
    "test ! /.. -ef /",
    "test ! /proc/1/root/.. -ef /",
    "test ! /proc/self/cwd/../../.. -ef /",
    "chroot /proc/1/root /bin/test ! / -ef /..",
    "for file in /proc/self/fd/*; do test -d $file && exit 0; done; false",
    // Processes outside.
    "kill -0 2147483 || kill -0 -1 2> /dev/null && ls -d /proc/[0-9][0-9][0-9][0-9]*",
    "ls /proc/1/map_files/ -l | grep builder",
];

pub(crate) fn a_shell_cannot_get_out() {
    let root = Root::new();
    let script = |attempt: &str| format!("busybox --install -s /bin; {attempt}");
    for uid in USERS {
        for attempt in ATTEMPTS {
            let (exit, out, errors) = run(&as_user(root.shell(&script(attempt)), uid));
            assert_ne!(exit, Exit::Code(0), "uid {uid}: {attempt}: {out}{errors}");
        }
    }
    // The tools are there: what was tried was tried.
    output(&root.shell(&script("which unshare nsenter mount umount chroot find head pivot_root")));
}

/// Calls that Docker's profile denies, by their numbers on x86-64, and arguments with which they can succeed.
const CALLS: &[(&str, u32, &[Argument<'static>])] = &[
    ("mount", 165, &[Bytes(b"x\0"), Bytes(b"/mnt\0"), Bytes(b"tmpfs\0"), Number(0), Number(0)]),
    ("umount2", 166, &[Bytes(b"/proc\0"), Number(2)]),
    ("pivot_root", 155, &[Bytes(b"/mnt\0"), Bytes(b"/mnt\0")]),
    ("fsopen", 430, &[Bytes(b"tmpfs\0"), Number(0)]),
    ("open_tree", 428, &[Number(0xffff_ff9c), Bytes(b"/\0"), Number(1)]),
    ("move_mount", 429, &[Number(0), Bytes(b"\0"), Number(0), Bytes(b"/mnt\0"), Number(4)]),
    ("mount_setattr", 442, &[Number(0xffff_ff9c), Bytes(b"/\0"), Number(0), Bytes(&[0; 32]), Number(32)]),
    ("unshare", 272, &[Number(0x1000_0000)]),
    ("clone", 56, &[Number(0x1000_0011), Number(0), Number(0), Number(0), Number(0)]),
    ("clone3", 435, &[Bytes(&[0; 64]), Number(64)]),
    ("setns", 308, &[Number(0), Number(0)]),
    ("keyctl", 250, &[Number(0), Number(0xffff_fffd), Number(1)]),
    ("add_key", 248, &[Bytes(b"user\0"), Bytes(b"x\0"), Bytes(b"x\0"), Number(1), Number(0xffff_fffd)]),
    ("request_key", 249, &[Bytes(b"user\0"), Bytes(b"x\0"), Number(0), Number(0)]),
    ("bpf", 321, &[Number(0), Bytes(&[0; 72]), Number(72)]),
    ("userfaultfd", 323, &[Number(1)]),
    ("perf_event_open", 298, &[Bytes(&[0; 112]), Number(0), Number(0), Number(0xffff_ffff), Number(0)]),
    ("io_uring_setup", 425, &[Number(1), Bytes(&[0; 120])]),
    ("open_by_handle_at", 304, &[Number(0xffff_ff9c), Bytes(&[0; 16]), Number(0)]),
    ("init_module", 175, &[Bytes(b"x"), Number(1), Bytes(b"\0")]),
    ("finit_module", 313, &[Number(0), Bytes(b"\0"), Number(0)]),
    ("kexec_load", 246, &[Number(0), Number(0), Number(0), Number(0)]),
    ("acct", 163, &[Number(0)]),
    ("swapoff", 168, &[Bytes(b"/mnt\0")]),
    ("reboot", 169, &[Number(0xfee1_dead), Number(672_274_793), Number(0)]),
    ("iopl", 172, &[Number(0)]),
    ("settimeofday", 164, &[Number(0), Number(0)]),
    ("syslog", 103, &[Number(10), Number(0), Number(0)]),
    ("quotactl", 179, &[Number(0), Number(0), Number(0), Number(0)]),
    ("fanotify_init", 300, &[Number(0), Number(0)]),
    ("process_madvise", 440, &[Number(0), Number(0), Number(0), Number(0), Number(0)]),
    ("pidfd_getfd", 438, &[Number(0), Number(0), Number(0)]),
    ("socket(AF_VSOCK)", 41, &[Number(40), Number(1), Number(0)]),
    ("socket(AF_ALG)", 41, &[Number(38), Number(5), Number(0)]),
    ("personality(ADDR_NO_RANDOMIZE)", 135, &[Number(0x4_0000)]),
    (
        "mount by x32",
        0x4000_0000 + 165,
        &[Bytes(b"x\0"), Bytes(b"/mnt\0"), Bytes(b"tmpfs\0"), Number(0), Number(0)],
    ),
];

/// The same for i386, which a 64 bit kernel serves too.
const OLD_CALLS: &[(&str, u32, &[Argument<'static>])] = &[
    ("mount", 21, &[Bytes(b"x\0"), Bytes(b"/mnt\0"), Bytes(b"tmpfs\0"), Number(0), Number(0)]),
    ("unshare", 310, &[Number(0x1000_0000)]),
    ("keyctl", 288, &[Number(0), Number(0xffff_fffd), Number(1)]),
    ("bpf", 357, &[Number(0), Bytes(&[0; 72]), Number(72)]),
    ("socket(AF_VSOCK)", 359, &[Number(40), Number(1), Number(0)]),
    ("umount", 22, &[Bytes(b"/proc\0")]),
];

/// `getpid`, which is always allowed.
const HARMLESS: [(Entry, u32); 2] = [(Entry::X8664, 39), (Entry::I386, 20)];

fn call(root: &Root, spec: impl Fn(Spec) -> Spec, program: &[u8]) -> Exit {
    attempt::install(&root.path("base/bin/attempt"), program);
    run(&spec(root.spec(&["attempt"]))).0
}

pub(crate) fn has_these_calls() -> bool {
    if !cfg!(target_arch = "x86_64") {
        eprintln!("SKIPPED: the programs of these tests are for x86-64");
    }
    cfg!(target_arch = "x86_64")
}

/// The programs of all calls that are denied, and what to call each.
pub(crate) fn denied_programs() -> impl Iterator<Item = (String, Vec<u8>)> {
    let groups = [(Entry::X8664, CALLS), (Entry::I386, OLD_CALLS)];
    groups.into_iter().flat_map(|(entry, calls)| {
        calls.iter().map(move |(name, number, arguments)| {
            (format!("{entry:?} {name}"), attempt::program(entry, *number, arguments))
        })
    })
}

/// Whether a program's call was denied. A kernel that does not take programs of a convention denies them all.
pub(crate) fn is_denial(exit: Exit) -> bool {
    let denials = [libc::EPERM, libc::ENOSYS].map(|errno| Exit::Code(u8::try_from(errno).unwrap()));
    denials.contains(&exit) || matches!(exit, Exit::Signal(_))
}

pub(crate) fn denied_calls_are_denied() {
    if !has_these_calls() {
        return;
    }
    let root = Root::new();
    for uid in USERS {
        let spec = |spec| as_user(spec, uid);
        for (entry, number) in HARMLESS {
            match call(&root, spec, &attempt::program(entry, number, &[])) {
                Exit::Code(0) => {}
                other if entry == Entry::I386 => {
                    eprintln!("SKIPPED: i386 programs do not run here: {other:?}");
                }
                other => panic!("a program of one call does not run: {other:?}"),
            }
        }
        for (name, program) in denied_programs() {
            let exit = call(&root, spec, &program);
            assert!(is_denial(exit), "uid {uid}: {name}: {exit:?}");
        }
    }
}

/// The tests above would notice if the calls succeeded.
pub(crate) fn without_filter_the_same_calls_succeed() {
    if !has_these_calls() {
        return;
    }
    let root = Root::new();
    let unconfined = |mut spec: Spec| {
        spec.seccomp = Seccomp::Unconfined;
        spec.process.capabilities = CapabilitySet::ALL;
        spec
    };
    for name in [
        "mount",
        "unshare",
        "clone",
        "fsopen",
        "keyctl",
        "socket(AF_VSOCK)",
        "personality(ADDR_NO_RANDOMIZE)",
    ] {
        let (_, number, arguments) = CALLS.iter().find(|(other, ..)| *other == name).unwrap();
        let exit = call(&root, unconfined, &attempt::program(Entry::X8664, *number, arguments));
        let absent = [libc::ENOSYS, libc::EAFNOSUPPORT].map(|errno| Exit::Code(u8::try_from(errno).unwrap()));
        assert!(exit == Exit::Code(0) || absent.contains(&exit), "{name}: {exit:?}");
    }
}

pub(crate) fn processes_of_others_cannot_be_traced() {
    if !has_these_calls() {
        return;
    }
    let root = Root::new();
    // PTRACE_ATTACH to those who are not there: this process, the server, and pid 1 of the host, which has no other
    // number inside than the attempt itself.
    for outside in [std::process::id(), server_after(&root)] {
        let program = attempt::program(
            Entry::X8664,
            101,
            &[Number(16), Number(u64::from(outside)), Number(0), Number(0)],
        );
        let exit = call(&root, |spec| spec, &program);
        assert_eq!(exit, Exit::Code(u8::try_from(libc::ESRCH).unwrap()), "{outside}");
    }
    // A user cannot trace root's init.
    let program = attempt::program(Entry::X8664, 101, &[Number(16), Number(1), Number(0), Number(0)]);
    attempt::install(&root.path("base/bin/attempt"), &program);
    let script = "echo 'user:x:1000:1000::/:/bin/sh' > /etc/passwd; su user -c attempt";
    let (exit, _, errors) = run(&root.shell(&format!("busybox --install -s /bin; {script}")));
    assert_eq!(exit, Exit::Code(u8::try_from(libc::EPERM).unwrap()), "{errors}");
}

fn server_after(root: &Root) -> u32 {
    let running = spawn(&root.spec(&["sleep", "60"])).unwrap();
    let server = server().as_raw_nonzero().get().unsigned_abs();
    drop(running);
    server
}

pub(crate) fn the_running_program_cannot_be_written_to() {
    let root = Root::new();
    let running = spawn(&root.spec(&["sleep", "60"])).unwrap();
    let program = format!("/proc/{}/exe", server().as_raw_nonzero());
    // Root of the host could, if anybody. To open it for writing is refused as long as it runs, on any mount; to
    // change its mode only on one that is read-only.
    assert!(File::options().write(true).open(&program).is_err());
    let mode = fs::metadata(&program).unwrap().permissions();
    let error = fs::set_permissions(&program, mode).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EROFS));
    drop(running);
}

/// A device that every machine with FUSE has, and that everybody may open.
const FUSE: (u32, u32) = (10, 229);

fn open(path: &str) -> String {
    format!("true < {path}")
}

fn make_device(path: &Path, kind: FileType, numbers: (u32, u32)) {
    mknodat(CWD, path, kind, Mode::from_raw_mode(0o666), makedev(numbers.0, numbers.1)).unwrap();
}

/// A block device of this machine that can be opened.
fn disk(root: &Root) -> Option<(u32, u32)> {
    for entry in fs::read_dir("/sys/block").ok()?.flatten() {
        let text = fs::read_to_string(entry.path().join("dev")).ok()?;
        let (major, minor) = text.trim().split_once(':')?;
        let numbers = (major.parse().ok()?, minor.parse().ok()?);
        let path = root.path(&format!("disk{}-{}", numbers.0, numbers.1));
        make_device(&path, FileType::BlockDevice, numbers);
        if File::open(&path).is_ok() {
            return Some(numbers);
        }
    }
    None
}

fn has_fuse() -> bool {
    let has_fuse = File::open("/dev/fuse").is_ok();
    if !has_fuse {
        eprintln!("SKIPPED: there is no /dev/fuse to keep from anybody");
    }
    has_fuse
}

pub(crate) fn devices_of_the_host_cannot_be_opened() {
    if !has_fuse() {
        return;
    }
    let root = Root::new();
    let disk = disk(&root);
    make_device(&root.path("base/etc/fuse"), FileType::CharacterDevice, FUSE);
    let outside = root.path("outside");
    fs::create_dir(&outside).unwrap();
    make_device(&outside.join("fuse"), FileType::CharacterDevice, FUSE);
    // It can be opened from outside.
    File::open(outside.join("fuse")).unwrap();
    let refused = |script: &str| {
        let mut spec = root.shell(script);
        let bind = MountKind::Bind { source: outside.clone(), read_only: false, recursive: true };
        let memory = MountKind::Tmpfs { size: None, mode: 0o777 };
        fs::create_dir_all(root.path("base/mnt/memory")).unwrap();
        fs::create_dir_all(root.path("base/mnt/bind")).unwrap();
        spec.mounts = vec![
            Mount { target: "/mnt/memory".into(), kind: memory },
            Mount { target: "/mnt/bind".into(), kind: bind },
        ];
        let (exit, _, errors) = run(&spec);
        assert_ne!(exit, Exit::Code(0), "{script}");
        let is_denied = errors.contains("Operation not permitted") || errors.contains("Permission denied");
        assert!(is_denied, "{script}: {errors}");
    };
    // In a layer, in a bind mount, and made by the process: in the root, in memory, and in /dev.
    refused(&open("/etc/fuse"));
    refused(&open("/mnt/bind/fuse"));
    for place in ["/tmp", "/mnt/memory", "/dev", "/mnt/bind"] {
        refused(&format!("busybox mknod {place}/made c 10 229; {}", open(&format!("{place}/made"))));
        refused(&format!("busybox mknod {place}/mem c 1 1; {}", open(&format!("{place}/mem"))));
        if let Some((major, minor)) = disk {
            let make = format!("rm -f {place}/disk; busybox mknod {place}/disk b {major} {minor}");
            refused(&format!("{make}; {}", open(&format!("{place}/disk"))));
        }
    }
    // Nodes are files of an image like others, and what every process has is still there.
    output(&root.shell(
        "busybox mknod /tmp/node b 8 0 && test -b /tmp/node && echo x > /dev/null && echo x > /dev/stderr",
    ));
    assert!(fs::symlink_metadata(root.path("upper/tmp/node")).unwrap().file_type().is_block_device());
}

pub(crate) fn harmless_devices_can_be_made_and_used() {
    let root = Root::new();
    let script = "busybox mknod /tmp/null c 1 3 && echo x > /tmp/null && busybox mknod /tmp/zero c 1 5 && \
                  busybox head -c 2 /tmp/zero | wc -c";
    assert_eq!(output(&root.shell(script)), "2\n");
}

pub(crate) fn devices_that_are_given_can_be_used() {
    if !has_fuse() {
        return;
    }
    let root = Root::new();
    let fuse = |path: &str, access: DeviceAccess| {
        let mut device = Device::of_host(Path::new("/dev/fuse"), Path::new(path), access).unwrap();
        (device.mode, device.uid, device.gid) = (0o640, 7, 8);
        device
    };
    let mut spec = root.shell(&format!("stat -c '%a %u:%g' /dev/a/fuse; {}", open("/dev/a/fuse")));
    spec.devices = Devices::Given(vec![fuse("/dev/a/fuse", DeviceAccess::ALL)]);
    assert_eq!(output(&spec), "640 7:8\n");
    let mut spec = root.shell("true < /dev/fuse && true > /dev/fuse");
    spec.devices = Devices::Given(vec![fuse("/dev/fuse", "r".parse().unwrap())]);
    let (exit, _, errors) = run(&spec);
    assert!(exit != Exit::Code(0) && errors.contains("can't create /dev/fuse"), "{errors}");
    let mut spec = root.shell("true");
    spec.devices = Devices::Given(vec![fuse("/etc/fuse", DeviceAccess::ALL)]);
    assert!(spawn(&spec).is_err(), "a node outside of /dev would be a part of the layer");
    let mut spec = root.shell("true < /dev/fuse && busybox mknod /tmp/fuse c 10 229 && true < /tmp/fuse");
    spec.devices = Devices::All;
    output(&spec);
}

pub(crate) fn where_there_is_no_group_mounts_refuse_devices() {
    let script = "umount -R /sys/fs/cgroup && exec \"$0\" --exact devices_of_the_host_cannot_be_opened";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(std::env::current_exe().unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

pub(crate) fn daemons_end_with_their_step() {
    let root = Root::new();
    let mark = format!("{}93.25", std::process::id());
    // In a session of its own, forked twice, deaf to signals, without streams.
    let daemon = format!("trap '' TERM HUP INT; (setsid sh -c \"trap '' TERM HUP INT; sleep {mark}\" &) ");
    let script = format!("busybox --install -s /bin; ({daemon}) < /dev/null > /dev/null 2>&1; echo started");
    assert_eq!(output(&root.shell(&script)), "started\n");
    assert_eq!(processes_with(&mark), Vec::<String>::new());
}

pub(crate) fn a_step_without_streams_is_waited_for() {
    let root = Root::new();
    let mut spec = root.shell("exec <&- >&- 2>&-; busybox sleep 0.2; echo > /done");
    spec.network = Network::None;
    assert_eq!(run(&spec).0, Exit::Code(0));
    assert!(root.path("upper/done").exists());
}

pub(crate) fn memory_file_systems_are_bounded() {
    let root = Root::new();
    let mut spec =
        root.shell("busybox dd if=/dev/zero of=/mnt/file bs=64k count=1000; ls -s /mnt/file; exit 3");
    spec.mounts =
        vec![Mount { target: "/mnt".into(), kind: MountKind::Tmpfs { size: Some(1 << 20), mode: 0o755 } }];
    let (exit, _, errors) = run(&spec);
    assert_eq!(exit, Exit::Code(3));
    assert!(errors.contains("No space left on device"), "{errors}");
    let (_, _, errors) = run(&root.shell("busybox dd if=/dev/zero of=/dev/file bs=1M count=80"));
    assert!(errors.contains("No space left on device"), "{errors}");
}

pub(crate) fn nothing_of_the_caller_is_inherited() {
    let root = Root::new();
    let mut spec = root.shell(
        "cat /proc/self/oom_score_adj; grep -c _ses: /proc/keys; grep -E '^Cap(Inh|Amb)' /proc/self/status; \
         busybox env | busybox sort",
    );
    // All keys can be listed, but there is nothing to list.
    spec.masked_paths.clear();
    let protected = Path::new("/proc/self/oom_score_adj");
    let before = fs::read_to_string(protected).unwrap();
    let is_protected = fs::write(protected, "-200").is_ok();
    let text = output(&spec);
    if is_protected {
        fs::write(protected, before.trim()).unwrap();
    }
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], if is_protected { "0" } else { before.trim() }, "{text}");
    assert_eq!(lines[2..4], ["CapInh:\t0000000000000000", "CapAmb:\t0000000000000000"], "{text}");
    let names: Vec<_> = lines[4..].iter().filter_map(|line| line.split('=').next()).collect();
    assert!(names.iter().all(|name| ["PATH", "PWD", "SHLVL", "OLDPWD", "_"].contains(name)), "{text}");
}

pub(crate) fn mounts_cannot_be_led_out_of_the_root() {
    let root = Root::new();
    let outside = root.path("outside");
    fs::create_dir(&outside).unwrap();
    // Absolute, relative and magic links as mount points.
    std::os::unix::fs::symlink(&outside, root.path("base/mnt/absolute")).unwrap();
    std::os::unix::fs::symlink("../../../../../../tmp", root.path("base/mnt/relative")).unwrap();
    for target in ["/mnt/absolute/x", "/mnt/relative/x", "/proc/1/root/tmp/x", "/proc/self/cwd/x"] {
        let mut spec = root.shell("true");
        spec.mounts = vec![Mount {
            target: target.into(),
            kind: MountKind::File { content: b"x".to_vec(), mode: 0o644, uid: 0, gid: 0 },
        }];
        // Whether it is made inside or refused is not the question.
        let _ = spawn(&spec).map(|mut running| running.wait());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{target}");
        assert!(!Path::new("/tmp/x").exists(), "{target}");
    }
}

pub(crate) fn capabilities_that_are_taken_are_gone() {
    let root = Root::new();
    let mut spec = root.shell("busybox mknod /tmp/node c 1 3");
    spec.process.capabilities = CapabilitySet::DOCKER_DEFAULT.without(Capability::Mknod);
    assert_ne!(run(&spec).0, Exit::Code(0));
}

pub(crate) fn no_descriptor_is_left_open() {
    let root = Root::new();
    // The last one is the directory that is being listed.
    assert_eq!(output(&root.spec(&["ls", "/proc/self/fd"])), "0\n1\n2\n3\n");
}
