//! From the mounts of an operation to the mounts of a sandbox.
//!
//! ```text
//! bind       a tree of the store: a union of its layer directories, read-only, or with a writable
//!            directory on top that is thrown away; or a copy; a local context: see `context`
//! cache      a directory of the store, held by its lock while the step runs
//! tmpfs      memory
//! secret     a file in memory
//! ssh        a socket of the step's own, see `ssh::forward`
//! script     a file in memory
//! device     what the devices of the step bring along: files and directories of the host
//! ```
//!
//! Mounts are made in the order of their depth, so that `/a` never hides `/a/b`; of two on the same
//! path the later one is seen. The files of `hosts` are mounts too, unless the step mounts something
//! on their directory. Mount points are made by the store in a layer that is thrown away; those that
//! lie on another mount are left to the sandbox.

use std::collections::BTreeMap;
use std::path::PathBuf;

use graph::exec::{BindAccess, CacheMount, Exec, Mount, MountKind, MountOwner};
use graph::vertex::InputIndex;
use image::ImagePath;
use runtime::network::Connected;
use runtime::snapshotter::View;
use runtime::surroundings::{self, Names};
use sandbox::Overlay;
use store::{Attributes, Draft, Entry, MountPoint, MountPointKind, Store, Timestamp};

use crate::exec::context::{self, Shown};
use crate::exec::devices::edits::{Edits, HostMount};
use crate::exec::error::ExecError;
use crate::output::Output;
use crate::session::SessionOptions;
use crate::ssh::Agents;
use crate::ssh::forward::AgentSocket;

/// The mounts of one step.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    planned: Vec<Planned>,
    /// Variables that belong to mounts: `SSH_AUTH_SOCK`.
    pub(crate) env: Vec<(String, String)>,
    /// The values of the secrets among them.
    pub(crate) secrets: Vec<Vec<u8>>,
    /// What must live as long as the process.
    kept: Vec<Box<dyn Owned>>,
    /// The directories of the caches that are kept, by id.
    caches: BTreeMap<String, PathBuf>,
}

/// One mount, with the kind of its mount point.
#[derive(Debug)]
struct Planned {
    target: ImagePath,
    point: MountPointKind,
    kind: sandbox::MountKind,
    /// Whether the target lies on another mount.
    is_nested: bool,
}

/// What a mount shows and nothing else owns: dropping it unlocks, removes, stops.
trait Owned: std::fmt::Debug + Send {}

impl Owned for Draft {}
impl Owned for store::CacheMount {}
impl Owned for AgentSocket {}

/// What mounts are made from.
pub(crate) struct Sources<'a> {
    pub(crate) store: &'a Store,
    pub(crate) options: &'a SessionOptions,
    pub(crate) agents: &'a Agents,
    pub(crate) inputs: &'a [Output],
    pub(crate) view: View,
    pub(crate) network: &'a Connected,
    pub(crate) devices: &'a Edits,
}

impl Mounts {
    /// Prepares all mounts of the operation, or fails with [`ExecError::CacheInUse`].
    pub(crate) fn prepare(exec: &Exec, sources: &Sources<'_>) -> Result<Self, ExecError> {
        let mut mounts = Self::default();
        // First: while others have a cache, all this is done again, and the rest may copy a whole context.
        for mount in &exec.mounts {
            if let MountKind::Cache(cache) = &mount.kind {
                mounts.take(cache, sources)?;
            }
        }
        mounts.name_files(exec, sources);
        for mount in &exec.mounts {
            mounts.add(mount, sources)?;
        }
        for HostMount { source, target, point, read_only, recursive } in &sources.devices.mounts {
            let (read_only, recursive) = (*read_only, *recursive);
            let kind = sandbox::MountKind::Bind { source: source.clone(), read_only, recursive };
            mounts.plan(target, *point, kind);
        }
        mounts.planned.sort_by_key(|mount| mount.target.components().count());
        mounts.find_nested();
        Ok(mounts)
    }

    /// The mount points that the root needs: those that do not lie on another mount.
    pub(crate) fn points(&self) -> impl Iterator<Item = MountPoint> {
        let outer = self.planned.iter().filter(|mount| !mount.is_nested);
        outer.map(|mount| MountPoint { path: mount.target.clone(), kind: mount.point })
    }

    /// The mounts in the order in which they are made. `resolved` is what the store made of [`Mounts::points`].
    pub(crate) fn for_sandbox(&self, resolved: &[PathBuf]) -> Vec<sandbox::Mount> {
        let mut resolved = resolved.iter();
        let mount = |mount: &Planned| {
            let place = if mount.is_nested { None } else { resolved.next().cloned() };
            let target = place.unwrap_or_else(|| PathBuf::from(mount.target.as_str()));
            sandbox::Mount { target, kind: mount.kind.clone() }
        };
        self.planned.iter().map(mount).collect()
    }

    /// Finds out which targets lie on another mount: the sandbox makes them there.
    fn find_nested(&mut self) {
        let own = sandbox::MOUNT_POINTS.map(ImagePath::new);
        for index in 0..self.planned.len() {
            let Some((earlier, [mount, ..])) = self.planned.split_at_mut_checked(index) else { continue };
            let above = own.iter().chain(earlier.iter().map(|mount| &mount.target));
            mount.is_nested = above.into_iter().any(|above| mount.target.starts_with(above));
        }
    }

    fn plan(&mut self, target: &ImagePath, point: MountPointKind, kind: sandbox::MountKind) {
        self.planned.push(Planned { target: target.clone(), point, kind, is_nested: false });
    }

    fn file(&mut self, target: &ImagePath, content: Vec<u8>, owner: MountOwner) {
        let MountOwner { uid, gid, mode } = owner;
        self.plan(target, MountPointKind::File, sandbox::MountKind::File { content, mode, uid, gid });
    }

    /// `/etc/hosts` and its like.
    fn name_files(&mut self, exec: &Exec, sources: &Sources<'_>) {
        let mut names: Names = sources.options.names.clone();
        names.extra_hosts.retain(|host| exec.extra_hosts.contains(&host.name));
        for (target, file) in surroundings::files(&exec.hostname, &names, sources.network) {
            if !exec.mounts.iter().any(|mount| target.starts_with(&mount.target)) {
                self.plan(&target, MountPointKind::File, file);
            }
        }
    }

    fn add(&mut self, mount: &Mount, sources: &Sources<'_>) -> Result<(), ExecError> {
        let target = &mount.target;
        match &mount.kind {
            MountKind::Bind { input, source, access } => {
                self.bind(target, &sources.entry(*input, source)?, *access, sources)
            }
            MountKind::Cache(cache) => {
                let source = self.take(cache, sources)?;
                let kind = sandbox::MountKind::Bind { source, read_only: cache.read_only, recursive: false };
                self.plan(target, MountPointKind::Directory, kind);
                Ok(())
            }
            MountKind::Tmpfs { size } => {
                let kind = sandbox::MountKind::Tmpfs { size: *size, mode: 0o1777 };
                self.plan(target, MountPointKind::Directory, kind);
                Ok(())
            }
            MountKind::Secret { id, required, owner } => match sources.options.secrets.get(id) {
                Some(secret) => {
                    let value = secret.read(id)?;
                    self.secrets.push(value.clone());
                    self.file(target, value, *owner);
                    Ok(())
                }
                None if *required => Err(ExecError::SecretNotFound { id: id.clone() }),
                None => Ok(()),
            },
            MountKind::Ssh { id, required, owner } => match sources.agents.socket(id)? {
                Some(agent) => {
                    let socket = AgentSocket::open(id, &agent, *owner, &sources.store.root().join("tmp"))?;
                    self.ssh(target, socket);
                    Ok(())
                }
                None if *required => Err(ExecError::SshAgentNotFound { id: id.clone() }),
                None => Ok(()),
            },
            MountKind::Script { content } => {
                self.file(target, content.clone().into_bytes(), MountOwner { uid: 0, gid: 0, mode: 0o755 });
                Ok(())
            }
        }
    }

    fn ssh(&mut self, target: &ImagePath, socket: AgentSocket) {
        let kind =
            sandbox::MountKind::Bind { source: socket.path().to_owned(), read_only: false, recursive: false };
        self.plan(target, MountPointKind::File, kind);
        if self.env.is_empty() {
            self.env.push(("SSH_AUTH_SOCK".to_owned(), target.as_str().to_owned()));
        }
        self.kept.push(Box::new(socket));
    }

    /// The directory of a cache. A step takes each once, however often it mounts it: it would wait for itself.
    fn take(&mut self, cache: &CacheMount, sources: &Sources<'_>) -> Result<PathBuf, ExecError> {
        if let Some(directory) = self.caches.get(&cache.id) {
            return Ok(directory.clone());
        }
        let mounted = acquire(cache, sources)?;
        let directory = mounted.directory().to_owned();
        self.kept.push(Box::new(mounted));
        self.caches.insert(cache.id.clone(), directory.clone());
        Ok(directory)
    }

    fn bind(
        &mut self,
        target: &ImagePath,
        entry: &Entry,
        access: BindAccess,
        sources: &Sources<'_>,
    ) -> Result<(), ExecError> {
        let scratch = sources.store.draft(&sources.store.scratch())?;
        let shown = context::show(entry, &scratch)?;
        let read_only = access == BindAccess::ReadOnly;
        let bind = |source| sandbox::MountKind::Bind { source, read_only, recursive: false };
        let kind = match (shown, access) {
            (Shown::Directories(lowers), access)
                if sources.view == View::Copy && (lowers.len() > 1 || access == BindAccess::Discard) =>
            {
                bind(context::copy_directory(entry, &scratch)?)
            }
            (Shown::Directories(lowers), BindAccess::ReadOnly) => {
                sandbox::MountKind::ReadOnlyOverlay { lowers }
            }
            (Shown::Directories(lowers), BindAccess::Discard) => {
                let stack = scratch.stack(&[])?;
                sandbox::MountKind::Overlay(Overlay { lowers, upper: stack.upper, work: stack.work })
            }
            (Shown::File(_), BindAccess::Discard) => bind(context::copy_file(entry, &scratch)?),
            (Shown::File(source), BindAccess::ReadOnly) | (Shown::Copy(source), _) => bind(source),
        };
        let point = if entry.is_directory() { MountPointKind::Directory } else { MountPointKind::File };
        self.plan(target, point, kind);
        self.kept.push(Box::new(scratch));
        Ok(())
    }
}

impl Sources<'_> {
    /// What lies at a path of an input, links followed.
    fn entry(&self, input: InputIndex, path: &ImagePath) -> Result<Entry, ExecError> {
        let tree = self.inputs.get(input.0).ok_or(ExecError::NoInput(input))?.tree();
        tree.resolve(path, true)?.ok_or_else(|| ExecError::MountSourceNotFound { path: path.clone(), input })
    }
}

/// A cache for one step.
fn acquire(cache: &CacheMount, sources: &Sources<'_>) -> Result<store::CacheMount, ExecError> {
    let MountOwner { uid, gid, mode } = cache.owner;
    let content = match &cache.initial {
        Some((input, path)) => Some(sources.entry(*input, path)?),
        None => None,
    };
    let attributes = Attributes { mode, uid, gid, mtime: Timestamp::now() };
    let seed = store::CacheSeed { attributes, content };
    let sharing = match cache.sharing {
        graph::exec::Sharing::Shared => store::Sharing::Shared,
        graph::exec::Sharing::Private => store::Sharing::Private,
        graph::exec::Sharing::Locked => store::Sharing::Locked,
    };
    let mounted = sources.store.cache_mount(&cache.id, sharing, &seed)?;
    mounted.ok_or_else(|| ExecError::CacheInUse { id: cache.id.clone() })
}
