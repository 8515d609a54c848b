//! What a container runs: the image's config and the options of `run` together.

use std::path::PathBuf;

use image::config::DEFAULT_PATH;
use image::{ContainerConfig, ImagePath};
use sandbox::Limits;

use crate::network::NetworkChoice;
use crate::privileges::Privileges;
use crate::surroundings::Names;

/// What differs from the image's config.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Arguments after the image's name; they replace its `CMD`.
    pub command: Vec<String>,
    /// `--entrypoint`: replaces the image's, and its `CMD` with it. An empty text is no entrypoint.
    pub entrypoint: Option<String>,
    /// `-e`: variables with their values, in order.
    pub env: Vec<(String, String)>,
    /// `-w`
    pub working_directory: Option<String>,
    /// `-u`
    pub user: Option<String>,
    /// `-v`
    pub volumes: Vec<Volume>,
    /// `-t`: a terminal of its own.
    pub terminal: bool,
    /// `-h`: the host name; otherwise one is made up.
    pub hostname: Option<String>,
    /// Limits for all its processes together.
    pub limits: Limits,
    /// `--cgroup-parent`: the control group below which it gets its own.
    pub cgroup_parent: Option<String>,
    /// What it may do more, or less, than others.
    pub privileges: Privileges,
    /// `--network`
    pub network: NetworkChoice,
    /// `--add-host`, `--dns` and their like.
    pub names: Names,
}

/// A file or directory of the host inside the container: `-v source:target[:ro]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// On the host, absolute. A directory is made if nothing is there.
    pub source: PathBuf,
    /// In the container.
    pub target: ImagePath,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// The image has no command and none was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no command specified")]
pub struct NoCommand;

/// The command and its arguments, at least one word.
pub(crate) fn arguments(config: &ContainerConfig, options: &RunOptions) -> Result<Vec<String>, NoCommand> {
    let (mut arguments, image_command) = match &options.entrypoint {
        Some(entrypoint) if entrypoint.is_empty() => (Vec::new(), None),
        Some(entrypoint) => (vec![entrypoint.clone()], None),
        None => (config.entrypoint.clone().unwrap_or_default(), config.cmd.clone()),
    };
    if options.command.is_empty() {
        arguments.extend(image_command.unwrap_or_default());
    } else {
        arguments.extend(options.command.iter().cloned());
    }
    if arguments.is_empty() { Err(NoCommand) } else { Ok(arguments) }
}

/// The variables: what every container has, then those of the image, then those of the options.
pub(crate) fn variables(
    config: &ContainerConfig,
    options: &RunOptions,
    hostname: &str,
    home: &str,
) -> Vec<(String, String)> {
    let mut all = ContainerConfig::default();
    all.set_variable("PATH", DEFAULT_PATH);
    all.set_variable("HOSTNAME", hostname);
    if options.terminal {
        all.set_variable("TERM", "xterm");
    }
    let of_image = config.env.iter().filter_map(|line| line.split_once('='));
    let of_options = options.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in of_image.chain(of_options) {
        all.set_variable(name, value);
    }
    if all.variable("HOME").is_none() {
        all.set_variable("HOME", home);
    }
    let pairs = all.env.iter().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use image::ContainerConfig;

    use super::{NoCommand, RunOptions, arguments, variables};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn run(entrypoint: &str, cmd: &str, over: Option<&str>, command: &str) -> Result<String, NoCommand> {
        let some = |text: &str| (!text.is_empty()).then(|| words(text));
        let config = ContainerConfig { entrypoint: some(entrypoint), cmd: some(cmd), ..Default::default() };
        let options =
            RunOptions { entrypoint: over.map(str::to_owned), command: words(command), ..Default::default() };
        arguments(&config, &options).map(|arguments| arguments.join(" "))
    }

    #[test]
    fn commands_are_put_together_as_docker_does() {
        assert_eq!(run("", "sh -l", None, ""), Ok("sh -l".to_owned()));
        assert_eq!(run("", "sh -l", None, "ls"), Ok("ls".to_owned()));
        assert_eq!(run("lua", "-v", None, ""), Ok("lua -v".to_owned()));
        assert_eq!(run("lua", "-v", None, "-e 1"), Ok("lua -e 1".to_owned()));
        assert_eq!(run("lua", "-v", Some("sh"), ""), Ok("sh".to_owned()));
        assert_eq!(run("lua", "-v", Some("sh"), "-c x"), Ok("sh -c x".to_owned()));
        assert_eq!(run("lua", "-v", Some(""), "ls"), Ok("ls".to_owned()));
        assert_eq!(run("", "", None, ""), Err(NoCommand));
    }

    #[test]
    fn later_variables_win_and_home_is_only_a_default() {
        let config = ContainerConfig { env: words("PATH=/bin A=1"), ..Default::default() };
        let options = RunOptions { env: vec![("A".to_owned(), "2".to_owned())], ..Default::default() };
        let text: Vec<String> = variables(&config, &options, "box", "/root")
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(text, ["PATH=/bin", "HOSTNAME=box", "A=2", "HOME=/root"]);
        let options = RunOptions { env: vec![("HOME".to_owned(), "/x".to_owned())], ..Default::default() };
        assert!(variables(&config, &options, "box", "/root").contains(&("HOME".to_owned(), "/x".to_owned())));
    }
}
