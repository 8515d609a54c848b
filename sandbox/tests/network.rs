//! Real processes in real isolated networks.
//!
//! Each test has a machine of its own: its network has the loopback link and an address on it that others can
//! reach, and whatever is left there later was left by the test. This program is its own helper and keeper; what
//! runs in the machine is this program as well, with a word that says what to do.
#![expect(clippy::unwrap_used, reason = "a test that meets an error ends there")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a test harness")]

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio as ProcessStdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use sandbox::{
    CapabilitySet, Exit, Network, Networks, Overlay, Process, Running, Sandbox, Spec, Stdio, Stream,
};
use testkit::harness::{self, Test};
use testkit::machine::Machine;

/// An address of the machine that is no loopback address.
const ADDRESS: &str = "203.0.113.7";
/// The port of servers.
const PORT: u16 = 7000;

// What this program does in the machine.
const STEP: &str = "step";
const PAIR: &str = "pair";
const KEEP: &str = "keep";
const SERVER: &str = "server";
const NAMES: &str = "names";
const PROBE: &str = "probe";
/// Before another word: this program first takes the part of an ordinary user.
const ORDINARY: &str = "ordinary";

/// A root with busybox.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["base/bin", "base/dev", "base/proc", "base/sys", "base/tmp", "upper", "work"] {
            fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        fs::copy("/bin/busybox", directory.path().join("base/bin/busybox")).unwrap();
        for applet in ["sh", "echo", "cat", "ls", "nc", "ip", "sleep", "grep", "nslookup"] {
            symlink("busybox", directory.path().join("base/bin").join(applet)).unwrap();
        }
        Self(directory)
    }

    /// Starts a script in this network; gives its output to be read.
    fn start(&self, network: Network, script: &str) -> (Running, PipeReader) {
        let path = |name: &str| self.0.path().join(name);
        let overlay = Overlay { lowers: vec![path("base")], upper: path("upper"), work: path("work") };
        let mut process = Process::new(["/bin/sh", "-c", script]);
        process.env.push(("PATH".into(), "/bin".into()));
        // What keeps steps apart must not be that they may not change their own network.
        process.capabilities = CapabilitySet::ALL;
        let mut spec = Spec::new(overlay, process);
        spec.network = network;
        let (reader, writer) = std::io::pipe().unwrap();
        let stdio =
            Stdio { stdout: Stream::Descriptor(writer.into()), stderr: Stream::Inherit, ..Stdio::default() };
        (Sandbox::new(PathBuf::from("/proc/self/exe")).spawn(&spec, stdio).unwrap(), reader)
    }

    /// Runs a script in this network to its end, and gives what it wrote.
    fn run(&self, network: Network, script: &str) -> String {
        let (mut running, mut reader) = self.start(network, script);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(running.wait().unwrap(), Exit::Code(0), "{text}");
        text
    }
}

fn networks() -> Networks {
    Networks::new(PathBuf::from("/proc/self/exe"))
}

fn isolated(networks: &Networks) -> Network {
    Network::Isolated(networks.isolated().unwrap_or_else(|reason| panic!("{reason}")).namespace)
}

/// In the machine: runs a script in an isolated network.
fn be_a_step(script: &str) {
    print!("{}", Root::new().run(isolated(&networks()), script));
}

/// In the machine: runs a script while another one, which has written a line, goes on.
fn be_a_pair(first: &str, second: &str) {
    let (networks, roots) = (networks(), [Root::new(), Root::new()]);
    let (_running, reader) = roots[0].start(isolated(&networks), first);
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    print!("{line}{}", roots[1].run(isolated(&networks), second));
}

/// In the machine: gives a line to whoever connects to this address.
fn be_a_server(address: &str, line: &str) {
    let listener = TcpListener::bind((address, PORT)).unwrap();
    println!("listening");
    for connection in listener.incoming() {
        writeln!(connection.unwrap(), "{line}").unwrap();
    }
}

/// In the machine: takes a network for every line of input, and tells when it has it.
fn keep_networks() {
    let networks = networks();
    let mut kept = Vec::new();
    for line in std::io::stdin().lines() {
        line.unwrap();
        kept.push(isolated(&networks));
        println!("{}", kept.len());
    }
}

/// In the machine: tells why there is no isolated network.
fn tell_why_there_is_none() {
    println!("{}", networks().probe().unwrap_err());
}

/// In the machine: a name server on a loopback address, for which every name has the same address. By a connection
/// it sends back what it gets.
fn be_a_name_server() {
    let datagrams = UdpSocket::bind("127.0.0.1:53").unwrap();
    let listener = TcpListener::bind("127.0.0.1:53").unwrap();
    println!("listening");
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut line = String::new();
            let mut connection = BufReader::new(connection.unwrap());
            connection.read_line(&mut line).unwrap();
            connection.get_mut().write_all(line.as_bytes()).unwrap();
        }
    });
    let mut message = [0; 512];
    loop {
        let (length, client) = datagrams.recv_from(&mut message).unwrap();
        // The question again, as an answer (RFC 1035, 4.1): for IPv4 with a record for its name, which is at byte 12.
        let mut answer = message[..length].to_vec();
        let is_for_ipv4 = answer.ends_with(&[0, 1, 0, 1]);
        answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_for_ipv4), 0, 0, 0, 0]);
        if is_for_ipv4 {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 99]);
        }
        datagrams.send_to(&answer, client).unwrap();
    }
}

/// A machine with an address; none, said on stderr, where there can be none.
fn machine() -> Option<Machine> {
    let machine = Machine::start()?;
    let mut command = Command::new("/bin/busybox");
    command.args(["ip", "address", "add", &format!("{ADDRESS}/32"), "dev", "lo"]);
    let output = machine.output(&mut machine.command(&command)).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(machine)
}

fn own_program(words: &[&str]) -> Command {
    let mut command = Command::new(fs::read_link("/proc/self/exe").unwrap());
    command.args(words).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Runs this program in the machine to its end.
#[track_caller]
fn output(machine: &Machine, words: &[&str]) -> String {
    let output = machine.output(&mut machine.command(&own_program(words))).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// What the test itself has made stays.
#[track_caller]
fn assert_nothing_left_but(machine: &Machine, own: &[&str]) {
    let began = Instant::now();
    loop {
        let mut left = machine.leftovers().unwrap();
        left.retain(|line| !own.contains(&line.as_str()));
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{left:?}");
        thread::yield_now();
    }
}

#[track_caller]
fn assert_nothing_left(machine: &Machine) {
    assert_eq!(machine.leftovers_at_last().unwrap(), Vec::<String>::new());
}

/// A server in the machine; killed when dropped.
struct Server(Child);

impl Server {
    fn start(machine: &Machine, words: &[&str]) -> Self {
        let mut command = machine.command(&own_program(words));
        let mut child = machine.spawn(command.stdout(ProcessStdio::piped())).unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "listening\n");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn a_step_has_a_network_of_its_own() {
    let Some(machine) = machine() else { return };
    let script =
        "ls /sys/class/net; ip route | grep -c default; ip address show eth0 | grep -c 'inet 10.239.0'";
    assert_eq!(output(&machine, &[STEP, script]), "eth0\nlo\n1\n1\n");
    assert_nothing_left(&machine);
}

fn steps_share_no_ports_and_do_not_reach_each_other() {
    let Some(machine) = machine() else { return };
    // The second one asks at the address of the first one, then by way of the gateway, and then holds the same
    // port, where it reaches itself.
    let listen =
        "nc -ll -p 7000 -e echo $NAME & until nc 127.0.0.1 7000 < /dev/null 2> /dev/null; do :; done";
    let first = format!("NAME=first; {listen}; exec cat /dev/zero > /dev/null");
    let ask = "nc -w 1 10.239.0.2 7000 < /dev/null 2> /dev/null || echo unreachable";
    let second = format!("{ask}; ip route add 10.239.0.2 via 10.239.0.1; {ask}; NAME=second; {listen}");
    let expected = "first\nunreachable\nunreachable\nsecond\n";
    assert_eq!(output(&machine, &[PAIR, &first, &second]), expected);
    assert_nothing_left(&machine);
}

fn the_loopback_addresses_of_the_machine_are_out_of_reach() {
    let Some(machine) = machine() else { return };
    let _server = Server::start(&machine, &[SERVER, "127.0.0.1", "secret"]);
    let script =
        "for host in 127.0.0.1 10.239.0.1; do nc -w 1 $host 7000 < /dev/null 2> /dev/null || echo no; done";
    assert_eq!(output(&machine, &[STEP, script]), "no\nno\n");
}

fn killing_the_keeper_leaves_nothing_and_the_next_network_has_another() {
    let Some(machine) = machine() else { return };
    let mut command = machine.command(&own_program(&[KEEP]));
    command.stdin(ProcessStdio::piped()).stdout(ProcessStdio::piped());
    let mut child = machine.spawn(&mut command).unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || {
        input.write_all(b"\n").unwrap();
        lines.next().unwrap().unwrap()
    };
    assert_eq!(next(), "1");
    let table = |line: &String| line.starts_with("table builder-");
    assert_eq!(machine.leftovers().unwrap().iter().filter(|line| table(line)).count(), 1);
    let keeper = machine.process_with("__network").unwrap().unwrap();
    kill_process(keeper, Signal::KILL).unwrap();
    assert_eq!(next(), "2");
    assert_ne!(machine.process_with("__network").unwrap(), Some(keeper));
    drop(input);
    assert!(child.wait().unwrap().success());
    assert_nothing_left(&machine);
}

fn killing_the_builder_leaves_nothing() {
    let Some(machine) = machine() else { return };
    let mut command = machine.command(&own_program(&[KEEP]));
    command.stdin(ProcessStdio::piped()).stdout(ProcessStdio::piped());
    let mut child = machine.spawn(&mut command).unwrap();
    child.stdin.as_mut().unwrap().write_all(b"\n\n\n").unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while lines.next().unwrap().unwrap() != "3" {}
    let left = machine.leftovers().unwrap();
    assert!(left.iter().any(|line| line == "interface builder0"), "{left:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_nothing_left(&machine);
}

fn builders_at_the_same_time_do_not_meet() {
    let Some(machine) = machine() else { return };
    thread::scope(|scope| {
        let runs = [0; 4].map(|_| scope.spawn(|| output(&machine, &[STEP, "ip route | grep -c default"])));
        for run in runs {
            assert_eq!(run.join().unwrap(), "1\n");
        }
    });
    assert_nothing_left(&machine);
}

/// What a step sends arrives, and the answer comes back, at its first attempt.
fn a_step_reaches_the_addresses_of_the_machine() {
    let Some(machine) = machine() else { return };
    let _server = Server::start(&machine, &[SERVER, ADDRESS, "welcome"]);
    let script = format!("nc -w 1 {ADDRESS} 7000 < /dev/null");
    assert_eq!(output(&machine, &[STEP, &script]), "welcome\n");
}

/// Without this, what a step sends ends at the machine.
fn the_machine_forwards_what_steps_send() {
    let Some(machine) = machine() else { return };
    let is =
        |setting: &str| prepare(&machine, &format!("test $(cat /proc/sys/net/ipv4/ip_forward) = {setting}"));
    // A new machine may have it from that around it.
    prepare(&machine, "echo 0 > /proc/sys/net/ipv4/ip_forward");
    is("0");
    assert_eq!(output(&machine, &[STEP, "echo sent"]), "sent\n");
    is("1");
    // As in a container, where nothing has to be switched on.
    prepare(&machine, "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys");
    assert_eq!(output(&machine, &[STEP, "echo again"]), "again\n");
}

/// Runs a command in the machine, which has to succeed.
#[track_caller]
fn prepare(machine: &Machine, script: &str) {
    let mut command = Command::new("/bin/sh");
    command.args(["-ec", script]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = machine.output(&mut machine.command(&command)).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn a_name_server_on_a_loopback_address_is_asked_by_way_of_the_gateway() {
    let Some(machine) = machine() else { return };
    let settings = tempfile::NamedTempFile::new().unwrap();
    fs::write(settings.path(), "nameserver 127.0.0.1\n").unwrap();
    prepare(&machine, &format!("mount --bind {} /etc/resolv.conf", settings.path().display()));
    let _server = Server::start(&machine, &[NAMES]);
    let script = "nslookup -type=a some.name 10.239.0.1; echo over a connection | nc -w 1 10.239.0.1 53";
    let text = output(&machine, &[STEP, script]);
    assert!(text.contains("Address: 192.0.2.99\n") && text.ends_with("\nover a connection\n"), "{text}");
}

/// This program in a place where everybody may execute it, and the words by which `nobody` does.
fn program_of_nobody(directory: &Path) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let program = directory.join("program");
    fs::copy("/proc/self/exe", &program).unwrap();
    let words = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    words
        .iter()
        .map(ToString::to_string)
        .chain([program.display().to_string(), ORDINARY.to_owned()])
        .collect()
}

/// Runs this program in the machine, as an ordinary user.
fn output_of_nobody(machine: &Machine, words: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("setpriv");
    command.args(program_of_nobody(directory.path())).args(words);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TMPDIR", "/tmp");
    let output = machine.output(&mut machine.command(&command)).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Whether a program that carries packets is installed.
fn has_program() -> bool {
    ["/usr/bin/pasta", "/usr/bin/slirp4netns"].iter().any(|path| Path::new(path).exists())
}

/// Whether a machine can have a device that such a program needs; said on stderr if not.
fn can_be_connected() -> bool {
    let missing = match (has_program(), Path::new("/dev/net").is_dir()) {
        (false, _) => "neither pasta (package passt) nor slirp4netns is installed",
        (true, false) => "there is no directory /dev/net",
        (true, true) => return true,
    };
    eprintln!("SKIPPED: {missing}");
    false
}

fn why_there_is_no_network_is_told() {
    let Some(machine) = machine() else { return };
    prepare(&machine, "! test -d /dev/net || mount -t tmpfs none /dev/net");
    let expected = if has_program() {
        "/dev/net/tun cannot be opened: No such file or directory (os error 2)\n"
    } else {
        "neither pasta nor slirp4netns is installed\n"
    };
    assert_eq!(output_of_nobody(&machine, &[PROBE]), expected);
    assert_nothing_left_but(&machine, &["mount /dev/net tmpfs"]);
}

/// Gives a machine the device by which such a program works, and a link that is the way to everywhere.
const OUTSIDE: &str = "
    mount -t tmpfs none /dev/net; mknod -m 666 /dev/net/tun c 10 200
    busybox ip link add outside type bridge; busybox ip address add 198.51.100.1/24 dev outside
    busybox ip link set outside up; busybox ip route add default via 198.51.100.2
";

fn an_ordinary_user_is_connected_by_a_program() {
    let Some(machine) = machine() else { return };
    if !can_be_connected() {
        return;
    }
    prepare(&machine, OUTSIDE);
    let servers = [("127.0.0.1", "secret"), (ADDRESS, "welcome")]
        .map(|(address, line)| Server::start(&machine, &[SERVER, address, line]));
    // Their input stays open: older versions of pasta lose a connection whose client ends its side at once.
    let script = format!(
        "busybox mkfifo /tmp/silence
         for host in 127.0.0.1 10.239.0.1 10.199.0.2 {ADDRESS}; do
             nc -w 3 $host 7000 0<> /tmp/silence 2> /dev/null || echo no
         done"
    );
    assert_eq!(output_of_nobody(&machine, &[STEP, &script]), "no\nno\nno\nwelcome\n");
    drop(servers);
    assert_nothing_left_but(&machine, &["mount /dev/net tmpfs", "interface outside"]);
}

fn a_program_dies_with_the_keeper() {
    let Some(machine) = machine() else { return };
    if !can_be_connected() {
        return;
    }
    prepare(&machine, OUTSIDE);
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("setpriv");
    command.args(program_of_nobody(directory.path())).arg(KEEP);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let mut command = machine.command(&command);
    command.stdin(ProcessStdio::piped()).stdout(ProcessStdio::piped());
    let mut child = machine.spawn(&mut command).unwrap();
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "1\n");
    // It lives in a pid namespace of its own, and its command line names the place of the router, or the link.
    let is_program = |line: &String| {
        line.starts_with("process ") && (line.contains("--netns ") || line.contains("netns-type"))
    };
    let is_there = || machine.leftovers().unwrap().iter().any(is_program);
    assert!(is_there());
    kill_process(machine.process_with("__network").unwrap().unwrap(), Signal::KILL).unwrap();
    while is_there() {
        thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_nothing_left_but(&machine, &["mount /dev/net tmpfs", "interface outside"]);
}

const TESTS: &[Test] = &[
    ("a_step_has_a_network_of_its_own", a_step_has_a_network_of_its_own),
    ("a_step_reaches_the_addresses_of_the_machine", a_step_reaches_the_addresses_of_the_machine),
    ("the_machine_forwards_what_steps_send", the_machine_forwards_what_steps_send),
    ("steps_share_no_ports_and_do_not_reach_each_other", steps_share_no_ports_and_do_not_reach_each_other),
    (
        "the_loopback_addresses_of_the_machine_are_out_of_reach",
        the_loopback_addresses_of_the_machine_are_out_of_reach,
    ),
    (
        "killing_the_keeper_leaves_nothing_and_the_next_network_has_another",
        killing_the_keeper_leaves_nothing_and_the_next_network_has_another,
    ),
    ("killing_the_builder_leaves_nothing", killing_the_builder_leaves_nothing),
    ("builders_at_the_same_time_do_not_meet", builders_at_the_same_time_do_not_meet),
    (
        "a_name_server_on_a_loopback_address_is_asked_by_way_of_the_gateway",
        a_name_server_on_a_loopback_address_is_asked_by_way_of_the_gateway,
    ),
    ("why_there_is_no_network_is_told", why_there_is_no_network_is_told),
    ("an_ordinary_user_is_connected_by_a_program", an_ordinary_user_is_connected_by_a_program),
    ("a_program_dies_with_the_keeper", a_program_dies_with_the_keeper),
];

fn main() {
    sandbox::init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut parts: Vec<&str> = words.iter().map(String::as_str).collect();
    if parts.first() == Some(&ORDINARY) {
        sandbox::rootless::enter().unwrap();
        parts.remove(0);
    }
    match parts[..] {
        [NAMES] => be_a_name_server(),
        [PROBE] => tell_why_there_is_none(),
        [STEP, script] => be_a_step(script),
        [PAIR, first, second] => be_a_pair(first, second),
        [SERVER, address, line] => be_a_server(address, line),
        [KEEP] => keep_networks(),
        _ => harness::run("network", TESTS, &words),
    }
}
