//! `builder run`, in real sandboxes, on an image with nothing but busybox.
#![expect(clippy::print_stderr, reason = "a test that cannot run says so")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use testkit::command::CommandLine;

/// `builder` with the image `busybox`; none where a sandbox or a static busybox is not to be had.
fn builder_with_busybox() -> Option<CommandLine> {
    let Ok(busybox) = fs::read("/bin/busybox").or_else(|_| fs::read("/usr/bin/busybox")) else {
        eprintln!("SKIPPED: containers need a static busybox");
        return None;
    };
    let builder = CommandLine::new(env!("CARGO_BIN_EXE_builder")).expect("a temporary directory");
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, mode: u32, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        archive.append_data(&mut header, path, content).expect("memory can be written");
    };
    add("bin/sh", 0o755, &busybox);
    add("bin/cat", 0o755, &busybox);
    add("etc/passwd", 0o644, b"root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
    let archive = archive.into_inner().expect("memory can be written");
    let import = ["import", "--change", "ENTRYPOINT [\"/bin/sh\", \"-c\"]", "-", "busybox"];
    let _ = builder.run_with_input(&import, &archive).expect("the program can be started").success();
    Some(builder)
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let Some(builder) = builder_with_busybox() else { return };
    let code = |arguments: &[&str]| builder.run(arguments).expect("the program can be started").code;
    assert_eq!(code(&["run", "busybox", "exit 7"]), Some(7));
    assert_eq!(code(&["run", "--entrypoint", "", "busybox", "no-such-command"]), Some(127));
    assert_eq!(code(&["run", "--entrypoint", "", "busybox", "/etc/passwd"]), Some(126));
    assert_eq!(code(&["run", "--user", "nobody-here", "busybox", "exit 0"]), Some(125));
    assert_eq!(code(&["run", "--volume", "name:/data", "busybox", "exit 0"]), Some(125));
}

#[test]
fn options_reach_the_command() {
    let Some(builder) = builder_with_busybox() else { return };
    builder.write("shared/file", "from the host\n").expect("a file");
    let script = "echo $A $HOME $PWD; cat /shared/file; echo x > /shared/new";
    let options =
        ["run", "-e", "A=b", "-u", "user", "-w", "/tmp", "-v", "./shared:/shared:ro", "busybox", script];
    let ran = builder.run(&options).expect("the program can be started");
    insta::assert_snapshot!(ran, @r"
    exit 1
    -- stdout
    b /home/user /tmp
    from the host
    -- stderr
    /bin/sh: can't create /shared/new: Read-only file system
    ");
}

#[test]
fn standard_input_is_for_those_who_ask() {
    let Some(builder) = builder_with_busybox() else { return };
    let run = |arguments: &[&str]| {
        builder.run_with_input(arguments, b"typed\n").expect("the program can be started").success().stdout
    };
    assert_eq!(run(&["run", "-i", "busybox", "cat"]), "typed\n");
    assert_eq!(run(&["run", "busybox", "cat"]), "");
}

#[test]
fn signals_are_passed_on() {
    let Some(builder) = builder_with_busybox() else { return };
    let script = "trap 'exit 3' TERM; echo ready; while :; do cat /dev/zero | cat > /dev/null & wait; done";
    let mut command = builder.command(&["run", "busybox", script]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program can be started");
    let mut ready = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut ready).expect("the container writes");
    assert_eq!(ready, "ready\n");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}

#[test]
fn privileges_are_given_and_taken() {
    let Some(builder) = builder_with_busybox() else { return };
    let run = |options: &[&str], script: &str| {
        let arguments = [&["run"], options, &["busybox", script]].concat();
        builder.run(&arguments).expect("the program can be started")
    };
    let status = |name: &str| {
        format!("while read line; do case $line in {name}*) echo $line;; esac; done < /proc/self/status")
    };
    let bits = |options: &[&str]| run(options, &status("CapEff")).success().stdout;
    assert_eq!(bits(&[]), "CapEff: 00000000a80425fb\n");
    assert_eq!(bits(&["--cap-drop=all", "--cap-add=CAP_CHOWN"]), "CapEff: 0000000000000001\n");
    assert_eq!(bits(&["--cap-drop=CHOWN"]), "CapEff: 00000000a80425fa\n");
    let options = ["--security-opt=no-new-privileges", "--security-opt=seccomp=unconfined"];
    assert_eq!(run(&options, &status("NoNewPrivs")).success().stdout, "NoNewPrivs: 1\n");
    assert_eq!(run(&options, &status("Seccomp:")).success().stdout, "Seccomp: 0\n");
    // To open it says enough; nothing is written.
    let open = ": >> /proc/sys/kernel/panic";
    assert_ne!(run(&[], open).code, Some(0));
    for options in [["--privileged"], ["--security-opt=systempaths=unconfined"]] {
        let _ = run(&options, open).success();
    }
    for wrong in ["--cap-add=X", "--security-opt=x", "--device=null", "--device=/dev/missing"] {
        assert_eq!(run(&[wrong], "exit 0").code, Some(125), "{wrong}");
    }
}

#[test]
fn devices_are_given_by_name() {
    let Some(builder) = builder_with_busybox() else { return };
    if fs::File::open("/dev/fuse").is_err() {
        eprintln!("SKIPPED: there is no /dev/fuse to give");
        return;
    }
    let code = |options: &[&str], script: &str| {
        builder.run(&[&["run"], options, &["busybox", script]].concat()).expect("it starts").code
    };
    assert_ne!(code(&[], ": < /dev/fuse"), Some(0));
    assert_eq!(code(&["--device=/dev/fuse"], ": < /dev/fuse"), Some(0));
    assert_eq!(code(&["--device=/dev/fuse:/dev/deep/x"], ": < /dev/deep/x"), Some(0));
    assert_ne!(code(&["--device=/dev/fuse:r"], ": > /dev/fuse"), Some(0));
}
