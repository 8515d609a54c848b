//! What a build is asked for: plain values, made by the command line.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use crate::copy_out::CopySource;
use executor::ssh::AgentSource;
use executor::{DeviceGrants, SecretSource};
use graph::exec::Ulimit;
use graph::name::redacted;
use image::{Platform, Reference};
pub use planner::remote::{GitReference, GitReferenceError, is_http_url};
use runtime::surroundings::Names;
use sandbox::Limits;

/// One build.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// Where the Dockerfile is.
    pub dockerfile: DockerfileSource,
    /// The main context.
    pub context: Context,
    /// Further contexts by name, as `--build-context` gives them.
    pub named_contexts: Vec<(String, NamedContext)>,
    /// The stage to build; the last one if absent.
    pub target: Option<String>,
    /// What to build for; the host's platform if empty.
    pub platforms: Vec<Platform>,
    /// Values for `ARG`.
    pub build_args: BTreeMap<String, String>,
    /// Labels that win over those of the Dockerfile.
    pub labels: BTreeMap<String, String>,
    /// Names that the image gets.
    pub tags: Vec<Reference>,
    /// Where the result goes; into the local store if empty.
    pub exports: Vec<Export>,
    /// Which steps are run although the cache has their result.
    pub bypass: Bypass,
    /// Whether base images are looked up at their registry although the local store has them.
    pub pull: bool,
    /// The network of `RUN` steps that ask for none in particular.
    pub network: DefaultNetwork,
    /// What `RUN` steps are told of names: `--add-host`, `--dns` and their like.
    pub names: Names,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// Resource limits of `RUN` steps.
    pub ulimits: Vec<Ulimit>,
    /// Limits for all processes of a `RUN` step together.
    pub limits: Limits,
    /// The control group below which `RUN` steps get theirs.
    pub cgroup_parent: Option<String>,
    /// Secrets by id.
    pub secrets: BTreeMap<String, SecretSource>,
    /// ssh agents by id.
    pub ssh_agents: BTreeMap<String, AgentSource>,
    /// Proxy variables for `RUN` steps, never recorded anywhere. Build arguments of these names win.
    pub proxy_variables: BTreeMap<String, String>,
    /// What dangerous things `RUN` steps may ask for (`--allow`).
    pub entitlements: Entitlements,
    /// How many `RUN` steps run at once at the most; none lets the engine choose.
    pub jobs: Option<usize>,
    /// What is done with what a failed `RUN` leaves.
    pub on_failure: OnFailure,
}

/// What is done with what a failed `RUN` leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnFailure {
    /// How many failed steps of this and earlier builds are kept; none keeps nothing of this build.
    pub kept: usize,
    /// What is copied to the host.
    pub copies: Vec<CopyOut>,
}

impl Default for OnFailure {
    /// The last three are kept.
    fn default() -> Self {
        Self { kept: 3, copies: Vec::new() }
    }
}

/// Files of a failed step that are copied to the host. The content of a directory goes into the destination;
/// directories that are missing there are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOut {
    /// What is copied.
    pub source: CopySource,
    /// Where to, absolute.
    pub destination: PathBuf,
}

/// What a Dockerfile is called; the second name counts where there is no first one.
pub const DOCKERFILE_NAMES: [&str; 2] = ["Dockerfile", "dockerfile"];

/// Where the Dockerfile is.
#[derive(Clone, Debug)]
pub enum DockerfileSource {
    /// A file of the host. `display` is how the user called it, for messages.
    File {
        /// Its absolute path.
        path: PathBuf,
        /// How messages call it.
        display: String,
    },
    /// A text that came from somewhere else, such as standard input.
    Text {
        /// How messages call it.
        display: String,
        /// The text.
        text: Vec<u8>,
    },
    /// A file of a main context that is fetched; without a path that of a usual name.
    InContext(Option<String>),
    /// What an `http` or `https` URL gives.
    Url(String),
}

impl DockerfileSource {
    /// How messages call it.
    pub(crate) fn display(&self) -> Cow<'_, str> {
        match self {
            Self::File { display, .. } | Self::Text { display, .. } => Cow::Borrowed(display),
            Self::InContext(path) => Cow::Borrowed(path.as_deref().unwrap_or(DOCKERFILE_NAMES[0])),
            Self::Url(url) => redacted(url),
        }
    }
}

/// The main context of a build.
#[derive(Clone, Debug)]
pub enum Context {
    /// A directory, by absolute path.
    Directory(PathBuf),
    /// Nothing.
    Empty,
    /// A tar archive, compressed or not.
    Archive(ArchiveStream),
    /// A git repository.
    Git(GitReference),
    /// What an `http` or `https` URL gives: a tar archive, or a Dockerfile.
    Http(String),
}

/// An archive that can be read once.
#[derive(Clone)]
pub struct ArchiveStream(Arc<Mutex<Box<dyn Read + Send>>>);

/// What came in on standard input.
#[derive(Clone, Debug)]
pub enum Received {
    /// An archive, of which no more than the beginning was read.
    Archive(ArchiveStream),
    /// Something else, whole.
    Text(Vec<u8>),
}

impl Received {
    /// Looks at the beginning of what a reader gives, and reads the rest of it unless it is an archive.
    pub fn from(mut reader: impl Read + Send + 'static) -> io::Result<Self> {
        let mut start = Vec::new();
        reader.by_ref().take(512).read_to_end(&mut start)?;
        if store::begins_like_archive(&start) {
            let whole = io::Cursor::new(start).chain(reader);
            return Ok(Self::Archive(ArchiveStream(Arc::new(Mutex::new(Box::new(whole))))));
        }
        reader.read_to_end(&mut start)?;
        Ok(Self::Text(start))
    }
}

impl ArchiveStream {
    /// Reads it to its end.
    pub(crate) fn copy_to(&self, writer: &mut impl Write) -> io::Result<u64> {
        io::copy(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), writer)
    }
}

impl fmt::Debug for ArchiveStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArchiveStream")
    }
}

/// A context with a name.
#[derive(Clone, Debug)]
pub enum NamedContext {
    /// A directory, by absolute path.
    Directory(PathBuf),
    /// The empty tree: `docker-image://scratch`.
    Scratch,
    /// An image: `docker-image://…`.
    Image(Reference),
    /// An OCI image layout: what follows `oci-layout://`.
    OciLayout(String),
    /// A git repository.
    Git(GitReference),
    /// A file to download, which becomes the file `context` of the tree.
    Http(String),
    /// An earlier stage of the Dockerfile: what follows `target:`.
    Stage(String),
}

/// Which steps are run although the cache has their result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Bypass {
    /// None.
    #[default]
    None,
    /// All: `--no-cache`.
    All,
    /// Those of these stages: `--no-cache-filter`.
    Stages(Vec<String>),
}

/// The network of `RUN` steps that ask for none in particular: `--network`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DefaultNetwork {
    /// An isolated one with outgoing access; where that cannot be had, the host's, which is told.
    #[default]
    Default,
    /// An isolated one with outgoing access, or they fail.
    Isolated,
    /// A loopback device only.
    None,
    /// The host's own.
    Host,
}

/// What dangerous things steps may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitlements {
    /// `network.host`: the host's own network.
    pub network_host: bool,
    /// `security.insecure`: all capabilities, no system call filter.
    pub security_insecure: bool,
    /// `device`: devices of the machine.
    pub devices: DeviceGrants,
}

/// Where a result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// The local store, under the tags of the request (`type=image`, or `type=docker` without a
    /// destination).
    Store,
    /// An archive in the OCI image layout.
    Oci(Destination),
    /// An OCI image layout as a directory (`type=oci,tar=false`).
    OciDirectory(PathBuf),
    /// An archive that `docker load` and `podman load` read.
    Docker(Destination),
    /// The root filesystem as an archive.
    Tar(Destination),
    /// The root filesystem as a directory, owned by the invoking user.
    Local(PathBuf),
    /// The registries that the tags name.
    Registry,
    /// Nowhere: the cache keeps the steps.
    CacheOnly,
}

/// Where an archive is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A file, written beside its name and renamed when it is complete.
    File(PathBuf),
    /// Standard output.
    Stdout,
}
