//! What a build is asked for, beside the Dockerfile.

use std::collections::BTreeMap;
use std::fmt;

use graph::exec::{NetworkMode, Ulimit};
use graph::name::TimedSource;
use image::Platform;
use parser::go::parse_bool;

use crate::context::{IgnoreRules, MainContext, NamedContexts};

/// What a build is asked for, beside the Dockerfile: the flags of `build` that shape the plan.
///
/// Flags about how steps are run (limits, addresses of hosts, values of secrets) belong to the
/// session and are not here.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The stage to build; none is the last one.
    pub target: Option<String>,
    /// Which stages are looked at.
    pub stages: StageSelection,
    /// What the machine that builds is.
    pub build_platform: Platform,
    /// What is built for, one target each. Empty is the build platform, where the images say
    /// themselves what they are for.
    pub target_platforms: Vec<Platform>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// `--label`; wins over LABEL.
    pub labels: BTreeMap<String, String>,
    /// `--build-context`.
    pub contexts: NamedContexts,
    /// What COPY and ADD read from.
    pub main_context: MainContext,
    /// The ignore file of the main context, if it is a local directory that has one.
    pub ignore: Option<IgnoreRules>,
    /// `--network`: what RUN reaches unless it says otherwise.
    pub network: NetworkMode,
    /// The host name that RUN sees; none is `buildkitsandbox`, as in `BuildKit`.
    pub hostname: Option<String>,
    /// The names of `--add-host`.
    pub extra_hosts: Vec<String>,
    /// `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// `--cgroup-parent`.
    pub cgroup_parent: Option<String>,
    /// `--no-cache-filter`: stages whose steps run even if their results are known.
    pub uncached_stages: Vec<String>,
    /// `--allow`: what RUN may ask for.
    pub allowed: Vec<Entitlement>,
    /// The value of `SOURCE_DATE_EPOCH=context`.
    pub context_time: ContextTime,
}

/// The time of the main context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ContextTime {
    /// It has none, as a local directory.
    #[default]
    None,
    /// This many seconds since 1970.
    Seconds(i64),
    /// That of this source, which has to be pinned when it is asked for.
    Of(TimedSource),
}

/// Which stages are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StageSelection {
    /// Those that the target needs.
    #[default]
    Target,
    /// All of them, as the checks without a target do.
    All,
}

/// What a RUN can only do if the build allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entitlement {
    /// `--network=host`.
    NetworkHost,
    /// `--security=insecure`.
    SecurityInsecure,
}

impl fmt::Display for Entitlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetworkHost => "network.host",
            Self::SecurityInsecure => "security.insecure",
        })
    }
}

/// The host name of `BuildKit`'s sandbox, which scripts have come to expect.
const DEFAULT_HOSTNAME: &str = "buildkitsandbox";

impl PlanOptions {
    /// A build of the last stage for this platform, with no flags given.
    pub fn new(build_platform: Platform) -> Self {
        Self {
            target: None,
            stages: StageSelection::Target,
            build_platform,
            target_platforms: Vec::new(),
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            contexts: NamedContexts::new(),
            main_context: MainContext::Directory,
            ignore: None,
            network: NetworkMode::Default,
            hostname: None,
            extra_hosts: Vec::new(),
            ulimits: Vec::new(),
            cgroup_parent: None,
            uncached_stages: Vec::new(),
            allowed: Vec::new(),
            context_time: ContextTime::None,
        }
    }

    /// The platforms that are built for, at least one.
    pub(crate) fn platforms(&self) -> Vec<Platform> {
        if self.target_platforms.is_empty() {
            vec![self.build_platform.clone()]
        } else {
            self.target_platforms.clone()
        }
    }

    /// Whether the result is an index, and step labels tell the platform.
    pub fn is_multi_platform(&self) -> bool {
        let asked = self.build_args.get("BUILDKIT_MULTI_PLATFORM");
        self.target_platforms.len() > 1 || asked.and_then(|asked| parse_bool(asked)) == Some(true)
    }

    pub(crate) fn hostname(&self) -> &str {
        let argument = self.build_args.get("BUILDKIT_SANDBOX_HOSTNAME").filter(|name| !name.is_empty());
        argument.or(self.hostname.as_ref()).map_or(DEFAULT_HOSTNAME, String::as_str)
    }

    /// The id of a cache mount, below `BUILDKIT_CACHE_MOUNT_NS` if that is given.
    pub(crate) fn cache_id(&self, id: &str) -> String {
        match self.build_args.get("BUILDKIT_CACHE_MOUNT_NS") {
            Some(namespace) if !namespace.is_empty() => format!("{namespace}/{id}"),
            _ => id.to_owned(),
        }
    }
}

/// Whether programs learn from a variable of this name which proxy to use; they read both spellings.
pub fn is_proxy_variable(name: &str) -> bool {
    const NAMES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}
