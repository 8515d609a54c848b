//! The supervisor's side: a process with one thread that starts one sandbox and watches over it.
//!
//! ```text
//! supervisor  reads the spec ─ fork into new namespaces ─ passes on what init reports ─ waits for both sides
//! init        (pid 1)  mounts ─ pivot ─ streams ─ limits ─ capabilities ─ filter ─ user ─ execve
//! ```
//!
//! The supervisor stays outside of all namespaces. When its channel to the caller closes, because the
//! caller is gone or does not want the process any more, it kills init; and init is killed by the
//! kernel when the supervisor dies. With init, the kernel kills every process of the pid namespace, and
//! with the last of them all mounts of the mount namespace are gone. So nothing can be left behind.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::cgroup::{Group, Incidents, Watch};
use crate::channel::{Attached, Channel, Permission, Received, Reply, Report, Request, Role};
use crate::devices::{self, Devices, Guard, Prepared};
use crate::error::{At, Failure, Stage};
use crate::ownership::Keeper;
use crate::process;
use crate::spawn::Exit;
use crate::spec::{Network, Spec};
use crate::sys::{self, Forked};

/// The standard streams that come with a request to run.
pub(crate) struct Streams {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// The whole life of a supervisor. An error means that nobody is left to tell.
///
/// `prepared` is what the server has prepared to keep devices from processes.
pub(crate) fn supervise(caller: &Channel, attached: Attached, prepared: &Prepared) -> io::Result<()> {
    match start(attached, prepared) {
        Ok((init, resources, Heard { terminal, keeper })) => {
            let attached: Vec<_> = terminal.iter().map(|master| (Role::Terminal, master.as_fd())).collect();
            // If this fails, the channel is closed, and watching begins with the kill.
            let _ = caller.send(&Reply::Started, &attached);
            drop(attached);
            drop(terminal);
            let exit = watch(&init, caller, keeper)?;
            let incidents = resources.incidents();
            // Before the caller hears of the end, nothing is left.
            drop(resources);
            caller.send(&Reply::Exited(exit, incidents), &[])
        }
        Err(failure) => caller.send(&Reply::Failed(failure), &[]),
    }
}

/// Init, as its supervisor knows it.
struct Init {
    pid: Pid,
    descriptor: OwnedFd,
}

/// What is counted of a sandbox's resources, in its group or around it.
struct Resources {
    group: Option<Group>,
    /// For a sandbox that was given devices.
    own_devices: Option<Group>,
    watch: Watch,
}

impl Resources {
    fn prepare(spec: &Spec) -> Result<Self, Failure> {
        let watch = Watch::begin();
        let group = spec.cgroup.as_ref().map(Group::make).transpose()?;
        Ok(Self { group, own_devices: None, watch })
    }

    /// Sees to it that devices are kept from the processes of the sandbox, and chooses the group of version 2 in
    /// which init is to begin.
    fn keep_devices<'a>(&'a mut self, spec: &Spec, prepared: &'a Prepared) -> (Guard, Option<&'a Group>) {
        let own = self.group.as_ref().filter(|group| group.unified().is_some());
        match (&spec.devices, prepared, own) {
            (Devices::All, ..) => (Guard::Nobody, own),
            (_, Prepared::UserNamespace, _) => (Guard::Kernel, own),
            (_, Prepared::Mounts, _) => (Guard::Mounts, own),
            (Devices::Given(given), Prepared::Group(_), Some(group)) => {
                let is_guarded = devices::guard(group, given).is_ok();
                (if is_guarded { Guard::Kernel } else { Guard::Mounts }, own)
            }
            (Devices::Given(given), Prepared::Group(shared), None) if given.is_empty() => {
                (Guard::Kernel, Some(shared))
            }
            (Devices::Given(given), Prepared::Group(_), None) => {
                self.own_devices = devices::guarding_group(given);
                let guard = if self.own_devices.is_some() { Guard::Kernel } else { Guard::Mounts };
                (guard, self.own_devices.as_ref())
            }
        }
    }

    fn incidents(&self) -> Incidents {
        match &self.group {
            Some(group) => group.incidents(&self.watch),
            None => Incidents { out_of_memory: self.watch.out_of_memory(), process_limit: None },
        }
    }
}

/// Starts init and waits until it has become the command.
fn start(mut attached: Attached, prepared: &Prepared) -> Result<(Init, Resources, Heard), Failure> {
    let mut take = |role| {
        let missing = || Failure::setup(Stage::ReadSpec, format!("no descriptor {role:?}"), Errno::INVAL);
        attached.take(role).ok_or_else(missing)
    };
    let spec = read_spec(take(Role::Spec)?).at(Stage::ReadSpec, "the caller")?;
    let streams =
        Streams { stdin: take(Role::Stdin)?, stdout: take(Role::Stdout)?, stderr: take(Role::Stderr)? };
    if let Some(network) = attached.take(Role::Network) {
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
            .at(Stage::Network, "of the process")?;
    }
    let (ours, theirs) = Channel::pair().at(Stage::Supervise, "init")?;
    let mut resources = Resources::prepare(&spec)?;
    let (guard, group) = resources.keep_devices(&spec, prepared);
    match sys::fork(namespaces(&spec), group.and_then(Group::unified)).at(Stage::Namespaces, "the sandbox")? {
        Forked::Child => {
            drop(ours);
            process::become_command(&spec, guard, streams, &theirs)
        }
        Forked::Parent { child, pidfd } => {
            drop(theirs);
            drop(streams);
            let init = Init { pid: child, descriptor: pidfd };
            match let_begin(&init, resources.group.as_ref(), &ours).and_then(|()| hear(&ours, &init, &spec)) {
                Ok(heard) => Ok((init, resources, heard)),
                Err(failure) => {
                    // The caller hears of it when nothing of the sandbox is left.
                    let _ = sys::send_signal(&init.descriptor, Signal::KILL.as_raw());
                    let _ = wait(&init);
                    Err(failure)
                }
            }
        }
    }
}

/// Puts init into its group, if it has one, and lets it begin.
fn let_begin(init: &Init, group: Option<&Group>, channel: &Channel) -> Result<(), Failure> {
    let Some(group) = group else { return Ok(()) };
    group.admit(init.pid)?;
    channel.send(&Permission::Begin, &[]).at(Stage::Supervise, "init")
}

fn namespaces(spec: &Spec) -> UnshareFlags {
    // The one for cgroups has the group as its root in which a process is when it makes it: init makes it when it
    // is in its own.
    let mut namespaces =
        UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    namespaces.set(UnshareFlags::NEWNET, spec.network == Network::None);
    namespaces
}

fn read_spec(descriptor: OwnedFd) -> io::Result<Spec> {
    let mut file = File::from(descriptor);
    let mut bytes = Vec::new();
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// What init reported before it became the command.
#[derive(Default)]
struct Heard {
    /// The master side of its terminal.
    terminal: Option<OwnedFd>,
    /// Answers what its processes ask.
    keeper: Option<Keeper>,
}

/// Reads init's reports until it has become the command, which closes its end.
fn hear(channel: &Channel, init: &Init, spec: &Spec) -> Result<Heard, Failure> {
    let mut heard = Heard::default();
    loop {
        if !is_ready(channel, &mut heard.keeper).at(Stage::Supervise, "init")? {
            continue;
        }
        match channel.receive().at(Stage::Supervise, "init")? {
            Received::Message(Report::Terminal, mut attached) => {
                heard.terminal = attached.take(Role::Terminal);
            }
            Received::Message(Report::Calls, mut attached) => {
                if let (Some(calls), Some(ownership)) = (attached.take(Role::Calls), &spec.ownership) {
                    let keeper = Keeper::new(calls, ownership, spec, init.pid);
                    heard.keeper = Some(keeper.at(Stage::Supervise, "the calls of init")?);
                }
            }
            Received::Message(Report::Failed(failure), _) => return Err(failure),
            Received::Closed => return Ok(heard),
        }
    }
}

/// Waits until something happens, answers a call if that is it, and tells whether `source` has something to say.
fn is_ready(source: impl AsFd, keeper: &mut Option<Keeper>) -> io::Result<bool> {
    let mut sources = vec![PollFd::new(&source, PollFlags::IN)];
    sources.extend(keeper.as_ref().map(|keeper| PollFd::new(keeper, PollFlags::IN)));
    match poll(&mut sources, None) {
        Err(Errno::INTR) => return Ok(false),
        other => other?,
    };
    let events = |source: Option<&PollFd<'_>>| source.map_or(PollFlags::empty(), PollFd::revents);
    let (said, called) = (events(sources.first()), events(sources.get(1)));
    answer(keeper, called);
    Ok(!said.is_empty())
}

/// Answers the call that waits, if one does.
fn answer(keeper: &mut Option<Keeper>, called: PollFlags) {
    match keeper {
        Some(keeper) if called.contains(PollFlags::IN) => keeper.answer_next(),
        // No process is left that could call.
        Some(_) if !called.is_empty() => *keeper = None,
        _ => {}
    }
}

/// Waits until init has ended, and does what the caller and the processes ask meanwhile.
fn watch(init: &Init, channel: &Channel, mut keeper: Option<Keeper>) -> io::Result<Exit> {
    let mut caller_is_there = true;
    loop {
        let mut sources = vec![PollFd::new(&init.descriptor, PollFlags::IN)];
        sources.extend(caller_is_there.then(|| PollFd::new(channel, PollFlags::IN)));
        let of_keeper = sources.len();
        sources.extend(keeper.as_ref().map(|keeper| PollFd::new(keeper, PollFlags::IN)));
        match poll(&mut sources, None) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let events = |source: Option<&PollFd<'_>>| source.map_or(PollFlags::empty(), PollFd::revents);
        let ended = !events(sources.first()).is_empty();
        let asked = caller_is_there && !events(sources.get(1)).is_empty();
        let called = events(sources.get(of_keeper));
        if ended {
            return wait(init);
        }
        answer(&mut keeper, called);
        if asked {
            // A signal to a process that has just ended has nowhere to go.
            match channel.receive() {
                Ok(Received::Message(Request::Signal(number), _)) => {
                    let _ = sys::send_signal(&init.descriptor, number);
                }
                Ok(Received::Closed) | Err(_) => {
                    caller_is_there = false;
                    let _ = sys::send_signal(&init.descriptor, Signal::KILL.as_raw());
                }
            }
        }
    }
}

fn wait(init: &Init) -> io::Result<Exit> {
    loop {
        match rustix::process::waitpid(Some(init.pid), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(None) => return Err(io::ErrorKind::NotFound.into()),
            Ok(Some((_, status))) => {
                if let Some(signal) = status.terminating_signal() {
                    return Ok(Exit::Signal(signal));
                }
                let code = status.exit_status().unwrap_or_default();
                return Ok(Exit::Code(u8::try_from(code & 0xff).unwrap_or(u8::MAX)));
            }
        }
    }
}
