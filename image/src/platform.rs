//! [`Platform`]: what an image is made for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system, an architecture and what distinguishes kinds of it.
///
/// Always normalised, as containerd does it: `x86_64` is `amd64`, `aarch64` and `arm64/v8` are
/// `arm64`, `arm` is `arm/v7`. The text form is `os/architecture[/variant]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// GOARCH: `amd64`, `arm64`, `arm`, …
    pub architecture: String,
    /// GOOS: `linux`.
    pub os: String,
    /// The version of the operating system, used by Windows images only.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// The kind of the architecture: `v7` of `arm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A text that is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// Not one to three components of letters, digits, `_`, `-` and `.`.
    #[error("{0:?} is an invalid platform: expected os[/architecture[/variant]]")]
    Malformed(String),
    /// One component that is neither a known operating system nor a known architecture.
    #[error("{0:?}: unknown operating system or architecture")]
    Unknown(String),
}

const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
];

const ARCHITECTURES: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
    "riscv64", "s390x", "wasm",
];

impl Platform {
    /// The platform of these parts, normalised.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let os = match os.to_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        let (architecture, variant) =
            normalise(&architecture.to_lowercase(), &variant.unwrap_or_default().to_lowercase());
        let variant = (!variant.is_empty()).then_some(variant);
        Self { architecture, os, os_version: None, variant }
    }

    /// The platform that this program was compiled for.
    pub fn host() -> Self {
        Self::new("linux", std::env::consts::ARCH, None)
    }

    /// How well an image for `candidate` serves where this platform is wanted: 0 is best, none is
    /// not at all. An `arm/v7` takes v6 and v5 as well, `arm64` takes 32-bit `arm`, `amd64` takes
    /// lower levels and `386`.
    pub fn match_rank(&self, candidate: &Self) -> Option<usize> {
        if self.os != candidate.os {
            return None;
        }
        let wanted = (self.architecture.as_str(), self.variant.as_deref());
        let offered = (candidate.architecture.as_str(), candidate.variant.as_deref());
        acceptable(wanted).iter().position(|accepted| *accepted == offered)
    }
}

/// What serves a platform, best first.
fn acceptable<'a>((architecture, variant): (&'a str, Option<&'a str>)) -> Vec<(&'a str, Option<&'a str>)> {
    const ARM: [&str; 4] = ["v8", "v7", "v6", "v5"];
    const AMD64: [&str; 3] = ["v4", "v3", "v2"];
    let from = |variants: &'static [&'static str], first: Option<&str>| {
        let start = variants.iter().position(|known| Some(*known) == first).unwrap_or(variants.len());
        variants[start..].iter().map(|known| Some(*known))
    };
    match architecture {
        "arm" if variant.is_some_and(|variant| ARM.contains(&variant)) => {
            from(&ARM, variant).map(|variant| ("arm", variant)).collect()
        }
        "arm64" => {
            let mut list = vec![("arm64", variant)];
            if variant.is_some() {
                list.push(("arm64", None));
            }
            list.extend(ARM.map(|variant| ("arm", Some(variant))));
            list
        }
        "amd64" => {
            let mut list: Vec<_> = from(&AMD64, variant).map(|variant| ("amd64", variant)).collect();
            list.push(("amd64", None));
            list.push(("386", None));
            list
        }
        _ => vec![(architecture, variant)],
    }
}

fn normalise(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = match (architecture, variant) {
        ("i386" | "i686" | "x86", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", other) => ("amd64", other),
        ("aarch64" | "arm64", "" | "8" | "v8") => ("arm64", ""),
        ("aarch64", other) => ("arm64", other),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    };
    (architecture.to_owned(), variant.to_owned())
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let allowed = |part: &&str| {
            !part.is_empty()
                && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter))
        };
        if !parts.iter().all(allowed) {
            return Err(PlatformError::Malformed(text.to_owned()));
        }
        match parts.as_slice() {
            [one] => {
                let host = Self::host();
                let system = Self::new(one, &host.architecture, host.variant.as_deref());
                if SYSTEMS.contains(&system.os.as_str()) {
                    return Ok(system);
                }
                let architecture = Self::new(&host.os, one, None);
                if ARCHITECTURES.contains(&architecture.architecture.as_str()) {
                    return Ok(architecture);
                }
                Err(PlatformError::Unknown(text.to_owned()))
            }
            [os, architecture] => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(PlatformError::Malformed(text.to_owned())),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Platform, PlatformError};

    fn platform(text: &str) -> Platform {
        text.parse().expect(text)
    }

    #[test]
    fn names_are_normalised() {
        for (text, normal) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("Linux/AArch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/6", "linux/arm/v6"),
            ("linux/armhf", "linux/arm/v7"),
            ("arm64", "linux/arm64"),
            ("linux/i386", "linux/386"),
        ] {
            assert_eq!(platform(text).to_string(), normal, "{text}");
        }
        assert_eq!(platform("linux"), Platform::host());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "linux/", "a/b/c/d", "linux/am d64", "linux//v7"] {
            assert_eq!(text.parse::<Platform>(), Err(PlatformError::Malformed(text.to_owned())));
        }
        assert!(matches!("nonsense".parse::<Platform>(), Err(PlatformError::Unknown(_))));
    }

    #[test]
    fn the_best_match_has_the_lowest_rank() {
        let best = |wanted: &str, offered: &[&str]| {
            let wanted = platform(wanted);
            offered
                .iter()
                .filter_map(|offer| Some((wanted.match_rank(&platform(offer))?, *offer)))
                .min()
                .map(|(_, offer)| offer.to_owned())
        };
        assert_eq!(best("linux/amd64", &["linux/386", "linux/amd64"]).as_deref(), Some("linux/amd64"));
        assert_eq!(best("linux/arm/v7", &["linux/arm/v6", "linux/arm/v5"]).as_deref(), Some("linux/arm/v6"));
        assert_eq!(best("linux/arm/v6", &["linux/arm/v7"]), None);
        assert_eq!(best("linux/arm64", &["linux/arm/v7", "linux/arm64"]).as_deref(), Some("linux/arm64"));
        assert_eq!(
            best("linux/amd64/v3", &["linux/amd64", "linux/amd64/v2"]).as_deref(),
            Some("linux/amd64/v2")
        );
        assert_eq!(best("linux/amd64", &["linux/arm64", "windows/amd64"]), None);
        assert_eq!(best("linux/riscv64", &["linux/riscv64"]).as_deref(), Some("linux/riscv64"));
    }

    #[test]
    fn json_is_that_of_a_descriptor() {
        let json = serde_json::to_string(&platform("linux/arm/v7")).unwrap();
        assert_eq!(json, r#"{"architecture":"arm","os":"linux","variant":"v7"}"#);
    }
}
