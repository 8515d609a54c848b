//! The networks of steps and containers.

use std::process::Command;

use testkit::machine::Machine;

use crate::project::Project;

const DOCKERFILE: &str = "\
FROM busybox
RUN ls /sys/class/net | tr '\\n' ' ' > /links && cat /etc/resolv.conf > /names
RUN --network=none ls /sys/class/net | tr '\\n' ' ' >> /links
CMD [\"cat\", \"/links\", \"/names\"]
";

/// Runs `builder` in a machine to its end; gives what it printed.
#[track_caller]
fn output(machine: &Machine, project: &Project, arguments: &[&str]) -> String {
    let output = machine.output(&mut machine.command(&project.command(arguments)));
    let output = output.expect("the program can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(!errors.contains("network of this machine"), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A machine whose name server is one of its own, on a loopback address.
fn machine(project: &Project) -> Option<Machine> {
    let machine = Machine::start()?;
    project.write("resolv.conf", "nameserver 127.0.0.53\nsearch lan\n").expect("the directory is ours");
    let mut command = Command::new("/bin/mount");
    command.args(["--bind", "resolv.conf", "/etc/resolv.conf"]).current_dir(project.directory());
    let mounted = machine.output(&mut machine.command(&command)).expect("mount is there");
    assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
    Some(machine)
}

#[test]
fn steps_and_containers_have_networks_of_their_own() {
    let Some(project) = Project::with_busybox(DOCKERFILE) else { return };
    let Some(machine) = machine(&project) else { return };
    output(&machine, &project, &["build", "-t", "app", "context"]);
    let written = output(&machine, &project, &["run", "app"]);
    assert_eq!(written, "eth0 lo lo nameserver 10.239.0.1\nsearch lan\n");
    let links =
        |network| output(&machine, &project, &["run", "--network", network, "app", "ls", "/sys/class/net"]);
    assert_eq!(
        ["bridge", "isolated", "none", "host"].map(links),
        ["eth0\nlo\n", "eth0\nlo\n", "lo\n", "lo\n"]
    );
}

#[test]
fn names_are_what_the_flags_say() {
    let text =
        "FROM busybox\nRUN cat /etc/resolv.conf > /names && grep -E 'here|there' /etc/hosts >> /names\n";
    let Some(project) = Project::with_busybox(text) else { return };
    let Some(machine) = machine(&project) else { return };
    let flags = [
        "--dns=192.0.2.53",
        "--dns-search=.",
        "--dns-option=ndots:2",
        "--add-host=here:host-gateway",
        "--add-host=there:192.0.2.7",
    ];
    output(&machine, &project, &[&["build", "-t", "app"], &flags[..], &["context"]].concat());
    let script = "cat /etc/resolv.conf; grep -E 'here|there' /etc/hosts";
    let in_step = output(&machine, &project, &["run", "app", "cat", "/names"]);
    let in_container =
        output(&machine, &project, &[&["run"], &flags[..], &["app", "sh", "-c", script]].concat());
    for names in [in_step, in_container] {
        let lines: Vec<&str> = names.lines().collect();
        assert_eq!(lines[..2], ["nameserver 192.0.2.53", "options ndots:2"], "{names}");
        assert!(lines[2].starts_with("10.199.") && lines[2].ends_with("\there"), "{names}");
        assert_eq!(lines[3..], ["192.0.2.7\tthere"], "{names}");
    }
    // None of the addresses is a reason to run the step again.
    let again =
        ["build", "--progress=plain", "--add-host=here:192.0.2.1", "--add-host=there:192.0.2.2", "context"];
    let again = project.builder(&again).success();
    crate::project::assert_all_cached(&again, 1);
}
