//! `type=local`: the root filesystem as files of the host.
//!
//! The files belong to whoever runs the build; modes, times, links and pipes are kept. Devices and
//! sockets are left out: they mean nothing outside of a container. What is there already stays,
//! unless something of the image has its name. No symbolic link in the destination is followed, so
//! nothing is written outside of it, whatever the image holds.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps};
use store::{Entry, Inode, Kind, Snapshot, Timestamp};

use crate::export::output::OutputError;

/// Writes the merged tree of a snapshot below a directory, which is made if it is missing.
pub(crate) fn write(root: &Snapshot, destination: &Path) -> Result<(), OutputError> {
    let failed = |source| OutputError::Write { destination: destination.display().to_string(), source };
    fs::create_dir_all(destination).map_err(failed)?;
    write_entry(&root.tree().root()?, destination)
}

/// Writes an entry of a tree under that name. A directory is made if it is missing, and otherwise keeps its
/// attributes, and whatever it has besides.
pub(crate) fn write_entry(from: &Entry, destination: &Path) -> Result<(), OutputError> {
    let failed = |path: &Path| {
        let destination = path.display().to_string();
        move |source| OutputError::Write { destination, source }
    };
    let is_new = !destination.is_dir();
    let mut files = HashMap::new();
    let mut directories = Vec::new();
    for entry in from.tree().walk(from) {
        let entry = entry?;
        let path = match entry.path().strip_prefix(from.path()) {
            Some(below) if !below.is_root() => {
                let relative = below.to_absolute();
                destination.join(relative.strip_prefix("/").unwrap_or(&relative))
            }
            _ if entry.is_directory() && !is_new => continue,
            _ => destination.to_owned(),
        };
        match entry.kind() {
            Kind::Directory => {
                make_directory(&path).map_err(failed(&path))?;
                directories.push((path, entry.mode(), entry.mtime()));
            }
            Kind::File => write_file(&entry, &path, &mut files)?,
            Kind::Symlink(target) => {
                replace(&path, |temporary| std::os::unix::fs::symlink(target, temporary))
                    .and_then(|()| set_time(&path, entry.mtime()))
                    .map_err(failed(&path))?;
            }
            Kind::Fifo => {
                let make = |temporary: &Path| {
                    let mode = Mode::from_raw_mode(entry.mode());
                    Ok(rustix::fs::mknodat(CWD, temporary, FileType::Fifo, mode, 0)?)
                };
                replace(&path, make).and_then(|()| set_time(&path, entry.mtime())).map_err(failed(&path))?;
            }
            Kind::CharDevice(_) | Kind::BlockDevice(_) | Kind::Socket => {}
        }
    }
    // Deepest first: writing into a directory changes its time, and may need its write permission.
    for (path, mode, time) in directories.into_iter().rev() {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .and_then(|()| set_time(&path, time))
            .map_err(failed(&path))?;
    }
    Ok(())
}

fn write_file(entry: &Entry, path: &Path, files: &mut HashMap<Inode, PathBuf>) -> Result<(), OutputError> {
    let failed = |source| OutputError::Write { destination: path.display().to_string(), source };
    if let Some(first) = entry.hard_link().and_then(|inode| files.get(&inode)) {
        return replace(path, |temporary| fs::hard_link(first, temporary)).map_err(failed);
    }
    let mut content = entry.open()?;
    replace(path, |temporary| {
        let mut file = File::create_new(temporary)?;
        io::copy(&mut content, &mut file)?;
        file.set_permissions(fs::Permissions::from_mode(entry.mode()))
    })
    .and_then(|()| set_time(path, entry.mtime()))
    .map_err(failed)?;
    if let Some(inode) = entry.hard_link() {
        files.insert(inode, path.to_owned());
    }
    Ok(())
}

/// Makes something under a temporary name, which nothing in the image or the directory has, and then gives it the
/// name of what it replaces.
fn replace(path: &Path, mut make: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    let made =
        tempfile::Builder::new().prefix(".incomplete-").make_in(directory, |temporary| make(temporary))?;
    if is_directory(path)? {
        fs::remove_dir_all(path)?;
    }
    made.into_temp_path().persist(path).map_err(|error| error.error)
}

fn make_directory(path: &Path) -> io::Result<()> {
    if is_directory(path)? {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir(path),
    }
}

/// Whether a directory, and no link to one, is there.
fn is_directory(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn set_time(path: &Path, time: Timestamp) -> io::Result<()> {
    let time = Timespec { tv_sec: time.seconds, tv_nsec: i64::from(time.nanoseconds) };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
