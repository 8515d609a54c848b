//! Walking a layer directory, or a tree, in the order of its archive.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use super::archive::{ArchiveEntry, ArchiveWriter, Body};
use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Attributes, Inode, Kind, Status, Timestamp};
use crate::overlay;
use crate::path::TreePath;
use crate::tree::layers::Layers;
use crate::tree::{Entry, Tree, names};
use crate::xattrs::{self, Xattrs};

/// Whiteouts carry nothing but their name.
const WHITEOUT: Attributes =
    Attributes { mode: 0, uid: 0, gid: 0, mtime: Timestamp { seconds: 0, nanoseconds: 0 } };

/// The modification times in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// As the files have them.
    Kept,
    /// All zero: to compare what two layers hold.
    Zero,
}

/// Writes the archive of one layer directory.
pub(super) fn write(
    layer: &ConfinedDirectory,
    root_entry: bool,
    times: Times,
    out: impl Write,
) -> Result<(), StoreError> {
    let mut packer = Packer {
        layer: layer.clone(),
        view: Layers::new(vec![layer.clone()]),
        archive: ArchiveWriter::new(out),
        links: HashMap::new(),
        times,
    };
    packer.directory(&TreePath::root(), root_entry)?;
    packer.finish()
}

/// Writes the archive of whole trees, each below its place. A tree in the root has no entry for its own root:
/// unpacking must not change the directory unpacked into.
pub(super) fn write_trees(trees: &[(TreePath, Tree)], out: impl Write) -> Result<(), StoreError> {
    let mut archive = ArchiveWriter::new(out);
    for (place, tree) in trees {
        write_below(&tree.root()?, place, &mut archive)?;
    }
    archive.finish().attempt("end the archive of", "/")?;
    Ok(())
}

/// Writes the archive of one entry of a tree, with everything below it, under another name.
pub(super) fn write_entry(entry: &Entry, name: &TreePath, out: impl Write) -> Result<(), StoreError> {
    let mut archive = ArchiveWriter::new(out);
    write_below(entry, name, &mut archive)?;
    archive.finish().attempt("end the archive of", entry.host_path())?;
    Ok(())
}

fn write_below<W: Write>(
    from: &Entry,
    place: &TreePath,
    archive: &mut ArchiveWriter<W>,
) -> Result<(), StoreError> {
    let mut links: HashMap<Inode, TreePath> = HashMap::new();
    for entry in from.tree().walk(from) {
        let entry = entry?;
        let below = entry.path().strip_prefix(from.path()).unwrap_or_default();
        let path = place.join_path(&below);
        if path.is_root() {
            continue;
        }
        let first = entry.hard_link().and_then(|inode| links.get(&inode));
        let body = match first {
            Some(first) => Some(Body::HardLink { target: first.as_bytes() }),
            None => Body::of(entry.kind(), entry.size()),
        };
        let Some(body) = body else { continue };
        let file = matches!(body, Body::File { .. }).then(|| entry.open()).transpose()?;
        let xattrs = match &file {
            Some(file) => entry.xattrs_of(file)?,
            None if first.is_some() => Xattrs::new(),
            None => entry.xattrs()?,
        };
        let name = archive_name(&path, entry.is_directory());
        let header = ArchiveEntry { name, body, attributes: entry.attributes(), xattrs: &xattrs };
        archive.header(&header).attempt("write the archive entry of", entry.host_path())?;
        if let Some(file) = file {
            archive.content(file, entry.size()).attempt("archive", entry.host_path())?;
        }
        if let Some(inode) = entry.hard_link() {
            links.entry(inode).or_insert(path);
        }
    }
    Ok(())
}

/// Bytes of the regular files in a layer directory; those with several names count once.
pub(super) fn size(directory: &ConfinedDirectory) -> Result<u64, StoreError> {
    let tree = Tree::layered(vec![directory.clone()]);
    let mut counted = std::collections::HashSet::new();
    let mut size = 0;
    for entry in tree.walk(&tree.root()?) {
        let entry = entry?;
        let is_new = entry.hard_link().is_none_or(|inode| counted.insert(inode));
        if *entry.kind() == Kind::File && is_new {
            size += entry.size();
        }
    }
    Ok(size)
}

struct Packer<W> {
    layer: ConfinedDirectory,
    /// The layer alone, for looking at names.
    view: Layers,
    archive: ArchiveWriter<W>,
    /// First path of each file with several names.
    links: HashMap<Inode, TreePath>,
    times: Times,
}

impl<W: Write> Packer<W> {
    fn finish(self) -> Result<(), StoreError> {
        self.archive.finish().attempt("end the archive of", self.layer.path())?;
        Ok(())
    }

    /// Writes a directory and what is in it.
    fn directory(&mut self, path: &TreePath, with_entry: bool) -> Result<(), StoreError> {
        let host_path = self.layer.host_path(path);
        let place = self.layer.open_directory(path).attempt("open", &host_path)?;
        if with_entry {
            let found = self.view.observe_directory(0, &place, path)?;
            let Some((status, _)) = found else { return Err(StoreError::NotFound(path.clone())) };
            let xattrs = self.xattrs(&place, path)?;
            self.entry(path, Body::Directory, status.attributes, &xattrs)?;
        }
        if overlay::is_opaque(&place).attempt("read the extended attributes of", &host_path)? {
            self.marker(path, b".wh..opq")?;
        }
        let mut names = names(&place).attempt("list", &host_path)?;
        names.sort();
        for name in names {
            let found = self.view.observe(0, &place, path, &name)?;
            let Some((status, kind)) = found else { continue };
            let child = path.join(&name);
            if status.is_whiteout() {
                self.marker(path, name.as_bytes())?;
            } else if kind == Kind::Directory {
                self.directory(&child, true)?;
            } else {
                self.other(&child, &status, &kind)?;
            }
        }
        Ok(())
    }

    /// A name that says something about another: `.wh.` and `about`, an empty file.
    fn marker(&mut self, parent: &TreePath, about: &[u8]) -> Result<(), StoreError> {
        let name = [b".wh.", about].concat();
        let path = parent.join(std::ffi::OsStr::from_bytes(&name));
        self.entry(&path, Body::File { size: 0 }, WHITEOUT, &Xattrs::new())
    }

    fn other(&mut self, path: &TreePath, status: &Status, kind: &Kind) -> Result<(), StoreError> {
        if status.links > 1 {
            if let Some(first) = self.links.get(&status.inode).cloned() {
                let body = Body::HardLink { target: first.as_bytes() };
                return self.entry(path, body, status.attributes, &Xattrs::new());
            }
            self.links.insert(status.inode, path.clone());
        }
        if *kind != Kind::File {
            let Some(body) = Body::of(kind, 0) else { return Ok(()) };
            return self.entry(path, body, status.attributes, &Xattrs::new());
        }
        let host_path = self.layer.host_path(path);
        let file = self.layer.open_file(path).attempt("open", &host_path)?;
        let xattrs = self.xattrs(&file, path)?;
        self.entry(path, Body::File { size: status.size }, status.attributes, &xattrs)?;
        self.archive.content(file, status.size).attempt("archive", host_path)
    }

    fn entry(
        &mut self,
        path: &TreePath,
        body: Body<'_>,
        attributes: Attributes,
        xattrs: &Xattrs,
    ) -> Result<(), StoreError> {
        let name = archive_name(path, matches!(body, Body::Directory));
        let mtime = match self.times {
            Times::Kept => attributes.mtime,
            Times::Zero => Timestamp::default(),
        };
        let attributes = Attributes { mtime, ..attributes };
        self.archive
            .header(&ArchiveEntry { name, body, attributes, xattrs })
            .attempt("write the archive entry of", self.layer.host_path(path))
    }

    /// The attributes that belong to an image. Refuses files whose content overlayfs keeps elsewhere.
    fn xattrs(&self, file: impl std::os::fd::AsFd, path: &TreePath) -> Result<Xattrs, StoreError> {
        let attempt = "read the extended attributes of";
        let names = xattrs::names(&file).attempt(attempt, self.layer.host_path(path))?;
        if let Some(xattr) = overlay::unsupported_xattr(&names) {
            let xattr = xattr.to_string_lossy().into_owned();
            return Err(StoreError::UnsupportedLayer { path: self.layer.host_path(path), xattr });
        }
        xattrs::portable_of(&file, names).attempt(attempt, self.layer.host_path(path))
    }
}

fn archive_name(path: &TreePath, is_directory: bool) -> Vec<u8> {
    let mut name = if path.is_root() { b".".to_vec() } else { path.as_bytes().to_vec() };
    if is_directory {
        name.push(b'/');
    }
    name
}
