//! What a build reads from the host: the Dockerfile, ignore files, directories.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graph::source::ContextName;
use parser::ignore;
use store::{Keep, Tree, TreePath};

use crate::error::BuildError;
use crate::outcome::DockerfileText;
use crate::request::{Context, DockerfileSource};

/// Reads the Dockerfile. A BOM and the line ends are left to the parser.
pub(crate) fn read_dockerfile(source: &DockerfileSource) -> Result<DockerfileText, BuildError> {
    let (display, bytes) = match source {
        DockerfileSource::File { path, display } => {
            let bytes = fs::read(path).map_err(|source| BuildError::ReadDockerfile {
                display: display.clone(),
                source: Arc::new(source),
            })?;
            (display.clone(), bytes)
        }
        DockerfileSource::Text { display, text } => (display.clone(), text.clone()),
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(DockerfileText { display, text }),
        Err(error) => {
            Err(BuildError::DockerfileEncoding { display, offset: error.utf8_error().valid_up_to() })
        }
    }
}

/// The ignore file of a directory, and where it was found.
#[derive(Clone, Debug)]
pub(crate) struct IgnoreFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its rules.
    pub(crate) rules: ignore::IgnoreFile,
}

impl IgnoreFile {
    /// Reads the ignore file of the main context: the one named after the Dockerfile if there is
    /// one, else `.dockerignore` in the root of the context.
    fn of_main(directory: &Path, dockerfile: &DockerfileSource) -> Result<Option<Self>, BuildError> {
        if let DockerfileSource::File { path, .. } = dockerfile {
            let mut name = path.clone().into_os_string();
            name.push(".dockerignore");
            if let Some(file) = Self::read(Path::new(&name))? {
                return Ok(Some(file));
            }
        }
        Self::of_directory(directory)
    }

    /// Reads `.dockerignore` in a directory.
    fn of_directory(directory: &Path) -> Result<Option<Self>, BuildError> {
        Self::read(&directory.join(".dockerignore"))
    }

    fn read(path: &Path) -> Result<Option<Self>, BuildError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(BuildError::ReadIgnoreFile { path: path.to_owned(), source: Arc::new(source) });
            }
        };
        let (rules, diagnostics) = ignore::IgnoreFile::parse(&String::from_utf8_lossy(&text));
        match diagnostics.first() {
            Some(problem) => {
                Err(BuildError::IgnoreFile { path: path.to_owned(), message: problem.message.clone() })
            }
            None => Ok(Some(Self { path: path.to_owned(), rules })),
        }
    }
}

/// The directories that a build may read, each as a tree behind its ignore file.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    /// The trees, as the session wants them.
    pub(crate) trees: BTreeMap<ContextName, Tree>,
    /// The directory of the main context.
    pub(crate) directory: Option<PathBuf>,
    /// The ignore file of the main context.
    pub(crate) ignore: Option<IgnoreFile>,
}

impl Contexts {
    /// Opens the main context.
    pub(crate) fn open(context: &Context, dockerfile: &DockerfileSource) -> Result<Self, BuildError> {
        let mut contexts = Self::default();
        if let Context::Directory(directory) = context {
            contexts.ignore = IgnoreFile::of_main(directory, dockerfile)?;
            let rules = contexts.ignore.as_ref().map(|file| file.rules.clone());
            contexts.trees.insert(ContextName::main(), tree(directory, rules)?);
            contexts.directory = Some(directory.clone());
        }
        Ok(contexts)
    }

    /// Opens a further directory.
    pub(crate) fn add(&mut self, name: ContextName, directory: &Path) -> Result<(), BuildError> {
        let rules = IgnoreFile::of_directory(directory)?.map(|file| file.rules);
        self.trees.insert(name, tree(directory, rules)?);
        Ok(())
    }
}

fn tree(directory: &Path, rules: Option<ignore::IgnoreFile>) -> Result<Tree, BuildError> {
    if !directory.is_dir() {
        return Err(BuildError::ContextMissing { path: directory.to_owned() });
    }
    let keep = move |path: &TreePath, is_directory: bool| match &rules {
        None => Keep::Yes,
        Some(rules) => keep(rules, path, is_directory),
    };
    Tree::host(directory, keep)
        .map_err(|source| BuildError::failed(format!("open the context {}", directory.display()), source))
}

fn keep(rules: &ignore::IgnoreFile, path: &TreePath, is_directory: bool) -> Keep {
    let path = String::from_utf8_lossy(path.as_bytes());
    match (rules.judge_path(&path).is_ignored(), is_directory && !rules.can_prune(&path)) {
        (false, _) => Keep::Yes,
        (true, true) => Keep::Descend,
        (true, false) => Keep::No,
    }
}
