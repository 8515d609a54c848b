//! The surroundings of the process: variables, the working directory, who the user is.
//!
//! This is the only module that reads them. Everything else gets an [`Environment`], so that a
//! test can give it one of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// What a command may know of its surroundings.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    working_directory: PathBuf,
    is_root: bool,
}

impl Environment {
    /// Reads that of this process.
    pub(crate) fn read() -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "here is where the command line learns where it is")]
        let working_directory = std::env::current_dir()?;
        let is_root = rustix::process::geteuid().is_root();
        Ok(Self { variables: std::env::vars_os().collect(), working_directory, is_root })
    }

    /// That of a user in `/work`, with these variables.
    #[cfg(test)]
    pub(crate) fn of_user(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, working_directory: PathBuf::from("/work"), is_root: false }
    }

    /// A variable that is set to valid text.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(Path::new(name).as_os_str())?.to_str()
    }

    /// What a flag `NAME=VALUE` sets, or `NAME` for the value that the user's variable has. None
    /// where the user has no such variable.
    pub(crate) fn assignment(&self, flag: &str) -> Option<(String, String)> {
        let (name, value) = match flag.split_once('=') {
            Some(pair) => pair,
            None => (flag, self.variable(flag)?),
        };
        Some((name.to_owned(), value.to_owned()))
    }

    /// A variable that is set to something, taken as a path.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.variables.get(Path::new(name).as_os_str())?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    }

    /// A path as the user means it, from the working directory on.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.working_directory.join(path)
    }

    /// A path seen from the working directory, if it is below that.
    pub(crate) fn below_working_directory<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        path.strip_prefix(&self.working_directory).ok()
    }

    /// Where the store is: what `--root` says, or `BUILDER_ROOT`, or the usual place. None where
    /// the user has no home that could hold one.
    pub(crate) fn store_root(&self, flag: Option<&Path>) -> Option<PathBuf> {
        let chosen = flag.map(Path::to_path_buf).or_else(|| self.path("BUILDER_ROOT"));
        if let Some(root) = chosen {
            return Some(self.absolute(&root));
        }
        if self.is_root {
            return Some(PathBuf::from("/var/lib/builder"));
        }
        // The specification of these directories says that a relative path has to be ignored.
        let data = self.path("XDG_DATA_HOME").filter(|path| path.is_absolute());
        let data = data.or_else(|| Some(self.path("HOME")?.join(".local/share")))?;
        Some(data.join("builder"))
    }

    /// The directory with Docker's `config.json`, which has the credentials for registries.
    pub(crate) fn docker_config(&self) -> Option<PathBuf> {
        let home = || Some(self.path("HOME")?.join(".docker"));
        self.path("DOCKER_CONFIG").map(|path| self.absolute(&path)).or_else(home)
    }

    /// The directories with descriptions of devices: those of `BUILDER_CDI_SPEC_DIRS`, with colons between them, or
    /// those of the Container Device Interface.
    pub(crate) fn device_directories(&self) -> Vec<PathBuf> {
        let directories =
            self.path("BUILDER_CDI_SPEC_DIRS").unwrap_or_else(|| "/etc/cdi:/var/run/cdi".into());
        std::env::split_paths(&directories).map(|path| self.absolute(&path)).collect()
    }

    /// The kind of progress output to use where no flag says it.
    pub(crate) fn progress(&self) -> Option<&str> {
        self.variable("BUILDKIT_PROGRESS").filter(|value| !value.is_empty())
    }

    /// The platform to build and pull for where no flag says it.
    pub(crate) fn default_platform(&self) -> Option<&str> {
        self.variable("DOCKER_DEFAULT_PLATFORM").filter(|value| !value.is_empty())
    }

    /// Whether the user does not mind colours, see <https://no-color.org>.
    pub(crate) fn allows_colour(&self) -> bool {
        self.variable("NO_COLOR").is_none_or(str::is_empty) && self.variable("TERM") != Some("dumb")
    }

    /// The socket of the user's ssh agent.
    pub(crate) fn ssh_agent(&self) -> Option<PathBuf> {
        self.path("SSH_AUTH_SOCK")
    }

    /// The proxies that the user's own programs use, by the names of their variables.
    pub(crate) fn proxies(&self) -> BTreeMap<String, String> {
        let texts = self.variables.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
        let proxies = texts.filter(|(name, value)| engine::is_proxy_variable(name) && !value.is_empty());
        proxies.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_of(variables: &[(&str, &str)], flag: Option<&str>) -> Option<String> {
        let root = Environment::of_user(variables).store_root(flag.map(Path::new));
        root.map(|path| path.display().to_string())
    }

    #[test]
    fn the_store_is_where_the_nearest_setting_says() {
        let home = ("HOME", "/home/u");
        assert_eq!(root_of(&[home, ("BUILDER_ROOT", "/b")], Some("here")).as_deref(), Some("/work/here"));
        assert_eq!(root_of(&[home, ("BUILDER_ROOT", "/b")], None).as_deref(), Some("/b"));
        assert_eq!(root_of(&[home, ("XDG_DATA_HOME", "/d")], None).as_deref(), Some("/d/builder"));
        assert_eq!(
            root_of(&[home, ("XDG_DATA_HOME", "d")], None).as_deref(),
            Some("/home/u/.local/share/builder")
        );
        assert_eq!(root_of(&[], None), None);
        let root = Environment { is_root: true, ..Environment::of_user(&[home]) };
        assert_eq!(root.store_root(None), Some(PathBuf::from("/var/lib/builder")));
    }

    #[test]
    fn proxies_are_found_in_both_spellings() {
        let environment =
            Environment::of_user(&[("http_proxy", "a"), ("HTTPS_PROXY", "b"), ("no_proxy", "")]);
        let proxies = environment.proxies();
        assert_eq!(proxies.keys().collect::<Vec<_>>(), ["HTTPS_PROXY", "http_proxy"]);
    }

    #[test]
    fn credentials_are_where_docker_has_them() {
        let path = |variables: &[_]| Environment::of_user(variables).docker_config();
        assert_eq!(path(&[("HOME", "/home/u")]), Some(PathBuf::from("/home/u/.docker")));
        assert_eq!(path(&[("DOCKER_CONFIG", "conf")]), Some(PathBuf::from("/work/conf")));
    }

    #[test]
    fn descriptions_of_devices_are_where_the_interface_has_them_unless_the_user_says_it() {
        let paths = |variables: &[_]| Environment::of_user(variables).device_directories();
        assert_eq!(paths(&[]), [Path::new("/etc/cdi"), Path::new("/var/run/cdi")]);
        assert_eq!(paths(&[("BUILDER_CDI_SPEC_DIRS", "a:/b")]), [Path::new("/work/a"), Path::new("/b")]);
    }
}
