//! `RUN`: a process on a tree.
//!
//! ```text
//! inputs ─ mounts::prepare ─┐
//! draft of the tree ─ stack ┴→ sandbox::Spec ─ process::run ─→ exit 0: commit, else: FailedStep
//! ```
//!
//! - [`mounts`]: bind, cache, tmpfs, secret and ssh mounts; [`context`]: showing a tree to a process
//! - `network`: the network of a step; [`devices`]: the devices of the machine that it asks for
//! - [`process`]: starting, waiting, killing; [`capture`]: reading both streams in their order; [`lines`]: what is
//!   told of it; [`redaction`]: and what is not
//! - [`ending`]: how processes end, in words; [`fault`]: why programs do not run; [`complaint`]: what shells say
//!   about that
//! - [`failed`]: what a process leaves that fails; [`attached`]: a process in the foreground, for whoever looks into
//!   that
//! - [`error`]: what can go wrong

pub mod attached;
pub(crate) mod capture;
pub(crate) mod complaint;
pub(crate) mod context;
pub mod devices;
pub mod ending;
pub mod error;
pub mod failed;
pub mod fault;
pub(crate) mod lines;
pub(crate) mod mounts;
mod network;
pub(crate) mod process;
pub(crate) mod redaction;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use graph::exec::{Exec, SecurityMode, Ulimit};
use image::Platform;
use image::user::ResolvedUser;
use runtime::network::Connected;
use runtime::snapshotter::View;
use sandbox::{Cgroup, Device, Devices, OutOfMemory, Process, Rlimit, SandboxError, Spec};
use store::{Draft, Owner, Snapshot};

use crate::blocking::blocking;
use crate::error::ExecuteError;
use crate::exec::devices::edits::Edits;
use crate::exec::ending::{Ending, Size};
use crate::exec::error::ExecError;
use crate::exec::failed::FailedStep;
use crate::exec::mounts::{Mounts, Sources};
use crate::exec::process::Ended;
use crate::exec::redaction::Redaction;
use crate::output::Output;
use crate::session::Session;

/// A step that can be started: all that belongs to it, and nothing that is shared.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) spec: Spec,
    pub(crate) draft: Draft,
    /// Locks, copies and sockets that the mounts show.
    _mounts: Mounts,
    /// What must not be seen of its output.
    pub(crate) redaction: Redaction,
}

/// What a step is prepared with.
struct Needed {
    session: Session,
    exec: Exec,
    base: Snapshot,
    inputs: Vec<Output>,
    network: Connected,
    devices: Edits,
}

/// Runs the process of a step and commits what it changed. What a process left that failed is in the error.
///
/// Dropping the future kills the process and all that it started.
pub(crate) async fn run(
    session: &Session,
    exec: &Exec,
    base: Snapshot,
    inputs: Vec<Output>,
    log: &solver::StepLog,
) -> Result<Snapshot, ExecuteError> {
    let sandbox = session.executor.shared.sandbox.clone();
    let command = exec.args.join(" ");
    let snapshotter = session.executor.snapshotter();
    let needed = Arc::new(gather(session, exec, base, inputs.clone(), log).await?);
    let (prepared, ran) = loop {
        let view = snapshotter.view();
        let prepared = prepare_when_possible(&needed, view).await?;
        match process::run(sandbox.clone(), prepared, &command, log).await {
            (_, Err(ExecError::Sandbox { source, .. })) if snapshotter.falls_back(view, &source) => {
                log.warn(format!("steps run on copies of their files, which takes longer: {source}"));
            }
            ended => break ended,
        }
    };
    let draft = prepared.into_draft();
    let (draft, source) = match ran {
        Ok(Ended { exit, incidents, .. }) if exit.success() => {
            if let Some(OutOfMemory::Limit { bytes }) = incidents.out_of_memory {
                log.warn(format!("a process was killed at the memory limit of {}", Size(bytes)));
            }
            return Ok(blocking(move || draft.commit()).await?);
        }
        Ok(Ended { exit, incidents, last_output }) => {
            let exec = exec.clone();
            let explaining = move || (complaint::explain(exit, &last_output, &exec, &draft.tree()), draft);
            let (fault, draft) = blocking(explaining).await;
            let fault = fault.map(Box::new);
            (draft, ExecError::Exited { command, ending: Ending::new(exit, incidents), fault })
        }
        Err(error) => (draft, explained(error, &exec.platform)),
    };
    if !failed::leaves_something(&source) {
        return Err(source.into());
    }
    Err(ExecuteError::Process { source, left: Box::new(FailedStep { exec: exec.clone(), inputs, draft }) })
}

/// Takes what the step needs of the machine, and tells what of it cannot be had.
async fn gather(
    session: &Session,
    exec: &Exec,
    base: Snapshot,
    inputs: Vec<Output>,
    log: &solver::StepLog,
) -> Result<Needed, ExecError> {
    let devices::Found { edits, warnings } = devices::find(session, exec).await?;
    for warning in warnings {
        log.warn(warning);
    }
    let network = network::connect(session, exec).await?;
    network::tell(session, &network, log);
    Ok(Needed { session: session.clone(), exec: exec.clone(), base, inputs, network, devices: edits })
}

impl Prepared {
    /// Ends the use of all that was mounted.
    fn into_draft(self) -> Draft {
        self.draft
    }
}

/// Says why the kernel cannot run a program, where it is for another kind of machine. (Where an emulator is
/// registered with `binfmt_misc`, it runs.)
fn explained(error: ExecError, platform: &Platform) -> ExecError {
    match error {
        ExecError::Sandbox { command, source: SandboxError::ExecFormat { .. } }
            if platform.architecture != Platform::host().architecture =>
        {
            ExecError::Foreign { command, image: Box::new(platform.clone()) }
        }
        other => other,
    }
}

/// How often a step that needs a cache to itself looks whether it is free. The kernel can wait for a lock, but
/// a thread that waits there cannot be told that the build was canceled.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Prepares the step, as soon as others have left the caches that it mounts. Between two attempts it holds
/// none of them: steps that lock the same caches in another order do not wait for each other for ever.
async fn prepare_when_possible(needed: &Arc<Needed>, view: View) -> Result<Prepared, ExecError> {
    loop {
        let needed = Arc::clone(needed);
        let prepared = blocking(move || prepare(&needed, view));
        match prepared.await {
            Err(ExecError::CacheInUse { id }) => {
                tracing::debug!(id, "the cache is in use");
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            prepared => return prepared,
        }
    }
}

/// Makes the draft, the mounts and the specification.
fn prepare(needed: &Needed, view: View) -> Result<Prepared, ExecError> {
    let Needed { session, exec, base, inputs, network, devices } = needed;
    let (store, options) = (session.executor.store(), &*session.options);
    // A step may have changed its own tree beyond recognition by the time that somebody looks into that.
    let users = inputs.first().map_or_else(|| base.tree(), Output::tree);
    let user = runtime::user::lookup(&users, exec.user.as_deref().unwrap_or_default())
        .map_err(|source| ExecError::User { user: exec.user.clone().unwrap_or_default(), source })?;
    let sources = Sources { store, options, agents: &session.agents, inputs, network, devices, view };
    let mounts = Mounts::prepare(exec, &sources)?;
    let mut draft = store.draft(base)?;
    draft.made_by(Owner { uid: user.uid, gid: user.gid });
    runtime::root::make_working_directory(&draft, &exec.cwd)?;
    let (root, targets) = runtime::root::show(&mut draft, view, mounts.points())?;

    let mut process = Process::new(exec.args.iter());
    let Environment { variables, secrets } = environment(needed, &mounts, &user)?;
    process.env = variables;
    process.cwd = PathBuf::from(exec.cwd.as_str());
    process.uid = user.uid;
    process.gid = user.gid;
    process.additional_gids = user.additional_gids;
    process.additional_gids.extend(&devices.additional_gids);
    process.rlimits = exec.ulimits.iter().map(limit).collect::<Result<_, _>>()?;
    let mut spec = Spec::new(root, process);
    spec.mounts = mounts.for_sandbox(&targets);
    spec.hostname.clone_from(&exec.hostname);
    spec.ownership = runtime::root::ownership(&draft)?;
    spec.network = network.network.clone();
    spec.shm_size = options.shm_size;
    if exec.cgroup_parent.is_some() || !options.limits.is_empty() {
        spec.cgroup = Some(Cgroup { parent: exec.cgroup_parent.clone(), limits: options.limits.clone() });
    }
    let given = devices.nodes.iter().map(|node| node.for_process(user.uid, user.gid)).collect();
    if exec.security == SecurityMode::Insecure {
        spec.unconfine();
        // It has all devices of the host, by the names that they have there.
        spec.mounts.extend(Vec::into_iter(given).map(shown));
    } else {
        spec.devices = Devices::Given(given);
    }
    let redaction = Redaction::new(&[mounts.secrets.as_slice(), &secrets].concat());
    Ok(Prepared { spec, draft, _mounts: mounts, redaction })
}

/// The node of a device as a mount.
fn shown(device: Device) -> sandbox::Mount {
    let kind = sandbox::MountKind::Bind { source: device.source, read_only: false, recursive: false };
    sandbox::Mount { target: device.path, kind }
}

/// The variables of a process.
struct Environment {
    variables: Vec<(OsString, OsString)>,
    /// The values that are secrets.
    secrets: Vec<Vec<u8>>,
}

/// The variables of the process: those of the operation, and behind them what it does not set itself.
fn environment(needed: &Needed, mounts: &Mounts, user: &ResolvedUser) -> Result<Environment, ExecError> {
    let (exec, options) = (&needed.exec, &*needed.session.options);
    let mut secrets = Vec::new();
    let mut env: Vec<(OsString, OsString)> =
        exec.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    for (name, value) in &needed.devices.env {
        env.retain(|(set, _)| set.to_str() != Some(name));
        env.push((name.into(), value.into()));
    }
    for secret_variable in &exec.secret_env {
        match options.secrets.get(&secret_variable.id) {
            Some(secret) => {
                let value = secret.read(&secret_variable.id)?;
                secrets.push(value.clone());
                let value = std::os::unix::ffi::OsStringExt::from_vec(value);
                env.retain(|(name, _)| name.to_str() != Some(&secret_variable.name));
                env.push((secret_variable.name.clone().into(), value));
            }
            None if secret_variable.required => {
                return Err(ExecError::SecretNotFound { id: secret_variable.id.clone() });
            }
            None => {}
        }
    }
    let home = user.home_or_root().to_owned();
    let proxies = options.proxy_variables.iter().map(|(name, value)| (name.clone(), value.clone()));
    let defaults = proxies.chain(mounts.env.iter().cloned()).chain([("HOME".to_owned(), home)]);
    for (name, value) in defaults {
        if !env.iter().any(|(set, _)| set.to_str() == Some(&name)) {
            env.push((name.into(), value.into()));
        }
    }
    Ok(Environment { variables: env, secrets })
}

fn limit(ulimit: &Ulimit) -> Result<Rlimit, ExecError> {
    let bound = |value| (value != u64::MAX).then_some(value);
    Ok(Rlimit { resource: ulimit.name.parse()?, soft: bound(ulimit.soft), hard: bound(ulimit.hard) })
}
