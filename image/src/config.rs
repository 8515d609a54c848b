//! [`ImageConfig`]: what an image is made for, how it is run, and how it came to be.
//!
//! The shape is that of the OCI image spec with Docker's extensions (`Healthcheck`, `OnBuild`,
//! `Shell`, `ArgsEscaped`). Fields that we do not know are kept, so that an image of somebody else
//! can be shown and pushed again as it is. `null` is read as absent, since old engines wrote it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{DiffId, ImageId, Platform, Timestamp};

/// The `PATH` of processes whose image sets none, as docker and BuildKit have it.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The config of an image. Its digest is the image's identity.
///
/// The fields are in alphabetical order, as BuildKit writes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// What the binaries are made for.
    #[serde(default)]
    pub architecture: String,
    /// Who made it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// How it is run.
    #[serde(default, deserialize_with = "null_as_default")]
    pub config: ContainerConfig,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// How it was made, oldest first.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// The operating system.
    #[serde(default)]
    pub os: String,
    /// The version of the operating system.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Its layers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rootfs: RootFs,
    /// The kind of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What else the config has.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

/// The layers of an image, by their uncompressed content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Base first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub diff_ids: Vec<DiffId>,
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { diff_ids: Vec::new(), kind: "layers".to_owned() }
    }
}

/// One step of the making of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// By which command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// By whom.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// A remark, such as which builder it was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Whether the step made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// How a container of the image is run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// `user[:group]`; empty is root.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports with their protocol: `80/tcp`.
    #[serde(default, with = "set", skip_serializing_if = "BTreeSet::is_empty")]
    pub exposed_ports: BTreeSet<String>,
    /// Variables, each as `NAME=value`, in the order of their declaration.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The command that arguments are appended to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The command, or the entrypoint's default arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Paths that hold data of their own.
    #[serde(default, with = "set", skip_serializing_if = "BTreeSet::is_empty")]
    pub volumes: BTreeSet<String>,
    /// The working directory; empty is the root.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks the container to stop.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Whether the command is one line for the shell of Windows; Docker sets it for shell forms.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub args_escaped: bool,
    /// How the container's health is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Instructions for builds on top of this image.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// The shell of shell forms, if it is another one than `/bin/sh -c`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
    /// What else the config has.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

/// How a container's health is asked for. Times are in nanoseconds; 0 means that it is inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", args…]` or `["CMD-SHELL", command]`; empty means that it is inherited.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// The time between checks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// How long one check may take.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// How long failures do not count after the start.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// The time between checks during the start period.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// How many failures in a row make the container unhealthy.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
}

impl ImageConfig {
    /// A config for a platform, with nothing else in it.
    pub fn for_platform(platform: &Platform) -> Self {
        Self {
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            os_version: platform.os_version.clone(),
            variant: platform.variant.clone(),
            ..Self::default()
        }
    }

    /// What the image is made for, normalised.
    pub fn platform(&self) -> Platform {
        let platform = Platform::new(&self.os, &self.architecture, self.variant.as_deref());
        Platform { os_version: self.os_version.clone(), ..platform }
    }

    /// The bytes that are stored and hashed: compact JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a config has only string keys")
    }

    /// The image's identity: the digest of [`ImageConfig::to_bytes`].
    ///
    /// For an image of somebody else it is the digest of the bytes as they came.
    pub fn id(&self) -> ImageId {
        ImageId(crate::Digest::of(&self.to_bytes()))
    }
}

impl ContainerConfig {
    /// The value of a variable; the last one counts.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }

    /// Gives a variable a value, at its place if it is there already.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let line = format!("{name}={value}");
        let is_it = |line: &String| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        match self.env.iter_mut().find(|line| is_it(line)) {
            Some(old) => *old = line,
            None => self.env.push(line),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Sets are written as objects with empty values: `{"80/tcp":{}}`.
mod set {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(set.iter().map(|name| (name, BTreeMap::<String, Value>::new())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeSet<String>, D::Error> {
        let names = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?;
        Ok(names.unwrap_or_default().into_keys().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{ContainerConfig, Healthcheck, History, ImageConfig};
    use crate::{DiffId, Digest, Timestamp};

    fn full() -> ImageConfig {
        let mut image = ImageConfig::for_platform(&"linux/arm/v7".parse().unwrap());
        image.created = Some(Timestamp::from_unix(1_700_000_000, 0));
        image.rootfs.diff_ids = vec![DiffId(Digest::of(b""))];
        image.history = vec![
            History { created_by: "COPY a b".to_owned(), ..History::default() },
            History { created_by: "ENV A=1".to_owned(), empty_layer: true, ..History::default() },
        ];
        image.config = ContainerConfig {
            exposed_ports: ["80/tcp".to_owned()].into(),
            cmd: Some(vec!["sh".to_owned()]),
            healthcheck: Some(Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() }),
            ..ContainerConfig::default()
        };
        image.config.set_variable("PATH", "/bin");
        image
    }

    /// Ids of images depend on every byte of this.
    #[test]
    fn the_bytes_are_stable() {
        insta::assert_snapshot!(String::from_utf8(full().to_bytes()).unwrap(), @r#"{"architecture":"arm","config":{"ExposedPorts":{"80/tcp":{}},"Env":["PATH=/bin"],"Cmd":["sh"],"Healthcheck":{"Test":["NONE"]}},"created":"2023-11-14T22:13:20Z","history":[{"created_by":"COPY a b"},{"created_by":"ENV A=1","empty_layer":true}],"os":"linux","rootfs":{"diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],"type":"layers"},"variant":"v7"}"#);
        let again: ImageConfig = serde_json::from_slice(&full().to_bytes()).unwrap();
        assert_eq!(again, full());
        assert_eq!(again.platform().to_string(), "linux/arm/v7");
    }

    #[test]
    fn configs_of_old_engines_are_read() {
        let text = r#"{"architecture":"amd64","os":"linux","docker_version":"1.9","container":"ab",
            "config":{"Hostname":"x","Env":null,"Cmd":null,"Volumes":null,"Labels":null,"OnBuild":null},
            "rootfs":{"type":"layers","diff_ids":null},"history":null}"#;
        let image: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(image.config.env, Vec::<String>::new());
        assert_eq!(image.config.cmd, None);
        assert_eq!(image.extra["docker_version"], "1.9");
        assert_eq!(image.config.extra["Hostname"], "x");
    }

    #[test]
    fn variables_keep_their_place() {
        let mut config = ContainerConfig::default();
        config.set_variable("A", "1");
        config.set_variable("AB", "2");
        config.set_variable("A", "3=4");
        assert_eq!(config.env, ["A=3=4", "AB=2"]);
        assert_eq!(config.variable("A"), Some("3=4"));
        assert_eq!(config.variable("B"), None);
    }
}
