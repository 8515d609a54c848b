//! Writing into a layer directory as a process in the mounted overlay would.
//!
//! An [`Editor`] sees the union of the layer directory (the *upper*) and what lies below it, follows symbolic
//! links inside that root, and writes only to the upper:
//!
//! - a parent directory that exists only below is *copied up*: made again with its mode, owner, extended
//!   attributes and modification time;
//! - removing something that exists below leaves a whiteout, and a directory made in its place is opaque;
//! - the modification time of a directory changes only when somebody sets it, not because an entry was added.
//!   The times are restored at the end, by [`Editor::finish`].
//!
//! Paths are [`TreePath`]s: links in the parent are followed inside the root, the last component never is. The
//! parent must exist; see [`Editor::make_directory_all`].
//! `editor::place` decides where an entry goes, `editor::content` moves bytes.

mod content;
mod place;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use image::ImagePath;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid};

use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Attributes, Inode, Kind, Timestamp};
use crate::overlay::Privileges;
use crate::owners::{Links, Owner, Owners, Record, is_attributed};
use crate::path::TreePath;
use crate::tree::{Entry, Tree, observe, resolve};
use crate::xattrs::{self, Xattrs};
use place::Place;

/// Writes into a draft; see the module's text. Made by [`crate::Draft::editor`].
#[derive(Debug)]
pub struct Editor<'draft> {
    upper: ConfinedDirectory,
    /// The upper (layer 0) over what lies below.
    view: Tree,
    privileges: Privileges,
    /// Owners of what can hold no attribute in the upper, where owners are recorded.
    links: Links,
    /// The directory that was written to last: consecutive entries usually share it.
    last_place: Option<Arc<Place>>,
    /// The modification times that directories of the upper shall have in the end.
    directory_times: BTreeMap<TreePath, Timestamp>,
    /// Where files with several names were copied to, so that their other names become hard links.
    copied: HashMap<Inode, (TreePath, Attributes)>,
    draft: PhantomData<&'draft ()>,
}

/// What a path leads to.
#[derive(Debug)]
pub struct Resolved {
    /// The path without symbolic links; components that do not exist yet are at its end.
    pub path: TreePath,
    /// What is there, if anything.
    pub entry: Option<Entry>,
}

/// Whether [`Editor::make_directory`] had to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// The directory is new.
    New,
    /// It was there before and is untouched.
    Existing,
}

impl Editor<'_> {
    /// An editor over a directory that nobody else writes to.
    pub(crate) fn new(
        upper: ConfinedDirectory,
        below: impl IntoIterator<Item = ConfinedDirectory>,
        privileges: Privileges,
    ) -> Self {
        let view = Tree::layered(std::iter::once(upper.clone()).chain(below).collect());
        Self {
            links: Links::beside(upper.path()),
            upper,
            view,
            privileges,
            last_place: None,
            directory_times: BTreeMap::new(),
            copied: HashMap::new(),
            draft: PhantomData,
        }
    }

    /// Follows a path, the last component included, inside the root.
    pub fn resolve(&self, path: &ImagePath) -> Result<Resolved, StoreError> {
        self.resolve_in(&TreePath::root(), &TreePath::from(path), true)
    }

    /// What lies at the path in the union; links in the parent are followed, the last component is not.
    pub fn entry(&self, path: &TreePath) -> Result<Option<Entry>, StoreError> {
        Ok(self.resolve_in(&TreePath::root(), path, false)?.entry)
    }

    /// As [`Editor::resolve`], with the directory `root` taken for the root, as after `chroot(2)`.
    pub(crate) fn resolve_in(
        &self,
        root: &TreePath,
        path: &TreePath,
        follow_last: bool,
    ) -> Result<Resolved, StoreError> {
        let root = self.view.get(root)?.ok_or_else(|| StoreError::NotFound(root.clone()))?;
        let resolution = resolve::resolve(&root, path, follow_last)?;
        Ok(Resolved { path: resolution.path(), entry: resolution.into_entry() })
    }

    /// Makes a directory and all that are missing above it, each with `new`; what exists stays as it is.
    /// Symbolic links are followed, the last component included. Returns the path without links.
    pub fn make_directory_all(&mut self, path: &TreePath, new: &Attributes) -> Result<TreePath, StoreError> {
        let resolved = self.resolve_in(&TreePath::root(), path, true)?;
        if let Some(entry) = resolved.entry {
            return match entry.kind() {
                Kind::Directory => Ok(resolved.path),
                _ => Err(StoreError::NotADirectory(resolved.path)),
            };
        }
        let mut made = TreePath::root();
        for name in resolved.path.components() {
            made = made.join(name);
            self.make_directory(&made, new)?;
        }
        Ok(resolved.path)
    }

    /// Makes one directory in an existing one. A directory that exists is left as it is, anything else in its
    /// place is [`StoreError::NotADirectory`].
    pub fn make_directory(&mut self, path: &TreePath, attributes: &Attributes) -> Result<Made, StoreError> {
        let Some((parent, name)) = path.split_last() else { return Ok(Made::Existing) };
        let place = self.place(&parent)?;
        match self.present(&place, name)? {
            Some(Kind::Directory) => return Ok(Made::Existing),
            Some(_) => return Err(StoreError::NotADirectory(path.clone())),
            None => self.clear(&place, name)?,
        }
        let hides = self.kind_below(&place, name)? == Some(Kind::Directory);
        let made = place.path.join(name);
        let host_path = self.upper.host_path(&made);
        rustix::fs::mkdirat(&place.directory, name, Mode::from_raw_mode(0o700))
            .attempt("make", &host_path)?;
        let directory = self.upper.open_directory(&made).attempt("open", &host_path)?;
        if hides {
            self.privileges.mark_opaque(&directory).attempt("mark as opaque", &host_path)?;
        }
        self.set_owner_and_mode(&directory, attributes).attempt("set the attributes of", &host_path)?;
        self.directory_times.insert(made, attributes.mtime);
        Ok(Made::New)
    }

    /// Writes a regular file, in place of anything but a directory.
    pub fn write_file(
        &mut self,
        path: &TreePath,
        mut content: impl Read,
        attributes: &Attributes,
    ) -> Result<(), StoreError> {
        let fill = |mut file: &File| io::copy(&mut content, &mut file).map(drop);
        self.write_file_with(path, attributes, &Xattrs::new(), fill)
    }

    /// Copies one entry of any tree, content and extended attributes, in place of anything but a directory.
    ///
    /// A directory is copied without its entries; onto an existing directory it sets attributes and extended
    /// attributes. Files are cloned where the file system can, holes stay holes. Files that are hard links of
    /// each other and are copied with equal attributes by one editor become hard links again, until it is told to
    /// [forget](Editor::forget_hard_links) them. Sockets are left out.
    pub fn copy(&mut self, from: &Entry, to: &TreePath, attributes: &Attributes) -> Result<(), StoreError> {
        match from.kind() {
            Kind::File => self.copy_file(from, to, attributes),
            Kind::Directory => {
                let xattrs = from.xattrs()?;
                if self.make_directory(to, attributes)? == Made::Existing {
                    self.set_attributes(to, attributes)?;
                }
                self.set_xattrs(to, &xattrs)
            }
            Kind::Symlink(target) => self.symlink(to, target, attributes),
            Kind::Fifo | Kind::CharDevice(_) | Kind::BlockDevice(_) => self.node(to, from.kind(), attributes),
            Kind::Socket => Ok(()),
        }
    }

    /// What is copied from now on is no other name of what was copied before.
    pub fn forget_hard_links(&mut self) {
        self.copied.clear();
    }

    /// Makes a symbolic link, in place of anything but a directory.
    pub fn symlink(
        &mut self,
        path: &TreePath,
        target: &OsStr,
        attributes: &Attributes,
    ) -> Result<(), StoreError> {
        let (place, name) = self.vacate(path)?;
        let host_path = place.host_path.join(name);
        rustix::fs::symlinkat(target, &place.directory, name).attempt("make", &host_path)?;
        self.complete_by_name(path, attributes)
    }

    /// Makes a device, a named pipe or a socket that nobody listens on, in place of anything but a directory.
    pub fn node(&mut self, path: &TreePath, kind: &Kind, attributes: &Attributes) -> Result<(), StoreError> {
        let (file_type, device) = match kind {
            Kind::CharDevice(device) => {
                (FileType::CharacterDevice, rustix::fs::makedev(device.major, device.minor))
            }
            Kind::BlockDevice(device) => {
                (FileType::BlockDevice, rustix::fs::makedev(device.major, device.minor))
            }
            Kind::Fifo => (FileType::Fifo, 0),
            Kind::Socket => (FileType::Socket, 0),
            Kind::File | Kind::Directory | Kind::Symlink(_) => return Ok(()),
        };
        if self.privileges.owners == Owners::Recorded && is_attributed(kind) {
            return self.recorded_device(path, kind, attributes);
        }
        let (place, name) = self.vacate(path)?;
        let host_path = place.host_path.join(name);
        rustix::fs::mknodat(&place.directory, name, file_type, Mode::from_raw_mode(0o600), device)
            .attempt("make", &host_path)?;
        self.complete_by_name(path, attributes)
    }

    fn recorded_device(
        &mut self,
        path: &TreePath,
        kind: &Kind,
        attributes: &Attributes,
    ) -> Result<(), StoreError> {
        let (file, host_path) = self.create_file(path)?;
        let record = Record { owner: attributes.into(), device: Some(kind.clone()) };
        self.complete(&file, attributes, &Xattrs::new())
            .and_then(|()| record.set(&file))
            .attempt("set the attributes of", &host_path)
    }

    /// Gives a file a second name, in place of anything but a directory. A file that exists only below is
    /// copied up first.
    pub fn hard_link(&mut self, existing: &TreePath, path: &TreePath) -> Result<(), StoreError> {
        let existing = self.bring_up(existing)?;
        if self.resolve_in(&TreePath::root(), path, false)?.path == existing {
            return Ok(());
        }
        let (source_parent, source_name) = existing.split_last().ok_or(StoreError::RootReplaced)?;
        let source =
            self.upper.open_directory(&source_parent).attempt("open", self.upper.host_path(&existing))?;
        let (place, name) = self.vacate(path)?;
        let host_path = place.host_path.join(name);
        rustix::fs::linkat(source, source_name, &place.directory, name, AtFlags::empty())
            .attempt("link", &host_path)?;
        // What is recorded by path holds for one name only.
        match self.entry(&existing)? {
            Some(file) if self.privileges.owners == Owners::Recorded && !is_attributed(file.kind()) => {
                let owner = Owner::from(&file.attributes());
                self.links.set(&place.path.join(name), owner).attempt("record the owner of", host_path)
            }
            _ => Ok(()),
        }
    }

    /// Sets mode, owner and modification time of what exists; a file that exists only below is copied up.
    pub fn set_attributes(&mut self, path: &TreePath, attributes: &Attributes) -> Result<(), StoreError> {
        let path = self.bring_up(path)?;
        let host_path = self.upper.host_path(&path);
        if self.entry(&path)?.is_some_and(|entry| entry.is_directory()) {
            let directory = self.upper.open_directory(&path).attempt("open", &host_path)?;
            self.set_owner_and_mode(&directory, attributes).attempt("set the attributes of", &host_path)?;
            self.directory_times.insert(path, attributes.mtime);
            return Ok(());
        }
        self.complete_by_name(&path, attributes)
    }

    /// Sets extended attributes of an existing file or directory; those that no image carries are left out.
    pub fn set_xattrs(&mut self, path: &TreePath, xattrs: &Xattrs) -> Result<(), StoreError> {
        let portable: Xattrs = xattrs
            .iter()
            .filter(|(name, _)| xattrs::is_portable(name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        if portable.is_empty() {
            return Ok(());
        }
        let path = self.bring_up(path)?;
        let host_path = self.upper.host_path(&path);
        self.upper
            .open(&path, OFlags::RDONLY | OFlags::NONBLOCK)
            .and_then(|file| self.set_file_xattrs(file, &portable))
            .attempt("set the extended attributes of", host_path)
    }

    /// As [`Editor::node`], but a device that this process may not make is left out: in a user namespace nobody
    /// can make one, and images have them for no purpose there.
    pub(crate) fn node_if_allowed(
        &mut self,
        path: &TreePath,
        kind: &Kind,
        attributes: &Attributes,
    ) -> Result<(), StoreError> {
        match self.node(path, kind, attributes) {
            Err(StoreError::Io { source, path, .. })
                if !self.privileges.devices && source.kind() == io::ErrorKind::PermissionDenied =>
            {
                tracing::debug!(path = %path.display(), "a device was left out");
                Ok(())
            }
            other => other,
        }
    }

    /// Removes what lies at the path, with everything below it; nothing there is no error.
    pub fn remove(&mut self, path: &TreePath) -> Result<(), StoreError> {
        let (parent, name) = path.split_last().ok_or(StoreError::RootReplaced)?;
        if self.entry(path)?.is_none() {
            return Ok(());
        }
        let place = self.place(&parent)?;
        self.clear(&place, name)?;
        self.whiteout_if_below(&place, name)
    }

    /// Restores the modification times of the directories that were written to.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.restore_directory_times()
    }

    fn restore_directory_times(&mut self) -> Result<(), StoreError> {
        // Setting the time of a directory does not touch its parent, so any order does.
        for (path, mtime) in std::mem::take(&mut self.directory_times) {
            let host_path = self.upper.host_path(&path);
            self.upper
                .open_directory(&path)
                .and_then(|directory| Ok(rustix::fs::futimens(directory, &times(mtime))?))
                .attempt("set the modification time of", host_path)?;
        }
        Ok(())
    }

    /// Creates an empty file for writing, in place of anything but a directory.
    fn create_file(&mut self, path: &TreePath) -> Result<(File, std::path::PathBuf), StoreError> {
        let (place, name) = self.vacate(path)?;
        let host_path = place.host_path.join(name);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&place.directory, name, flags, Mode::from_raw_mode(0o600))
            .attempt("create", &host_path)?;
        Ok((File::from(file), host_path))
    }

    fn copy_file(&mut self, from: &Entry, to: &TreePath, attributes: &Attributes) -> Result<(), StoreError> {
        let identity = from.hard_link();
        if let Some((first, with)) = identity.and_then(|inode| self.copied.get(&inode)).cloned()
            && with == *attributes
            && self.entry(&first)?.is_some_and(|entry| *entry.kind() == Kind::File)
        {
            return self.hard_link(&first, to);
        }
        let source = from.open()?;
        let xattrs = from.xattrs_of(&source)?;
        let (file, host_path) = self.create_file(to)?;
        content::copy(&source, &file).attempt("copy to", &host_path)?;
        self.complete(&file, attributes, &xattrs).attempt("set the attributes of", &host_path)?;
        if let Some(inode) = identity {
            self.copied.insert(inode, (to.clone(), *attributes));
        }
        Ok(())
    }

    /// Writes a file with a caller's own way of filling it.
    pub(crate) fn write_file_with(
        &mut self,
        path: &TreePath,
        attributes: &Attributes,
        xattrs: &Xattrs,
        fill: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let (file, host_path) = self.create_file(path)?;
        fill(&file).attempt("write", &host_path)?;
        self.complete(&file, attributes, xattrs).attempt("set the attributes of", &host_path)
    }

    /// Owner, extended attributes, mode and time of a written file. The order matters: a change of owner drops
    /// file capabilities and set-id bits, everything touches the time.
    fn complete(&self, file: impl AsFd, attributes: &Attributes, xattrs: &Xattrs) -> io::Result<()> {
        self.set_owner(&file, attributes)?;
        self.set_file_xattrs(&file, xattrs)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(attributes.mode))?;
        rustix::fs::futimens(&file, &times(attributes.mtime))?;
        Ok(())
    }

    /// The same for what cannot be opened: links, devices, pipes (and files, where only attributes change).
    fn complete_by_name(&mut self, path: &TreePath, attributes: &Attributes) -> Result<(), StoreError> {
        let (parent, name) = path.split_last().ok_or(StoreError::RootReplaced)?;
        let place = self.place(&parent)?;
        let set = || -> io::Result<()> {
            let (directory, flags) = (&place.directory, AtFlags::SYMLINK_NOFOLLOW);
            let Some((status, kind)) = observe(directory, Path::new(name))? else {
                return Err(io::ErrorKind::NotFound.into());
            };
            // Even a change of owner that changes nothing drops a file's capabilities.
            if self.privileges.owners == Owners::Recorded {
                self.record_by_name(&place, name, &kind, attributes)?;
            } else if (status.attributes.uid, status.attributes.gid) != (attributes.uid, attributes.gid) {
                let (uid, gid) = owner(attributes);
                rustix::fs::chownat(directory, name, uid, gid, flags)?;
            }
            if !matches!(kind, Kind::Symlink(_)) {
                let mode = Mode::from_raw_mode(attributes.mode);
                rustix::fs::chmodat(directory, name, mode, AtFlags::empty())?;
            }
            rustix::fs::utimensat(directory, name, &times(attributes.mtime), flags)?;
            Ok(())
        };
        set().attempt("set the attributes of", place.host_path.join(name))
    }

    fn set_owner_and_mode(&self, directory: &OwnedFd, attributes: &Attributes) -> io::Result<()> {
        self.set_owner(directory, attributes)?;
        rustix::fs::fchmod(directory, Mode::from_raw_mode(attributes.mode))?;
        Ok(())
    }

    /// Where files belong to one user, that user may lack the right to set file capabilities.
    fn set_file_xattrs(&self, file: impl AsFd, xattrs: &Xattrs) -> io::Result<()> {
        match xattrs::set(file, xattrs) {
            Err(error)
                if self.privileges.owners == Owners::Recorded
                    && error.kind() == io::ErrorKind::PermissionDenied =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// Gives an open file or directory to its owner.
    fn set_owner(&self, file: impl AsFd, attributes: &Attributes) -> io::Result<()> {
        match self.privileges.owners {
            Owners::Exact => {
                let (uid, gid) = owner(attributes);
                Ok(rustix::fs::fchown(file, uid, gid)?)
            }
            Owners::Recorded => Record::from(Owner::from(attributes)).set(file),
        }
    }

    /// Records the owner of what lies in a directory of the upper.
    fn record_by_name(
        &self,
        place: &Place,
        name: &OsStr,
        kind: &Kind,
        attributes: &Attributes,
    ) -> io::Result<()> {
        let owner = Owner::from(attributes);
        if !is_attributed(kind) {
            return self.links.set(&place.path.join(name), owner);
        }
        let directory = &place.directory;
        let device = Record::of_name(directory, Path::new(name))?.and_then(|record| record.device);
        Record { owner, device }.set_in(directory, Path::new(name))
    }
}

/// Owner and group for `chown(2)`.
fn owner(attributes: &Attributes) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid)))
}

/// Modification time for `utimensat(2)`. The access time is the same: it reaches no layer.
fn times(mtime: Timestamp) -> Timestamps {
    let time = Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// What `finish` was not called for is restored at the end; a failure is only traced.
impl Drop for Editor<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.restore_directory_times() {
            tracing::debug!(%error, "directory times were not restored");
        }
    }
}
