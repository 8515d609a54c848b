//! A read view of a file tree: a stack of layers merged in user space, or a filtered directory of the host.
//!
//! ```text
//! tree::layers   what overlayfs would show for a stack of layer directories, without mounting anything
//! tree::host     a host directory read in place through a filter (the build context)
//! tree::resolve  symbolic links, followed inside the root
//! tree::select   which entries the sources of a COPY mean
//! tree::digest   the identity of what was selected
//! ```
//!
//! A `Tree` holds no descriptors and shows the disk as it is; it remembers nothing but which layers reach the root, and
//! what is at the top of finished ones. Snapshots never change, so their trees are stable; a host directory may change while it is read, which can give a mixed view of its
//! own files but never a file outside it.

pub(crate) mod digest;
pub(crate) mod host;
pub(crate) mod layers;
pub(crate) mod resolve;
pub(crate) mod select;

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::Arc;

use image::ImagePath;
use rustix::fs::{AtFlags, FileType, OFlags, StatxFlags};
use rustix::io::Errno;

use crate::confined::{ConfinedDirectory, is_absent};
use crate::error::{Attempt, StoreError};
use crate::metadata::{Attributes, Inode, Kind, Status, Timestamp};
use crate::overlay;
use crate::path::TreePath;
use crate::xattrs::{self, Xattrs};
use host::{Host, Keep};
use layers::Layers;

/// A read view of a file tree. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tree {
    source: Arc<Source>,
}

#[derive(Debug)]
enum Source {
    Layers(Layers),
    Host(Host),
}

/// One file, directory, link or device of a [`Tree`].
#[derive(Debug, Clone)]
pub struct Entry {
    tree: Tree,
    path: TreePath,
    node: Node,
}

/// What a look-up finds: the metadata, and which of the tree's directories show it, top first (several only for
/// a merged directory).
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    pub(crate) layers: Vec<usize>,
}

impl Tree {
    /// The union of layer directories, top first.
    pub(crate) fn layered(directories: Vec<ConfinedDirectory>) -> Self {
        Self { source: Arc::new(Source::Layers(Layers::new(directories))) }
    }

    /// The same tree, with nothing remembered.
    pub(crate) fn afresh(&self) -> Self {
        match &*self.source {
            Source::Layers(layers) => Self { source: Arc::new(Source::Layers(layers.afresh())) },
            Source::Host(_) => self.clone(),
        }
    }

    /// A directory of the host, read in place. `keep` says of each path below it whether the tree shows it; see
    /// [`Keep`]. Owners are shown as 0:0: who owns a file on the host is no part of a build context.
    pub fn host(
        directory: &Path,
        keep: impl Fn(&TreePath, bool) -> Keep + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let canonical = directory.canonicalize().attempt("open", directory)?;
        let host = Host::new(ConfinedDirectory::new(canonical), Box::new(keep));
        Ok(Self { source: Arc::new(Source::Host(host)) })
    }

    /// Whether it is a directory of the host and not part of the store.
    pub fn is_host(&self) -> bool {
        matches!(&*self.source, Source::Host(_))
    }

    /// The root directory.
    pub fn root(&self) -> Result<Entry, StoreError> {
        let node = match &*self.source {
            Source::Layers(layers) => layers.root()?,
            Source::Host(host) => host.root()?,
        };
        Ok(self.entry(TreePath::root(), node))
    }

    /// What lies at the path. Symbolic links on the way are followed inside the root; the last component only
    /// with `follow_last`. `None` when there is nothing, or something on the way is no directory.
    pub fn resolve(&self, path: &ImagePath, follow_last: bool) -> Result<Option<Entry>, StoreError> {
        Ok(resolve::resolve(&self.root()?, &TreePath::from(path), follow_last)?.into_entry())
    }

    /// What lies at the path, with no symbolic link followed anywhere.
    pub fn get(&self, path: &TreePath) -> Result<Option<Entry>, StoreError> {
        let mut entry = self.root()?;
        for name in path.components() {
            match self.child(&entry, name)? {
                Some(child) => entry = child,
                None => return Ok(None),
            }
        }
        Ok(Some(entry))
    }

    /// The entry of that name in a directory; `None` also when `directory` is none.
    pub fn child(&self, directory: &Entry, name: &OsStr) -> Result<Option<Entry>, StoreError> {
        if directory.node.kind != Kind::Directory {
            return Ok(None);
        }
        let node = self.lookup_in(&directory.path, &directory.node.layers, name)?;
        Ok(node.map(|node| self.entry(directory.path.join(name), node)))
    }

    /// As [`Tree::child`], with the directory's layers chosen by the caller.
    pub(crate) fn lookup_in(
        &self,
        directory: &TreePath,
        layers: &[usize],
        name: &OsStr,
    ) -> Result<Option<Node>, StoreError> {
        match &*self.source {
            Source::Layers(stack) => stack.lookup(directory, layers, name),
            Source::Host(host) => host.lookup(directory, name),
        }
    }

    /// The entries of a directory, sorted by name as bytes; none when `directory` is no directory.
    pub fn children(&self, directory: &Entry) -> Result<Vec<Entry>, StoreError> {
        if directory.node.kind != Kind::Directory {
            return Ok(Vec::new());
        }
        let found = match &*self.source {
            Source::Layers(layers) => layers.list(&directory.path, &directory.node.layers)?,
            Source::Host(host) => host.list(&directory.path)?,
        };
        Ok(found.into_iter().map(|(name, node)| self.entry(directory.path.join(&name), node)).collect())
    }

    /// Everything from an entry on, itself first, depth first, sorted by name as bytes.
    pub fn walk(&self, from: &Entry) -> Walk {
        Walk { pending: vec![from.clone()] }
    }

    /// The content of the regular file at the path, symbolic links followed; `None` when there is none.
    pub fn read(&self, path: &ImagePath) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(entry) = self.resolve(path, true)? else { return Ok(None) };
        if entry.node.kind != Kind::File {
            return Ok(None);
        }
        let mut content = Vec::new();
        entry.open()?.read_to_end(&mut content).attempt("read", entry.host_path())?;
        Ok(Some(content))
    }

    fn entry(&self, path: TreePath, node: Node) -> Entry {
        Entry { tree: self.clone(), path, node }
    }

    fn directory(&self, layer: usize) -> Option<&ConfinedDirectory> {
        match &*self.source {
            Source::Layers(layers) => layers.directory(layer),
            Source::Host(host) => Some(host.directory()),
        }
    }
}

impl Entry {
    /// Where it lies in its tree.
    pub fn path(&self) -> &TreePath {
        &self.path
    }

    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.node.kind
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.node.kind == Kind::Directory
    }

    /// Mode, owner and modification time.
    pub fn attributes(&self) -> Attributes {
        self.node.status.attributes
    }

    /// Permission bits with set-id and sticky bits, `0o7777` at most.
    pub fn mode(&self) -> u32 {
        self.node.status.attributes.mode
    }

    /// Time of last modification.
    pub fn mtime(&self) -> Timestamp {
        self.node.status.attributes.mtime
    }

    /// Bytes of a regular file, or of a symbolic link's target.
    pub fn size(&self) -> u64 {
        self.node.status.size
    }

    /// The file's identity, when it has several names (which need not all be in this tree).
    pub fn hard_link(&self) -> Option<Inode> {
        (self.node.status.links > 1 && !self.is_directory()).then_some(self.node.status.inode)
    }

    /// The tree it is part of.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Opens a regular file for reading.
    pub fn open(&self) -> Result<File, StoreError> {
        let Some(directory) = self.top_directory() else {
            return Err(StoreError::NotFound(self.path.clone()));
        };
        directory.open_file(&self.path).attempt("open", self.host_path())
    }

    /// The extended attributes that belong to an image: `user.*` and `security.capability`. Links, devices,
    /// pipes and sockets have none.
    pub fn xattrs(&self) -> Result<Xattrs, StoreError> {
        let flags = match self.node.kind {
            Kind::File => OFlags::RDONLY | OFlags::NONBLOCK,
            Kind::Directory => OFlags::RDONLY | OFlags::DIRECTORY,
            _ => return Ok(Xattrs::new()),
        };
        let Some(directory) = self.top_directory() else { return Ok(Xattrs::new()) };
        directory
            .open(&self.path, flags)
            .and_then(xattrs::portable)
            .attempt("read the extended attributes of", self.host_path())
    }

    /// As [`Entry::xattrs`], of a file that [`Entry::open`] has opened.
    pub(crate) fn xattrs_of(&self, file: impl AsFd) -> Result<Xattrs, StoreError> {
        xattrs::portable(file).attempt("read the extended attributes of", self.host_path())
    }

    /// Where it lies on the host, to be mounted: several places, top first, only for a directory that layers
    /// share; none for the root of scratch.
    pub fn host_paths(&self) -> Vec<std::path::PathBuf> {
        let directories = self.node.layers.iter().filter_map(|&layer| self.tree.directory(layer));
        directories.map(|directory| directory.host_path(&self.path)).collect()
    }

    /// Where it lies on the host; for messages.
    pub(crate) fn host_path(&self) -> std::path::PathBuf {
        self.top_directory().map_or_else(|| self.path.to_absolute(), |top| top.host_path(&self.path))
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    fn top_directory(&self) -> Option<&ConfinedDirectory> {
        self.tree.directory(*self.node.layers.first()?)
    }
}

/// Depth-first iterator of [`Tree::walk`].
#[derive(Debug)]
pub struct Walk {
    pending: Vec<Entry>,
}

impl Iterator for Walk {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.pending.pop()?;
        match entry.tree.children(&entry) {
            Ok(children) => self.pending.extend(children.into_iter().rev()),
            Err(error) => {
                self.pending.clear();
                return Some(Err(error));
            }
        }
        Some(Ok(entry))
    }
}

/// Looks at one name in a directory; `None` when there is no such name or no such directory.
pub(crate) fn observe_in(
    root: &ConfinedDirectory,
    parent: &TreePath,
    name: &OsStr,
) -> Result<Option<(Status, Kind)>, StoreError> {
    let observed = match root.open(parent, OFlags::PATH | OFlags::DIRECTORY) {
        Ok(directory) => observe(directory, Path::new(name)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    };
    observed.attempt("look up", root.host_path(parent).join(name))
}

/// Looks at one name in an open directory, without following it; `None` when there is nothing.
pub(crate) fn observe(directory: impl AsFd, name: &Path) -> std::io::Result<Option<(Status, Kind)>> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let mut status = match rustix::fs::statx(&directory, name, flags, StatxFlags::BASIC_STATS) {
        Ok(status) => Status::from(&status),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    if status.may_be_plain_whiteout() && overlay::is_plain_whiteout(&directory, name)? {
        status.become_whiteout();
    }
    let kind = match status.file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(&directory, name, Vec::new())?;
            Kind::Symlink(std::ffi::OsString::from_vec(target.into_bytes()))
        }
        FileType::Fifo => Kind::Fifo,
        FileType::CharacterDevice => Kind::CharDevice(status.device),
        FileType::BlockDevice => Kind::BlockDevice(status.device),
        FileType::Socket | FileType::Unknown => Kind::Socket,
    };
    Ok(Some((status, kind)))
}

/// The names in an open directory, without `.` and `..`, unsorted.
pub(crate) fn names(directory: &OwnedFd) -> std::io::Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(std::ffi::OsString::from_vec(name));
        }
    }
    Ok(names)
}
