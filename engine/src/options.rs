//! From the request to what the planner and the executor want to know.

use executor::{ImagePolicy, SessionOptions};
use graph::Op;
use graph::exec::NetworkMode;
use graph::source::ContextName;
use image::Platform;
use planner::options::is_proxy_variable;
use planner::{ContextTime, Entitlement, MainContext, Plan, PlanOptions};

use crate::contexts::{Contexts, IgnoreFile};
use crate::error::BuildError;
use crate::request::{BuildRequest, Bypass, Context, DefaultNetwork, NamedContext};

/// How many `RUN` steps run at once if the request does not say it. Most of them wait for networks
/// and disks, so there are more than processors.
pub(crate) fn default_jobs() -> usize {
    4 * std::thread::available_parallelism().map_or(4, std::num::NonZero::get)
}

/// What the planner wants to know. Directories of named contexts are opened on the way.
pub(crate) fn plan_options(
    request: &BuildRequest,
    contexts: &mut Contexts,
    context_time: ContextTime,
) -> Result<PlanOptions, BuildError> {
    let mut options = PlanOptions::new(Platform::host());
    options.target.clone_from(&request.target);
    options.target_platforms.clone_from(&request.platforms);
    options.build_args.clone_from(&request.build_args);
    options.labels.clone_from(&request.labels);
    options.main_context = match request.context {
        Context::Empty => MainContext::Empty,
        // What comes from elsewhere is a tree by now.
        Context::Directory(_) | Context::Archive(_) | Context::Git(_) | Context::Http(_) => {
            MainContext::Directory
        }
    };
    options.context_time = context_time;
    options.ignore = contexts.ignore.as_ref().map(IgnoreFile::named);
    options.network = match request.network {
        DefaultNetwork::Default | DefaultNetwork::Isolated => NetworkMode::Default,
        DefaultNetwork::None => NetworkMode::None,
        DefaultNetwork::Host => NetworkMode::Host,
    };
    options.extra_hosts = request.names.extra_hosts.iter().map(|host| host.name.clone()).collect();
    options.ulimits.clone_from(&request.ulimits);
    options.cgroup_parent.clone_from(&request.cgroup_parent);
    if let Bypass::Stages(stages) = &request.bypass {
        options.uncached_stages.clone_from(stages);
    }
    if request.entitlements.network_host {
        options.allowed.push(Entitlement::NetworkHost);
    }
    if request.entitlements.security_insecure {
        options.allowed.push(Entitlement::SecurityInsecure);
    }
    for (name, context) in &request.named_contexts {
        let planned = match context {
            NamedContext::Directory(_) => planner::NamedContext::Directory,
            NamedContext::Image(reference) => planner::NamedContext::Image(reference.clone()),
            NamedContext::OciLayout(text) => planner::NamedContext::OciLayout(text.clone()),
            NamedContext::Scratch => planner::NamedContext::Scratch,
            NamedContext::Git(reference) => planner::NamedContext::Git(reference.clone()),
            NamedContext::Http(url) => planner::NamedContext::Http(url.clone()),
            NamedContext::Stage(name) => planner::NamedContext::Stage(name.clone()),
        };
        let key = options
            .contexts
            .insert(name, planned)
            .map_err(|source| BuildError::Request(std::sync::Arc::new(source)))?;
        if let NamedContext::Directory(directory) = context {
            contexts.add(ContextName::named(&key), directory)?;
        }
    }
    Ok(options)
}

/// What the executor wants to know; contexts join it when they are open.
pub(crate) fn session_options(request: &BuildRequest) -> SessionOptions {
    let mut proxy_variables = request.proxy_variables.clone();
    // Every RUN sees those among the build arguments, without ARG and without a trace in history or cache key.
    // Programs look for one spelling or the other, so each name is given in both, as BuildKit does.
    for (name, value) in request.build_args.iter().filter(|(name, _)| is_proxy_variable(name)) {
        for name in [name.clone(), name.to_ascii_uppercase(), name.to_ascii_lowercase()] {
            proxy_variables.insert(name, value.clone());
        }
    }
    SessionOptions {
        secrets: request.secrets.clone(),
        ssh_agents: request.ssh_agents.clone(),
        proxy_variables,
        names: request.names.clone(),
        shm_size: request.shm_size,
        limits: request.limits.clone(),
        network: default_network(request.network),
        devices: request.entitlements.devices.clone(),
        images: if request.pull { ImagePolicy::Registry } else { ImagePolicy::PreferLocal },
        ..SessionOptions::default()
    }
}

/// The network of steps for which the graph names none.
pub(crate) fn default_network(asked: DefaultNetwork) -> executor::DefaultNetwork {
    match asked {
        DefaultNetwork::Isolated => executor::DefaultNetwork::Isolated,
        // With the latter two, the graph names one for every step.
        DefaultNetwork::Default | DefaultNetwork::None | DefaultNetwork::Host => {
            executor::DefaultNetwork::IsolatedOrHost
        }
    }
}

/// Whether the plan has a step that runs a process.
pub(crate) fn runs_processes(plan: &Plan) -> bool {
    plan.graph.vertices().any(|(_, vertex)| matches!(&vertex.op, Op::Exec(_)))
}
