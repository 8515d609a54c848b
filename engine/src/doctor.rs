//! What works on this machine, for a user and the place of a store. Nothing is opened or made that stays.

use std::io;
use std::path::{Path, PathBuf};

use sandbox::network::Networks;
use sandbox::{SandboxError, cgroup, probe, rootless};

/// Values of the sandbox that an examination consists of.
pub use sandbox::cgroup::{
    Controller, ControllerSupport, Support as CgroupSupport, Version as CgroupVersion,
};
pub use sandbox::network::{Unavailable, Uplink};
pub use sandbox::probe::{Facts, Inside, Namespace, Origin, Refused};
pub use sandbox::rootless::{Blocker, Identity, NoRange};

/// What was found.
#[derive(Debug)]
pub struct Examination {
    /// The directory of the store, which need not exist.
    pub root: PathBuf,
    /// Who builds.
    pub identity: Result<Identity, SandboxError>,
    /// What works of a sandbox.
    pub sandbox: Result<Facts, ProbeError>,
    /// How isolated networks are connected.
    pub network: Result<Uplink, Unavailable>,
    /// Which limits can be set.
    pub cgroups: CgroupSupport,
}

/// Nothing could be tried where the store is.
#[derive(Debug, thiserror::Error)]
#[error("cannot try anything in {}", directory.display())]
pub struct ProbeError {
    /// The store's directory, or the nearest one above it that exists.
    pub directory: PathBuf,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

/// Tries everything. An ordinary user becomes root of a user namespace for that, so this comes before any thread
/// is started. `helper` is as in [`EngineConfig`](crate::EngineConfig).
pub fn examine(root: &Path, helper: PathBuf) -> Examination {
    let identity = rootless::enter();
    Examination {
        root: root.to_owned(),
        identity,
        sandbox: probe_near(root),
        network: Networks::new(helper).probe(),
        cgroups: cgroup::support(),
    }
}

fn probe_near(root: &Path) -> Result<Facts, ProbeError> {
    let directory = root.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("/"));
    let failed = |source| ProbeError { directory: directory.to_owned(), source };
    let place = tempfile::Builder::new().prefix(".builder-doctor-").tempdir_in(directory).map_err(failed)?;
    probe::probe(place.path()).map_err(failed)
}
