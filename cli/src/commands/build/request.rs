//! The flags of `build` as a [`BuildRequest`].

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use engine::DeviceGrants;
use engine::request::{
    BuildRequest, Bypass, CopyOut, CopySource, DefaultNetwork, Entitlements, Export, OnFailure,
};
use image::{Platform, Reference};

use super::{BuildArgs, OnFail, context, limits, output, session};
use crate::commands;
use crate::environment::Environment;
use crate::report::Failure;

impl BuildArgs {
    /// Checks the flags and reads what they point to: variables of the environment, and a
    /// Dockerfile on standard input.
    pub(super) fn into_request(
        self,
        environment: &Environment,
        input: impl Read + Send + 'static,
    ) -> Result<BuildRequest, Failure> {
        let mut tags = self.tags.iter().map(|text| tag(text)).collect::<Result<Vec<_>, _>>()?;
        let exports = self.exports(environment, &mut tags)?;
        let platforms = self.platforms(environment)?;
        if self.iidfile.is_some() && platforms.len() > 1 {
            return usage("--iidfile holds one id, and a build for several platforms has several");
        }
        let network = network(self.network.as_deref())?;
        let resources = self.limits.clone().with_resources(&self.resources)?;
        let context = context::main(self.file.as_deref(), &self.context, environment, input)?;
        Ok(BuildRequest {
            dockerfile: context.dockerfile,
            context: context.context,
            named_contexts: context::named(&self.build_contexts, environment)?,
            target: self.target.clone().filter(|target| !target.is_empty()),
            platforms,
            proxy_variables: environment.proxies(),
            build_args: build_args(&self.build_args, environment),
            labels: self.labels.iter().map(|label| key_value(label)).collect(),
            tags,
            exports,
            bypass: self.bypass()?,
            pull: self.pull,
            network,
            names: self.names.names()?,
            shm_size: limits::shm_size(self.shm_size.as_deref())?,
            ulimits: limits::ulimits(&self.ulimits)?,
            limits: resources.limits()?,
            cgroup_parent: resources.cgroup_parent(),
            secrets: session::secrets(&self.secrets, environment)?,
            ssh_agents: session::agents(&self.ssh, environment)?,
            entitlements: entitlements(&self.allow, network)?,
            jobs: None,
            on_failure: self.on_failure(environment)?,
        })
    }

    fn platforms(&self, environment: &Environment) -> Result<Vec<Platform>, Failure> {
        let from_environment = environment.default_platform().map(str::to_owned).into_iter().collect();
        let texts = if self.platforms.is_empty() { from_environment } else { self.platforms.clone() };
        let mut platforms = Vec::new();
        for text in texts {
            let platform = commands::platform(text.trim())?;
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
        Ok(platforms)
    }

    /// Where the result goes. Outputs may name images of their own, which join the tags.
    fn exports(&self, environment: &Environment, tags: &mut Vec<Reference>) -> Result<Vec<Export>, Failure> {
        let mut exports = Vec::new();
        for text in &self.outputs {
            let output = output::parse(text, environment)?;
            for name in output.names {
                let name = tag(&name)?;
                if !tags.contains(&name) {
                    tags.push(name);
                }
            }
            exports.extend(output.exports);
        }
        if self.load {
            exports.push(Export::Store);
        }
        if self.push {
            exports.push(Export::Registry);
        }
        let mut seen = Vec::new();
        exports.retain(|export| {
            let new = !seen.contains(export);
            seen.push(export.clone());
            new
        });
        if exports.contains(&Export::Registry) && tags.is_empty() {
            return usage("tag is needed when pushing to registry");
        }
        output::check_standard_output(&exports)?;
        Ok(exports)
    }

    fn on_failure(&self, environment: &Environment) -> Result<OnFailure, Failure> {
        let copy = |flag: &String| match flag.split_once(':') {
            Some((source, destination)) if !source.is_empty() && !destination.is_empty() => Ok(CopyOut {
                source: CopySource { path: source.to_owned(), follow_link: false },
                destination: environment.absolute(Path::new(destination)),
            }),
            _ => usage(format!("invalid --export-on-failure {flag:?}: it is SOURCE:DESTINATION")),
        };
        Ok(OnFailure {
            kept: if self.on_fail == OnFail::Drop { 0 } else { self.keep_failures },
            copies: self.export_on_failure.iter().map(copy).collect::<Result<_, _>>()?,
        })
    }

    fn bypass(&self) -> Result<Bypass, Failure> {
        match (self.no_cache, self.no_cache_filter.is_empty()) {
            (true, false) => usage("--no-cache and --no-cache-filter cannot currently be used together"),
            (true, true) => Ok(Bypass::All),
            (false, false) => Ok(Bypass::Stages(self.no_cache_filter.clone())),
            (false, true) => Ok(Bypass::None),
        }
    }
}

/// A usage error.
pub(super) fn usage<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Usage(message.into()))
}

fn tag(text: &str) -> Result<Reference, Failure> {
    let reference: Result<Reference, _> = text.parse();
    match reference {
        Err(error) => usage(format!("invalid tag {text:?}: {error}")),
        Ok(reference) if reference.digest().is_some() => {
            usage(format!("invalid tag {text:?}: refusing to create a tag with a digest reference"))
        }
        Ok(reference) => Ok(reference.with_default_tag()),
    }
}

/// `NAME=VALUE`; without `=` the value is empty.
fn key_value(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

/// The variable that sets the time of everything that is made; it is passed on without being asked for
/// (reproducible-builds.org, "SOURCE_DATE_EPOCH"; buildx does the same).
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// `NAME=VALUE`, or `NAME` for a variable of the environment. One that is not set is not passed.
fn build_args(flags: &[String], environment: &Environment) -> BTreeMap<String, String> {
    let names = std::iter::once(SOURCE_DATE_EPOCH).chain(flags.iter().map(String::as_str));
    names.filter_map(|flag| environment.assignment(flag)).collect()
}

fn network(flag: Option<&str>) -> Result<DefaultNetwork, Failure> {
    match flag {
        None | Some("" | "default") => Ok(DefaultNetwork::Default),
        Some("isolated") => Ok(DefaultNetwork::Isolated),
        Some("none") => Ok(DefaultNetwork::None),
        Some("host") => Ok(DefaultNetwork::Host),
        Some(other) => {
            usage(format!("network mode {other:?} not supported: use default, isolated, none or host"))
        }
    }
}

fn entitlements(flags: &[String], network: DefaultNetwork) -> Result<Entitlements, Failure> {
    // Who asks for the network of the host on the command line has allowed it.
    let network_host = network == DefaultNetwork::Host;
    let mut entitlements = Entitlements { network_host, ..Entitlements::default() };
    for flag in flags {
        match (flag.as_str(), flag.strip_prefix("device=").filter(|name| !name.is_empty())) {
            ("network.host", _) => entitlements.network_host = true,
            ("security.insecure", _) => entitlements.security_insecure = true,
            ("device", _) => entitlements.devices = DeviceGrants::All,
            (_, Some(name)) => {
                if let DeviceGrants::Named(names) = &mut entitlements.devices {
                    names.push(name.to_owned());
                }
            }
            (other, None) => return usage(format!("unknown entitlement {other:?}")),
        }
    }
    Ok(entitlements)
}

#[cfg(test)]
mod tests {
    use engine::request::{Destination, DockerfileSource};

    use super::*;

    /// What a command line asks for, in the environment of a user with some variables.
    fn request(words: &str) -> Result<BuildRequest, String> {
        request_with(words, &[("HOME", "/home/u"), ("FROM_ENV", "from env"), ("https_proxy", "http://user")])
    }

    fn request_with(words: &str, variables: &[(&str, &str)]) -> Result<BuildRequest, String> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            build: BuildArgs,
        }
        let words = std::iter::once("build").chain(words.split(' '));
        let line: Line = clap::Parser::try_parse_from(words).map_err(|error| error.to_string())?;
        let environment = Environment::of_user(variables);
        line.build.into_request(&environment, &b"FROM scratch\n"[..]).map_err(|failure| failure.to_string())
    }

    fn refused(words: &str) -> String {
        request(words).expect_err("this is a mistake")
    }

    #[test]
    fn flags_become_a_request() {
        let request = request(
            "-t App.example/x -t one:2 --build-arg A=b=c --build-arg FROM_ENV --build-arg UNSET --target t \
             --platform linux/arm64,local --platform linux/arm64 --label l=v --label bare --pull -",
        )
        .expect("all of this is right");
        let texts = |tags: &[Reference]| tags.iter().map(Reference::familiar).collect::<Vec<_>>();
        assert_eq!(texts(&request.tags), ["App.example/x:latest", "one:2"]);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(request.build_args, BTreeMap::from([pair("A", "b=c"), pair("FROM_ENV", "from env")]));
        assert_eq!(request.labels, BTreeMap::from([pair("bare", ""), pair("l", "v")]));
        assert_eq!(request.proxy_variables, BTreeMap::from([pair("https_proxy", "http://user")]));
        assert_eq!(request.platforms.len(), 2);
        assert_eq!(request.target.as_deref(), Some("t"));
        assert!(request.pull);
        let DockerfileSource::Text { text, .. } = request.dockerfile else {
            panic!("it came from standard input")
        };
        assert_eq!(text, b"FROM scratch\n");
    }

    #[test]
    fn outputs_and_their_shorthands() {
        let exports = |words: &str| request(words).expect("right").exports;
        assert_eq!(exports("-"), []);
        assert_eq!(exports("-t a --push --load -"), [Export::Store, Export::Registry]);
        assert_eq!(exports("-o out -"), [Export::Local("/work/out".into())]);
        assert_eq!(exports("-o type=tar,dest=- -"), [Export::Tar(Destination::Stdout)]);
        assert_eq!(exports("-o type=image,name=a,push=true -"), [Export::Store, Export::Registry]);
    }

    #[test]
    fn resources_are_limits_under_another_name() {
        let limits =
            request("--resource memory=1g --resource cpuset-cpus=0,1 -m 6m -").expect("right").limits;
        assert_eq!((limits.memory, limits.cpuset_cpus.as_deref()), (Some(1 << 30), Some("0,1")));
        assert_eq!(refused("--resource disk=1 -"), "unknown resource \"disk\"");
        assert_eq!(refused("--resource memory -"), "invalid resource \"memory\": it is NAME=VALUE");
    }

    #[test]
    fn mistakes_are_named() {
        insta::assert_snapshot!(refused("-t Upper -"), @r#"invalid tag "Upper": invalid reference format: repository name (Upper) must be lowercase"#);
        insta::assert_snapshot!(refused("--push -"), @"tag is needed when pushing to registry");
        insta::assert_snapshot!(refused("--no-cache --no-cache-filter a -"), @"--no-cache and --no-cache-filter cannot currently be used together");
        insta::assert_snapshot!(refused("--network bridge -"), @r#"network mode "bridge" not supported: use default, isolated, none or host"#);
        insta::assert_snapshot!(refused("--allow everything -"), @r#"unknown entitlement "everything""#);
        insta::assert_snapshot!(refused("-f - -"), @"invalid argument: can't use stdin for both build context and dockerfile");
        insta::assert_snapshot!(refused("-o - -o type=oci -"), @"only one output can go to standard output");
    }

    #[test]
    fn the_environment_chooses_the_platform() {
        let variables = [("DOCKER_DEFAULT_PLATFORM", "linux/arm64")];
        assert_eq!(
            request_with("-", &variables).expect("right").platforms,
            [commands::platform("linux/arm64").expect("right")]
        );
        assert_eq!(
            request_with("--platform local -", &variables).expect("right").platforms,
            [Platform::host()]
        );
    }

    #[test]
    fn who_asks_for_the_network_of_the_host_may_have_it() {
        assert!(request("--network host -").expect("right").entitlements.network_host);
        assert!(!request("-").expect("right").entitlements.network_host);
    }

    #[test]
    fn devices_are_allowed_by_name_or_all() {
        let devices = |words| request(words).map(|request| request.entitlements.devices);
        let named =
            |names: &[&str]| DeviceGrants::Named(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(devices("-"), Ok(named(&[])));
        assert_eq!(devices("--allow device=a.b/c=d,device=e -"), Ok(named(&["a.b/c=d", "e"])));
        assert_eq!(devices("--allow device=e --allow device --allow device=f -"), Ok(DeviceGrants::All));
        assert!(devices("--allow device= -").is_err());
    }
}
