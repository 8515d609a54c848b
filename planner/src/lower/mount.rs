//! `RUN --mount=…`

use graph::exec::{BindAccess, CacheMount, Mount, MountKind, MountOwner, SecretVariable, Sharing};
use graph::vertex::InputIndex;
use graph::{Edge, VertexId};
use image::ImagePath;
use parser::ast::MountSpec;
use parser::instruction::{self as syntax, FileAttributes};

use super::Lowering;
use super::copy::literal_pattern;
use crate::error::Fault;
use crate::paths;
use crate::stages::Origin;

/// The mounts of a RUN.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    /// In the order in which they are made.
    pub(super) list: Vec<Mount>,
    /// Inputs of the vertex behind the root filesystem, which is input 0.
    pub(super) inputs: Vec<Edge>,
    /// Secrets that are variables.
    pub(super) secret_variables: Vec<SecretVariable>,
    /// Where the first ssh agent is.
    pub(super) agent_socket: Option<ImagePath>,
    /// Whether a pin is missing, so that there is no vertex yet.
    pub(super) is_incomplete: bool,
    agents: usize,
}

impl Mounts {
    fn push(&mut self, target: ImagePath, kind: MountKind) {
        self.list.push(Mount { target, kind });
    }

    /// Adds an input of which a path counts, by content.
    fn input(&mut self, tree: VertexId, path: &ImagePath) -> InputIndex {
        self.inputs.push(Edge::content(tree, vec![literal_pattern(path)]));
        InputIndex(self.inputs.len())
    }
}

impl Lowering<'_, '_> {
    pub(super) fn mounts(
        &mut self,
        specs: &[MountSpec],
        origins: &[Option<Origin>],
    ) -> Result<Mounts, Fault> {
        let mut mounts = Mounts::default();
        for (index, spec) in specs.iter().enumerate() {
            let environment = &self.state.environment;
            let resolved = spec.resolve(|name| environment.get(name).map(str::to_owned))?;
            self.report_unset(resolved.unset.into_iter().collect());
            let origin = origins.get(index).and_then(Option::as_ref);
            match resolved.mount {
                syntax::Mount::Bind(bind) => self.bind(&mut mounts, &bind, origin)?,
                syntax::Mount::Cache(cache) => self.cache(&mut mounts, &cache, origin)?,
                syntax::Mount::Tmpfs(tmpfs) => {
                    let target = self.mount_target(&tmpfs.target)?;
                    mounts.push(target, MountKind::Tmpfs { size: tmpfs.size });
                }
                syntax::Mount::Secret(secret) => self.secret(&mut mounts, secret)?,
                syntax::Mount::Ssh(ssh) => self.agent(&mut mounts, ssh)?,
            }
        }
        Ok(mounts)
    }

    fn bind(
        &mut self,
        mounts: &mut Mounts,
        bind: &syntax::BindMount,
        origin: Option<&Origin>,
    ) -> Result<(), Fault> {
        let target = self.mount_target(&bind.target)?;
        let source = ImagePath::new(bind.source.as_deref().unwrap_or_default());
        let tree = match origin {
            None => Some(self.main_context()),
            Some(origin) => self.mount_origin(origin, &bind.target)?,
        };
        let Some(tree) = tree else {
            mounts.is_incomplete = true;
            return Ok(());
        };
        let input = mounts.input(tree, &source);
        let access = if bind.read_only { BindAccess::ReadOnly } else { BindAccess::Discard };
        mounts.push(target, MountKind::Bind { input, source, access });
        Ok(())
    }

    fn cache(
        &mut self,
        mounts: &mut Mounts,
        cache: &syntax::CacheMount,
        origin: Option<&Origin>,
    ) -> Result<(), Fault> {
        let target = self.mount_target(&cache.target)?;
        let mut initial = None;
        if let Some(origin) = origin.filter(|origin| **origin != Origin::Scratch) {
            let source = ImagePath::new(cache.source.as_deref().unwrap_or_default());
            match self.mount_origin(origin, &cache.target)? {
                Some(tree) => initial = Some((mounts.input(tree, &source), source)),
                None => mounts.is_incomplete = true,
            }
        }
        let id = cache.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| paths::clean(&cache.target));
        let mount = CacheMount {
            id: self.planner.options.cache_id(&id),
            sharing: match cache.sharing {
                syntax::Sharing::Shared => Sharing::Shared,
                syntax::Sharing::Private => Sharing::Private,
                syntax::Sharing::Locked => Sharing::Locked,
            },
            read_only: cache.read_only,
            initial,
            owner: owner(cache.attributes, 0o755),
        };
        mounts.push(target, MountKind::Cache(mount));
        Ok(())
    }

    fn secret(&mut self, mounts: &mut Mounts, secret: syntax::SecretMount) -> Result<(), Fault> {
        let target = match (&secret.target, &secret.env) {
            (Some(target), _) => Some(self.mount_target(target)?),
            (None, Some(_)) => None,
            (None, None) => {
                let name = paths::file_name(&secret.id).unwrap_or_default();
                Some(ImagePath::new("/run/secrets").join(name))
            }
        };
        if let Some(name) = secret.env {
            let (id, required) = (secret.id.clone(), secret.required);
            mounts.secret_variables.push(SecretVariable { name, id, required });
        }
        if let Some(target) = target {
            let owner = owner(secret.attributes, 0o400);
            mounts.push(target, MountKind::Secret { id: secret.id, required: secret.required, owner });
        }
        Ok(())
    }

    fn agent(&mut self, mounts: &mut Mounts, ssh: syntax::SshMount) -> Result<(), Fault> {
        let target = match &ssh.target {
            Some(target) => self.mount_target(target)?,
            None => ImagePath::new(&format!("/run/buildkit/ssh_agent.{}", mounts.agents)),
        };
        mounts.agents += 1;
        mounts.agent_socket.get_or_insert_with(|| target.clone());
        let id = ssh.id.unwrap_or_else(|| "default".to_owned());
        let owner = owner(ssh.attributes, 0o600);
        mounts.push(target, MountKind::Ssh { id, required: ssh.required, owner });
        Ok(())
    }

    fn mount_target(&self, target: &str) -> Result<ImagePath, Fault> {
        let path = self.state.directory().join(target);
        if path.is_root() { Err(Fault::MountTarget(path.to_string())) } else { Ok(path) }
    }

    fn mount_origin(&mut self, origin: &Origin, target: &str) -> Result<Option<VertexId>, Fault> {
        self.origin(origin).map_err(|stage| Fault::MountFromLaterStage {
            from: self.table.stage(stage).name(),
            target: target.to_owned(),
        })
    }
}

fn owner(given: FileAttributes, mode: u32) -> MountOwner {
    MountOwner {
        uid: given.uid.unwrap_or_default(),
        gid: given.gid.unwrap_or_default(),
        mode: given.mode.unwrap_or(mode),
    }
}
