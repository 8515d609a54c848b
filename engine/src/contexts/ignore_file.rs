//! The ignore files of local directories. Contexts from elsewhere are what they are: nothing of them is left out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parser::ignore;
use planner::IgnoreRules;

use crate::error::BuildError;
use crate::request::DockerfileSource;

/// The ignore file of a directory, and where it was found.
#[derive(Clone, Debug)]
pub(crate) struct IgnoreFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
    /// Its rules.
    pub(crate) rules: ignore::IgnoreFile,
}

impl IgnoreFile {
    /// Reads the ignore file of the main context: the one named after the Dockerfile if there is
    /// one, else `.dockerignore` in the root of the context.
    pub(super) fn of_main(
        directory: &Path,
        dockerfile: &DockerfileSource,
    ) -> Result<Option<Self>, BuildError> {
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
    pub(super) fn of_directory(directory: &Path) -> Result<Option<Self>, BuildError> {
        Self::read(&directory.join(".dockerignore"))
    }

    /// The rules under the name that messages call the file by.
    pub(crate) fn named(&self) -> IgnoreRules {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        IgnoreRules { name: name.display().to_string(), file: self.rules.clone() }
    }

    fn read(path: &Path) -> Result<Option<Self>, BuildError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(BuildError::ReadIgnoreFile { path: path.to_owned(), source: Arc::new(source) });
            }
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        let (rules, diagnostics) = ignore::IgnoreFile::parse(&text);
        match diagnostics.first() {
            Some(problem) => {
                Err(BuildError::IgnoreFile { path: path.to_owned(), message: problem.message.clone() })
            }
            None => Ok(Some(Self { path: path.to_owned(), text, rules })),
        }
    }
}
