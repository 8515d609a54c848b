//! What a stage has become so far.

use graph::VertexId;
use graph::name::{ImageName, ImagePin};
use image::config::DEFAULT_PATH;
use image::{History, ImageConfig, ImagePath, Platform};
use indexmap::IndexMap;

use crate::environment::{Environment, EnvironmentList};
use crate::paths;
use crate::plan::{BaseImage, LayerOrigin};

/// What marks the history entries of a Dockerfile build.
const HISTORY_COMMENT: &str = "buildkit.dockerfile.v0";

/// What a stage has become so far.
#[derive(Clone, Debug)]
pub(crate) struct StageState {
    /// The vertex whose result is the root filesystem.
    pub(crate) rootfs: VertexId,
    /// What `$NAME` means, and what RUN sees: ENV and ARG.
    pub(crate) environment: Environment,
    /// The config's `Env`.
    pub(crate) listed: EnvironmentList,
    /// The image config; its `Env` is [`Self::listed`] in the end.
    pub(crate) config: ImageConfig,
    /// The layers on top of the base's, lowest first.
    pub(crate) layers: Vec<LayerOrigin>,
    /// What all of it is built on.
    pub(crate) base: Option<BaseImage>,
    /// Whether a WORKDIR of the Dockerfile was met.
    pub(crate) workdir_is_set: bool,
    /// The arguments that ARG declared, in order, with the value that they had then.
    arguments: IndexMap<String, Option<String>>,
}

impl StageState {
    /// A tree and a config with nothing in it.
    pub(crate) fn bare(rootfs: VertexId, platform: &Platform) -> Self {
        Self {
            rootfs,
            environment: Environment::default(),
            listed: EnvironmentList::default(),
            config: ImageConfig::for_platform(platform),
            layers: Vec::new(),
            base: None,
            workdir_is_set: false,
            arguments: IndexMap::new(),
        }
    }

    /// What `FROM scratch` gives: a tree without an image.
    pub(crate) fn empty(rootfs: VertexId, platform: &Platform) -> Self {
        let mut state = Self::bare(rootfs, platform);
        "/".clone_into(&mut state.config.config.working_dir);
        state.begun()
    }

    /// What an image gives in place of a whole stage.
    pub(crate) fn replaced(rootfs: VertexId, name: ImageName, pin: &ImagePin) -> Self {
        let mut state = Self::bare(rootfs, &pin.platform());
        state.config = ImageConfig { created: None, ..pin.config.clone() };
        let config = &mut state.config.config;
        state.listed = EnvironmentList::new(std::mem::take(&mut config.env));
        // An empty command is none.
        config.entrypoint.take_if(|command| command.is_empty());
        config.cmd.take_if(|command| command.is_empty());
        state.base = Some(BaseImage { name, resolved: pin.resolved, config: pin.config.clone() });
        state
    }

    /// What `FROM IMAGE` gives.
    pub(crate) fn based_on(rootfs: VertexId, name: ImageName, pin: &ImagePin, platform: &Platform) -> Self {
        let mut state = Self::replaced(rootfs, name, pin);
        if state.config.os.is_empty() {
            state.config.os.clone_from(&platform.os);
            state.config.architecture.clone_from(&platform.architecture);
        }
        state.begun()
    }

    /// What `FROM STAGE` gives.
    pub(crate) fn inherited(&self) -> Self {
        self.clone().begun()
    }

    /// The state as the first instruction finds it. Variables of the config win over arguments of
    /// the base, and triggers are used up.
    fn begun(mut self) -> Self {
        self.config.config.on_build.clear();
        if !self.listed.contains("PATH") {
            self.listed.set("PATH", DEFAULT_PATH);
        }
        for (name, value) in self.listed.iter() {
            self.environment.set(name, value);
        }
        let directory = &mut self.config.config.working_dir;
        if !directory.is_empty() {
            *directory = paths::resolve("/", directory);
        }
        self
    }

    /// The working directory.
    pub(crate) fn directory(&self) -> ImagePath {
        ImagePath::new(&self.config.config.working_dir)
    }

    /// The user, if one is set.
    pub(crate) fn user(&self) -> Option<&str> {
        Some(self.config.config.user.as_str()).filter(|user| !user.is_empty())
    }

    /// The shell form of a command: the shell and the text.
    pub(crate) fn with_shell(&self, text: &str) -> Vec<String> {
        let shell = &self.config.config.shell;
        let mut args =
            if shell.is_empty() { vec!["/bin/sh".to_owned(), "-c".to_owned()] } else { shell.clone() };
        args.push(text.to_owned());
        args
    }

    /// ENV: a variable for later instructions and for the image.
    pub(crate) fn set_listed(&mut self, name: &str, value: &str) {
        self.environment.set(name, value);
        self.listed.set(name, value);
    }

    /// ARG: notes that a name was declared.
    pub(crate) fn declare(&mut self, name: &str, value: Option<String>) {
        self.arguments.insert(name.to_owned(), value);
    }

    /// Whether an ARG declared the name.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.arguments.contains_key(name)
    }

    /// The arguments with the values that a RUN sees now.
    pub(crate) fn argument_values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.arguments.iter().map(|(name, value)| {
            let now = self.environment.get(name).or(value.as_deref());
            (name.as_str(), now.unwrap_or_default())
        })
    }

    /// A history entry of an instruction that changes the config only.
    pub(crate) fn record(&mut self, text: impl Into<String>) {
        self.push_history(text.into(), true);
    }

    /// A history entry of an instruction whose layer is on top of the root filesystem now.
    pub(crate) fn record_layer(&mut self, text: impl Into<String>) {
        self.layers.push(LayerOrigin { vertex: self.rootfs, history: self.config.history.len() });
        self.push_history(text.into(), false);
    }

    fn push_history(&mut self, created_by: String, empty_layer: bool) {
        let comment = HISTORY_COMMENT.to_owned();
        self.config.history.push(History { created_by, comment, empty_layer, ..History::default() });
    }
}
