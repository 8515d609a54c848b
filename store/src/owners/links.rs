//! Owners of what can hold no attribute: a file of lines beside the layer directory.
//!
//! Lines are only added, so a reader takes in what has been added since it last looked.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::path::TreePath;

/// The name of the file.
pub(crate) const LINKS: &str = "links";

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    path: TreePath,
    owner: Owner,
}

/// The file of one layer directory.
#[derive(Debug)]
pub(crate) struct Links {
    /// The layer directory.
    directory: Arc<Path>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// How many bytes of the file have been read.
    length: u64,
    owners: HashMap<TreePath, Owner>,
}

impl Links {
    /// Of the layer directory; the file need not exist.
    pub(crate) fn beside(directory: impl Into<Arc<Path>>) -> Self {
        Self { directory: directory.into(), known: Mutex::default() }
    }

    /// Where the file is.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.with_file_name(LINKS)
    }

    /// Who owns the link, pipe or socket at the path of the layer.
    pub(crate) fn owner(&self, path: &TreePath) -> io::Result<Owner> {
        self.with(|known| known.owners.get(path).copied().unwrap_or_default())
    }

    /// All that were recorded, some of them perhaps removed since.
    pub(crate) fn all(&self) -> io::Result<Vec<(TreePath, Owner)>> {
        self.with(|known| known.owners.iter().map(|(path, owner)| (path.clone(), *owner)).collect())
    }

    /// Records an owner. Root's are recorded where something else was before.
    pub(crate) fn set(&self, path: &TreePath, owner: Owner) -> io::Result<()> {
        if self.owner(path)? == owner {
            return Ok(());
        }
        let mut line = serde_json::to_vec(&Line { path: path.clone(), owner })?;
        line.push(b'\n');
        File::options().append(true).create(true).open(self.file())?.write_all(&line)
    }

    fn with<T>(&self, look: impl FnOnce(&Known) -> T) -> io::Result<T> {
        // A reader that panicked left whole lines.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.file();
        match std::fs::metadata(&file) {
            Ok(metadata) if metadata.len() != known.length => known.read_on(&file)?,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => *known = Known::default(),
            Err(error) => return Err(error),
        }
        Ok(look(&known))
    }
}

impl Known {
    fn read_on(&mut self, file: &Path) -> io::Result<()> {
        let mut file = File::open(file)?;
        let length = file.metadata()?.len();
        if length < self.length {
            *self = Self::default();
        }
        file.seek(SeekFrom::Start(self.length))?;
        for line in BufReader::new(file.take(length - self.length)).lines() {
            let Line { path, owner } = serde_json::from_str(&line?)?;
            self.owners.insert(path, owner);
        }
        self.length = length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_path_counts() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, reader) =
            (Links::beside(directory.path().join("fs")), Links::beside(directory.path().join("fs")));
        let path = TreePath::clean(b"odd\nname \xff").unwrap();
        let owner = Owner { uid: 1000, gid: 50 };
        assert_eq!(reader.owner(&path).unwrap(), Owner::default());
        writer.set(&path, Owner::default()).unwrap();
        assert!(!writer.file().exists(), "nothing to say of root");
        writer.set(&path, owner).unwrap();
        assert_eq!(reader.owner(&path).unwrap(), owner);
        writer.set(&path, Owner::default()).unwrap();
        assert_eq!(reader.owner(&path).unwrap(), Owner::default());
        assert_eq!(reader.all().unwrap().len(), 1);
    }
}
