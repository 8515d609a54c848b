//! Starting a container, and what a running one can be asked.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use image::{ContainerConfig, ImagePath};
use sandbox::network::Unavailable;
use sandbox::{
    Cgroup, Exit, Killer, Mount, MountKind, Networks, Process, Running, Sandbox, SandboxError, Spec, Stdio,
};
use store::{Draft, MountPoint, MountPointKind, Snapshot, Store, StoreError, Timestamp};

use crate::command::{self, NoCommand, RunOptions, Volume};
use crate::network::Connected;
use crate::root;
use crate::snapshotter::{Snapshotter, View};
use crate::surroundings;
use crate::user::{self, UserLookupError};

/// Why a container could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is nothing to run.
    #[error(transparent)]
    NoCommand(#[from] NoCommand),
    /// The user is not known to the image.
    #[error("cannot run as user {user:?}")]
    User {
        /// The user.
        user: String,
        /// Why not.
        #[source]
        source: UserLookupError,
    },
    /// The source of a volume could not be made or looked at.
    #[error("cannot use {} as a volume", path.display())]
    Volume {
        /// The path on the host.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The process could not be started, or got lost.
    #[error("cannot run {command:?}")]
    Sandbox {
        /// The command and its arguments, joined by blanks.
        command: String,
        /// What failed: the command that is missing, a mount, a namespace.
        #[source]
        source: SandboxError,
    },
    /// The container was to have a network of its own, or none.
    #[error("cannot make an isolated network")]
    Network(#[source] Unavailable),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A running container. Dropping it kills its processes and deletes what they wrote.
#[derive(Debug)]
pub struct Container {
    command: String,
    running: Running,
    shares_network: Option<Unavailable>,
    // After `running`: the processes end before their file system goes.
    _draft: Draft,
}

impl Container {
    /// Waits until the first process ends; all others are gone then too.
    pub fn wait(&mut self) -> Result<Exit, RunError> {
        self.running.wait().map_err(|source| RunError::Sandbox { command: self.command.clone(), source })
    }

    /// Why the container has the host's network although one of its own was asked for.
    pub fn shares_network(&self) -> Option<&Unavailable> {
        self.shares_network.as_ref()
    }

    /// A handle to send signals to the first process from elsewhere.
    pub fn killer(&self) -> Killer {
        self.running.killer()
    }

    /// The other end of the container's terminal, once, if it has one.
    pub fn terminal(&mut self) -> Option<OwnedFd> {
        self.running.terminal()
    }
}

/// What containers are run with.
#[derive(Clone, Copy, Debug)]
pub struct Runner<'a> {
    /// Where their images are.
    pub store: &'a Store,
    /// What starts their processes.
    pub sandbox: &'a Sandbox,
    /// Where their networks come from.
    pub networks: &'a Networks,
    /// How they get to see their files.
    pub snapshotter: &'a Snapshotter,
}

impl Runner<'_> {
    /// Starts a container of an image.
    pub fn start(
        self,
        (config, snapshot): (&ContainerConfig, &Snapshot),
        options: &RunOptions,
        stdio: &Stdio,
    ) -> Result<Container, RunError> {
        let arguments = command::arguments(config, options)?;
        let command = arguments.join(" ");
        let failed = |source| RunError::Sandbox { command: command.clone(), source };
        let connected = Connected::new(self.networks, options.network).map_err(RunError::Network)?;
        loop {
            let mut draft = self.store.draft(snapshot)?;
            let view = self.snapshotter.view();
            let spec = specify((&mut draft, view), config, (options, &connected), &arguments)?;
            let stdio = stdio.try_clone().map_err(failed)?;
            match self.sandbox.spawn(&spec, stdio) {
                Ok(running) => {
                    let shares_network = connected.shared;
                    return Ok(Container { command, running, shares_network, _draft: draft });
                }
                Err(source) if self.snapshotter.falls_back(view, &source) => {}
                Err(source) => return Err(failed(source)),
            }
        }
    }
}

fn specify(
    (draft, view): (&mut Draft, View),
    config: &ContainerConfig,
    (options, connected): (&RunOptions, &Connected),
    arguments: &[String],
) -> Result<Spec, RunError> {
    let name = options.user.as_deref().unwrap_or(&config.user);
    let user = user::lookup(&draft.parent().tree(), name)
        .map_err(|source| RunError::User { user: name.to_owned(), source })?;
    let hostname = options.hostname.clone().unwrap_or_else(made_up_hostname);
    let image_directory = Some(config.working_dir.as_str()).filter(|directory| !directory.is_empty());
    let cwd = ImagePath::new(options.working_directory.as_deref().or(image_directory).unwrap_or("/"));
    root::make_working_directory(draft, &cwd)?;

    let mut process = Process::new(arguments);
    process.env = command::variables(config, options, &hostname, user.home_or_root())
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    process.cwd = cwd.as_str().into();
    process.uid = user.uid;
    process.gid = user.gid;
    process.additional_gids = user.additional_gids;
    process.terminal = options.terminal;

    let mut mounts: Vec<(MountPoint, MountKind)> = Vec::new();
    for (path, file) in surroundings::files(&hostname, &options.names, connected) {
        mounts.push((MountPoint { path, kind: MountPointKind::File }, file));
    }
    for volume in &options.volumes {
        mounts.push(mount_of(volume)?);
    }
    let (root, targets) = root::show(draft, view, mounts.iter().map(|(point, _)| point.clone()))?;

    let mut spec = Spec::new(root, process);
    spec.mounts = targets.into_iter().zip(mounts).map(|(target, (_, kind))| Mount { target, kind }).collect();
    spec.hostname = hostname;
    options.privileges.give(&mut spec);
    if options.cgroup_parent.is_some() || !options.limits.is_empty() {
        spec.cgroup = Some(Cgroup { parent: options.cgroup_parent.clone(), limits: options.limits.clone() });
    }
    spec.ownership = root::ownership(draft)?;
    spec.network = connected.network.clone();
    Ok(spec)
}

fn mount_of(volume: &Volume) -> Result<(MountPoint, MountKind), RunError> {
    let failed = |source| RunError::Volume { path: volume.source.clone(), source };
    if !volume.source.try_exists().map_err(failed)? {
        fs::create_dir_all(&volume.source).map_err(failed)?;
    }
    let kind = if volume.source.is_dir() { MountPointKind::Directory } else { MountPointKind::File };
    let point = MountPoint { path: volume.target.clone(), kind };
    let bind =
        MountKind::Bind { source: volume.source.clone(), read_only: volume.read_only, recursive: true };
    Ok((point, bind))
}

/// Twelve hexadecimal digits, like the short id that Docker uses.
fn made_up_hostname() -> String {
    let now = Timestamp::now();
    let seed = format!("{} {} {}", std::process::id(), now.seconds, now.nanoseconds);
    image::Digest::of(seed.as_bytes()).short()
}
