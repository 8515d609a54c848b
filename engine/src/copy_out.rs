//! Files out of a tree to the host, by the rules of `docker cp`.
//!
//! ```text
//! source       destination      becomes
//! file         nothing          the file of that name, in a directory that is there
//! file         file             replaced
//! file         directory        a file in it, with its own name
//! directory    nothing          a directory of that name
//! directory    file             an error
//! directory    directory        a directory in it, with its own name; or with `/.` at the end, its content in it
//! ```
//!
//! The files belong to whoever copies them. A source that is a symbolic link is copied as one, unless it ends with a
//! slash or links are to be followed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use image::ImagePath;
use store::{Entry, Kind, StoreError, Tree, TreePath};

use crate::export::{OutputError, write_archive, write_entry};
use crate::request::Destination;

/// Why files could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source is not there.
    #[error("could not find {0}")]
    NotFound(String),
    /// The source ends with a slash and is no directory.
    #[error("{0} is not a directory")]
    NotADirectory(String),
    /// The source is a device or a socket.
    #[error("{0} is neither a file nor a directory nor a link")]
    Special(String),
    /// The destination, or the directory that it is to be in, is not there.
    #[error("no such directory: {}", .0.display())]
    NoDirectory(PathBuf),
    /// A directory cannot take the place of a file.
    #[error("cannot copy a directory to the file {}", .0.display())]
    DirectoryOntoFile(PathBuf),
    /// A file cannot take the place of a directory.
    #[error("cannot copy a file to the directory {}", .0.display())]
    FileOntoDirectory(PathBuf),
    /// Writing failed.
    #[error(transparent)]
    Output(Box<dyn std::error::Error + Send + Sync>),
    /// The tree could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<OutputError> for CopyError {
    fn from(error: OutputError) -> Self {
        Self::Output(Box::new(error))
    }
}

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySource {
    /// The path in the tree, from its root on. What it ends with counts: `/`, `/.`.
    pub path: String,
    /// Whether a link stands for what it leads to.
    pub follow_link: bool,
}

impl CopySource {
    fn find(&self, tree: &Tree) -> Result<Entry, CopyError> {
        let follow = self.follow_link || self.path.ends_with('/') || self.is_content();
        let entry = tree.resolve(&ImagePath::new(&self.path), follow)?;
        let entry = entry.ok_or_else(|| CopyError::NotFound(self.path.clone()))?;
        match entry.kind() {
            Kind::CharDevice(_) | Kind::BlockDevice(_) | Kind::Socket => {
                Err(CopyError::Special(self.path.clone()))
            }
            Kind::Directory => Ok(entry),
            _ if self.path.ends_with('/') || self.is_content() => {
                Err(CopyError::NotADirectory(self.path.clone()))
            }
            _ => Ok(entry),
        }
    }

    /// Whether it is what a directory has, and not the directory itself.
    fn is_content(&self) -> bool {
        self.path == "." || self.path.ends_with("/.")
    }

    /// What it is called inside another directory; none for what has no name there.
    fn name(&self) -> Option<&str> {
        let name = self.path.trim_end_matches('/').rsplit('/').next();
        name.filter(|name| !matches!(*name, "" | "." | ".."))
    }
}

/// Copies to a path of the host.
pub(crate) fn to_path(tree: &Tree, source: &CopySource, destination: &Path) -> Result<(), CopyError> {
    let entry = source.find(tree)?;
    // A link in place of the destination is the user's own, and followed.
    let found = fs::metadata(destination).ok();
    let target = match found {
        Some(found) if found.is_dir() => match source.name().filter(|_| !source.is_content()) {
            Some(name) => destination.join(name),
            None => destination.to_owned(),
        },
        Some(_) if entry.is_directory() => return Err(CopyError::DirectoryOntoFile(destination.to_owned())),
        None if !entry.is_directory() && ends_with_slash(destination) => {
            return Err(CopyError::NoDirectory(destination.to_owned()));
        }
        Some(_) | None => destination.to_owned(),
    };
    write(&entry, &target)
}

/// Copies what a step left to where the user wants to have it, time and again: the content of a directory goes into
/// the destination, and directories that are missing are made.
pub(crate) fn salvage(tree: &Tree, source: &CopySource, destination: &Path) -> Result<(), CopyError> {
    let entry = source.find(tree)?;
    let into = !entry.is_directory() && (destination.is_dir() || ends_with_slash(destination));
    let target = match source.name() {
        Some(name) if into => destination.join(name),
        _ => destination.to_owned(),
    };
    if let Some(parent) = target.parent() {
        let failed = |source| OutputError::Write { destination: parent.display().to_string(), source };
        fs::create_dir_all(parent).map_err(failed)?;
    }
    write(&entry, &target)
}

fn write(entry: &Entry, target: &Path) -> Result<(), CopyError> {
    match fs::symlink_metadata(target) {
        Ok(found) if found.is_dir() && !entry.is_directory() => {
            return Err(CopyError::FileOntoDirectory(target.to_owned()));
        }
        Ok(found) if found.is_file() && entry.is_directory() => {
            return Err(CopyError::DirectoryOntoFile(target.to_owned()));
        }
        Ok(_) => {}
        Err(_) => match target.parent() {
            Some(parent) if !parent.is_dir() => return Err(CopyError::NoDirectory(parent.to_owned())),
            _ => {}
        },
    }
    Ok(write_entry(entry, target)?)
}

/// Copies as an archive to standard output: under its own name, or for content without one.
pub(crate) fn to_archive(tree: &Tree, source: &CopySource) -> Result<(), CopyError> {
    let entry = source.find(tree)?;
    let name = match source.name() {
        Some(name) if !source.is_content() => TreePath::root().join(OsStr::new(name)),
        _ => TreePath::root(),
    };
    Ok(write_archive(&Destination::Stdout, |out| Ok(store::write_entry(&entry, &name, out)?))?)
}

fn ends_with_slash(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/")
}
