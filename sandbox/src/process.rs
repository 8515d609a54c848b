//! Init: from a copy of its supervisor in new namespaces to the command.
//!
//! The order matters. Mounts need the privileges that are dropped later; the system call filter is
//! installed while `CAP_SYS_ADMIN` is there, since without it the kernel demands `no_new_privs`, which
//! would disable set-user-id programs; and what comes after the filter are calls that it allows.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::process::{Gid, Signal, Uid};
use rustix::thread::{CapabilitySets, UnshareFlags};

use crate::channel::{Channel, Permission, Received, Report, Role};
use crate::command;
use crate::devices::Guard;
use crate::error::{At, Failure, IdKind, Stage};
use crate::mount::device::{DeviceDirectory, Terminal};
use crate::mount::root::{self, Staging};
use crate::mount::{mask, system};
use crate::ownership;
use crate::rlimit::Rlimit;
use crate::seccomp;
use crate::spec::{Mount, MountKind, Network, Process, Seccomp, Spec};
use crate::supervisor::Streams;
use crate::sys;

/// Prepares everything and becomes the command. A failure is reported; this process then ends.
#[expect(clippy::exit, reason = "this is a process of its own, which ends here if it cannot be the command")]
pub(crate) fn become_command(spec: &Spec, guard: Guard, streams: Streams, supervisor: &Channel) -> ! {
    let Err(failure) = prepare(spec, guard, streams, supervisor);
    // If nobody listens any more, there is nobody to tell.
    let _ = supervisor.send(&Report::Failed(failure), &[]);
    std::process::exit(1)
}

fn prepare(
    spec: &Spec,
    guard: Guard,
    streams: Streams,
    supervisor: &Channel,
) -> Result<std::convert::Infallible, Failure> {
    die_with(supervisor)?;
    if spec.cgroup.is_some() {
        wait_for_cgroup(supervisor)?;
    }
    sys::unshare(UnshareFlags::NEWCGROUP).at(Stage::Namespaces, "the sandbox")?;
    let process = &spec.process;
    let terminal = mount_everything(spec, guard)?;
    rustix::system::sethostname(spec.hostname.as_bytes()).at(Stage::Hostname, &spec.hostname)?;
    if spec.network == Network::None {
        sys::bring_interface_up("lo").at(Stage::Loopback, "lo")?;
    }
    rustix::process::setsid().at(Stage::Streams, "a new session")?;
    match terminal {
        Some(terminal) => take_terminal(terminal, supervisor)?,
        None => attach(&streams.stdin, &streams.stdout, &streams.stderr)?,
    }
    drop(streams);
    give_streams(process.uid);
    limit(process)?;
    let entered = enter_working_directory(process);
    drop_privileges(spec, supervisor)?;
    // Root of a user namespace may be kept out of a directory that the user may enter.
    entered.or_else(|_| enter_working_directory(process))?;
    // The kernel forgot it when the user changed.
    die_with(supervisor)?;
    sys::close_on_exec_from(3).at(Stage::Execute, "the command")?;
    rustix::process::umask(Mode::from_raw_mode(process.umask));
    sys::reset_signals();
    Err(command::execute(process))
}

/// Has the kernel kill this process when the supervisor dies, and makes sure that it has not died before.
fn die_with(supervisor: &Channel) -> Result<(), Failure> {
    let kill = Some(Signal::KILL);
    rustix::process::set_parent_process_death_signal(kill).at(Stage::Supervise, "the supervisor")?;
    let mut peer = [PollFd::new(supervisor, PollFlags::empty())];
    poll(&mut peer, Some(&Timespec::default())).at(Stage::Supervise, "the supervisor")?;
    if peer.iter().any(|peer| peer.revents().contains(PollFlags::HUP)) {
        return Err(Failure::setup(Stage::Supervise, "the supervisor", Errno::PIPE));
    }
    Ok(())
}

/// Waits until the supervisor has put this process into its control group.
fn wait_for_cgroup(supervisor: &Channel) -> Result<(), Failure> {
    match supervisor.receive().at(Stage::Supervise, "the supervisor")? {
        Received::Message(Permission::Begin, _) => Ok(()),
        Received::Closed => Err(Failure::setup(Stage::Supervise, "the supervisor", Errno::PIPE)),
    }
}

/// Changes to the working directory. It may be chosen by an image, so the magic links of `/proc`, which could
/// lead to a descriptor of this process and so out of the root, are not followed.
fn enter_working_directory(process: &Process) -> Result<(), Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat2(CWD, &process.cwd, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS);
    directory
        .and_then(rustix::process::fchdir)
        .map_err(|errno| Failure::WorkingDirectory { path: process.cwd.clone(), errno: errno.raw_os_error() })
}

/// Makes the root with all its mounts and enters it.
fn mount_everything(spec: &Spec, guard: Guard) -> Result<Option<Terminal>, Failure> {
    let mut staging = Staging::prepare(guard)?;
    let root = staging.mount_root(&spec.rootfs)?;
    system::mount_proc(&root)?;
    system::mount_sys(&root, spec.kernel_files)?;
    system::mount_cgroup(&root, spec.kernel_files)?;
    let devices = DeviceDirectory::mount(&root, spec, guard)?;
    for mount in &spec.mounts {
        match (&mount.kind, &spec.ownership) {
            (MountKind::File { content, mode, .. }, Some(_)) => {
                // The supervisor tells whose it is.
                let kind = MountKind::File { content: content.clone(), mode: *mode, uid: 0, gid: 0 };
                staging.mount(&root, &Mount { target: mount.target.clone(), kind })?;
            }
            _ => staging.mount(&root, mount)?,
        }
    }
    mask::apply(&root, &devices, spec)?;
    let terminal = spec.process.terminal.then(|| devices.terminal()).transpose()?;
    root::enter(&root)?;
    Ok(terminal)
}

/// Makes the terminal's slave side the standard streams and the controlling terminal, and gives the
/// master side away.
fn take_terminal(terminal: Terminal, supervisor: &Channel) -> Result<(), Failure> {
    let Terminal { master, slave } = terminal;
    supervisor
        .send(&Report::Terminal, &[(Role::Terminal, master.as_fd())])
        .at(Stage::Terminal, "the caller")?;
    rustix::process::ioctl_tiocsctty(&slave).at(Stage::Terminal, "the controlling terminal")?;
    attach(&slave, &slave, &slave)
}

fn attach(stdin: &OwnedFd, stdout: &OwnedFd, stderr: &OwnedFd) -> Result<(), Failure> {
    rustix::stdio::dup2_stdin(stdin).at(Stage::Streams, "standard input")?;
    rustix::stdio::dup2_stdout(stdout).at(Stage::Streams, "standard output")?;
    rustix::stdio::dup2_stderr(stderr).at(Stage::Streams, "standard error")
}

/// Makes the user the owner of its pipes and of its terminal, so that it can open `/dev/stdout` and the like.
/// Files and devices of the caller stay as they are.
fn give_streams(uid: u32) {
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    for stream in streams {
        let Ok(status) = rustix::fs::fstat(stream) else { continue };
        let is_pipe = FileType::from_raw_mode(status.st_mode) == FileType::Fifo;
        let is_terminal = (136..144).contains(&rustix::fs::major(status.st_rdev));
        if status.st_uid != uid && (is_pipe || is_terminal) {
            // Refused where the id is not mapped, which is an error of its own when the user changes.
            let _ = rustix::fs::fchown(stream, Some(Uid::from_raw(uid)), None);
        }
    }
}

fn limit(process: &Process) -> Result<(), Failure> {
    if let Some(adjustment) = process.oom_score_adj {
        let file = "/proc/self/oom_score_adj";
        std::fs::write(file, adjustment.to_string()).at(Stage::Limit, file)?;
    }
    for Rlimit { resource, soft, hard } in &process.rlimits {
        let limit = rustix::process::Rlimit { current: *soft, maximum: *hard };
        rustix::process::setrlimit(resource.as_raw(), limit).at(Stage::Limit, resource.name())?;
    }
    Ok(())
}

/// Gives up everything that the process is not to have, and becomes its user.
fn drop_privileges(spec: &Spec, supervisor: &Channel) -> Result<(), Failure> {
    let process = &spec.process;
    let allowed = process.capabilities.bits();
    for number in 0..u64::BITS {
        let capability = rustix::thread::CapabilitySet::from_bits_retain(1 << number);
        if allowed & (1 << number) != 0 {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel's last capability is behind us.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(Failure::setup(Stage::Capabilities, number, errno)),
        }
    }
    if process.no_new_privileges {
        rustix::thread::set_no_new_privs(true).at(Stage::Capabilities, "no_new_privs")?;
    }
    if spec.seccomp == Seccomp::Default {
        seccomp::install_default(process.capabilities).at(Stage::Seccomp, "of the default profile")?;
    }
    let is_root = match &spec.ownership {
        Some(_) if has_calls_answered(supervisor)? => true,
        _ => {
            become_user(process)?;
            process.uid == 0
        }
    };
    let of_root = if is_root { process.capabilities.bits() & all_capabilities() } else { 0 };
    let kept = rustix::thread::CapabilitySet::from_bits_retain(of_root);
    let none = rustix::thread::CapabilitySet::empty();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: none };
    rustix::thread::set_capabilities(None, sets).at(Stage::Capabilities, "sets")
}

/// Has the supervisor answer the calls about owners and ids of this process, which then is root of its namespace and
/// believes to be another. `false` where the kernel has no such answers, or somebody else gives them already.
fn has_calls_answered(supervisor: &Channel) -> Result<bool, Failure> {
    let Ok(calls) = ownership::install_filter() else { return Ok(false) };
    supervisor
        .send(&Report::Calls, &[(Role::Calls, calls.as_fd())])
        .at(Stage::Supervise, "the supervisor")?;
    Ok(true)
}

/// The capabilities that this process may have at all: of the kernel's, and of its user namespace.
fn all_capabilities() -> u64 {
    rustix::thread::capabilities(None).map_or(0, |sets| sets.permitted.bits())
}

/// Whether the user namespace denies `setgroups` to everybody, as one with a single id does
/// (`user_namespaces(7)`).
fn groups_are_fixed() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|setting| setting.trim_end() == "deny")
}

fn become_user(process: &Process) -> Result<(), Failure> {
    let groups: Vec<Gid> = process.additional_gids.iter().map(|gid| Gid::from_raw(*gid)).collect();
    match rustix::thread::set_thread_groups(&groups) {
        Err(Errno::PERM) if groups_are_fixed() => {}
        result => {
            let names: Vec<String> = process.additional_gids.iter().map(ToString::to_string).collect();
            result.at(Stage::Identity, format!("a member of the groups {}", names.join(", ")))?;
        }
    }
    let gid = Gid::from_raw(process.gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(|errno| match errno {
        Errno::INVAL => Failure::UnmappedId { kind: IdKind::Group, id: process.gid },
        errno => Failure::setup(Stage::Identity, format!("gid {}", process.gid), errno),
    })?;
    let uid = Uid::from_raw(process.uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(|errno| match errno {
        Errno::INVAL => Failure::UnmappedId { kind: IdKind::User, id: process.uid },
        errno => Failure::setup(Stage::Identity, format!("uid {}", process.uid), errno),
    })
}
