//! [`Engine`]: everything that is open while a command runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::{Cache, CacheError};
use executor::{Executor, ExecutorParts};
use registry::{Anonymous, Client, ClientConfig, Credentials, DockerConfig, RetryPolicy};
use runtime::{NoOverlays, Snapshotter, SnapshotterChoice};
use sandbox::{Networks, Sandbox};
use store::{Store, StoreError};

/// What an engine is opened with.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The directory of the store, made if it is missing.
    pub root: PathBuf,
    /// The executable that is started as the sandbox's helper: one whose `main` begins with
    /// [`sandbox_init`](crate::sandbox_init).
    pub helper: PathBuf,
    /// Whether steps see overlays or copies.
    pub snapshotter: SnapshotterChoice,
    /// The directory with Docker's `config.json`, for the credentials of registries.
    pub docker_config: Option<PathBuf>,
    /// Directories with descriptions of devices, in the format of the Container Device Interface. Of two that describe
    /// the same device the later one wins; they need not exist.
    pub device_directories: Vec<PathBuf>,
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store could not be opened.
    #[error("cannot open the store in {}", root.display())]
    Store {
        /// Its directory.
        root: PathBuf,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// The store keeps the owners of files in a way that this user's ids do not allow.
    #[error(transparent)]
    OtherOwners(StoreError),
    /// The cache could not be opened.
    #[error("cannot open the build cache in {}", root.display())]
    Cache {
        /// The store's directory.
        root: PathBuf,
        /// Why not.
        #[source]
        source: CacheError,
    },
    /// The store cannot be used as the user chose.
    #[error("cannot use overlays in {}", root.display())]
    Snapshotter {
        /// The store's directory.
        root: PathBuf,
        /// Why not.
        #[source]
        source: NoOverlays,
    },
}

/// The open state: store, cache, sandbox, registry client. Any number of processes may have the same
/// directory open.
///
/// ```text
/// ROOT/…                     the store, see `store`
/// ROOT/cache/cache.db        what was built, see `cache`; may be deleted at any time
/// ROOT/http/                 what is known of downloads, see `executor`
/// ```
#[derive(Debug)]
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) cache: Arc<Cache>,
    pub(crate) sandbox: Sandbox,
    pub(crate) networks: Networks,
    pub(crate) registry: Client,
    pub(crate) executor: Executor,
}

impl Engine {
    /// Opens the directory.
    pub fn open(config: EngineConfig) -> Result<Self, OpenError> {
        let EngineConfig { root, helper, snapshotter, docker_config, device_directories } = config;
        let store = Store::open(&root).map_err(|source| match source {
            StoreError::OtherOwners { .. } => OpenError::OtherOwners(source),
            source => OpenError::Store { root: root.clone(), source },
        })?;
        let cache = open_cache(&root)?;
        let credentials: Arc<dyn Credentials> = match docker_config {
            Some(directory) => Arc::new(DockerConfig::new(&directory)),
            None => Arc::new(Anonymous),
        };
        let registry = Client::new(ClientConfig {
            credentials,
            user_agent: concat!("builder/", env!("CARGO_PKG_VERSION")).to_owned(),
            retries: RetryPolicy::default(),
        });
        let sandbox = Sandbox::new(helper.clone());
        let networks = Networks::new(helper);
        let snapshotter = Snapshotter::new(snapshotter, &store)
            .map_err(|source| OpenError::Snapshotter { root: root.clone(), source })?;
        let parts = ExecutorParts {
            store: store.clone(),
            sandbox: sandbox.clone(),
            networks: networks.clone(),
            snapshotter,
            registry: registry.clone(),
            device_directories,
        };
        let executor = Executor::new(parts);
        Ok(Self { store, cache: Arc::new(cache), sandbox, networks, registry, executor })
    }
}

fn open_cache(root: &Path) -> Result<Cache, OpenError> {
    let directory = root.join("cache");
    let failed = |source| OpenError::Cache { root: root.to_owned(), source };
    Cache::open(&directory.join("cache.db")).map_err(failed)
}
