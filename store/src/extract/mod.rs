//! Extracting archives through an [`Editor`], which keeps every path inside the root.
//!
//! Entries are applied in order, so the last of several with one name wins. A directory onto a directory merges,
//! anything else replaces what was there. Missing parents are made with mode 0755 and root as owner; parents that
//! are symbolic links are followed inside the root. Names and hard link targets are cleaned lexically (a leading
//! slash is dropped, as tar does); one that would climb above the root is an error, and so is a hard link to
//! something that is not there.
//!
//! `extract::header` reads one entry's header, `extract::sparse` its content when that has holes.

mod header;
mod sparse;

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use crate::decompress::decompress;
use crate::editor::{Editor, Made};
use crate::error::{ArchiveProblem, StoreError};
use crate::metadata::{Attributes, Kind};
use crate::path::TreePath;
use crate::xattrs::Xattrs;
use header::{Header, What};
use sparse::Content;

/// What an archive is extracted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A layer of an image: `.wh.` names delete, the root's entry sets the root's attributes.
    Layer,
    /// A whole file tree: the root's entry sets the root's attributes.
    Tree,
    /// `ADD`: files for a directory that exists in its own right.
    Add,
}

/// Made for files and directories that a layer or an archive only implies.
const IMPLIED_DIRECTORY_MODE: u32 = 0o755;

/// The prefix of names that delete, and of aufs's own files in layers.
const WHITEOUT: &[u8] = b".wh.";
const AUFS: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

impl Editor<'_> {
    /// Extracts a tar archive, in any known compression, below an existing directory, as `ADD` does: whiteout
    /// names mean nothing, an entry for the directory itself is passed over. `owner` replaces the owners in the
    /// archive.
    pub fn extract(
        &mut self,
        archive: impl Read,
        destination: &TreePath,
        owner: Option<(u32, u32)>,
    ) -> Result<(), StoreError> {
        let archive = decompress(archive).map_err(StoreError::ArchiveRead)?;
        Extraction { editor: self, destination: destination.clone(), owner, purpose: Purpose::Add }
            .run(archive)
    }

    /// Extracts an uncompressed archive onto the root.
    pub(crate) fn extract_root(&mut self, archive: impl Read, purpose: Purpose) -> Result<(), StoreError> {
        Extraction { editor: self, destination: TreePath::root(), owner: None, purpose }.run(archive)
    }
}

struct Extraction<'e, 'draft> {
    editor: &'e mut Editor<'draft>,
    destination: TreePath,
    owner: Option<(u32, u32)>,
    purpose: Purpose,
}

impl Extraction<'_, '_> {
    /// Applies all entries and reads the stream to its end, so that it can be hashed.
    fn run(mut self, mut stream: impl Read) -> Result<(), StoreError> {
        let mut archive = tar::Archive::new(&mut stream);
        for entry in archive.entries().map_err(StoreError::ArchiveRead)? {
            let mut entry = entry.map_err(StoreError::ArchiveRead)?;
            if entry.header().entry_type().is_pax_global_extensions() {
                continue;
            }
            let header = Header::read(&mut entry)?;
            self.apply(&header, &mut entry)?;
        }
        io::copy(&mut stream, &mut io::sink()).map_err(StoreError::ArchiveRead)?;
        Ok(())
    }

    fn apply(&mut self, header: &Header, content: &mut impl Read) -> Result<(), StoreError> {
        let inside = TreePath::clean(&header.name).ok_or_else(|| header.problem(ArchiveProblem::Outside))?;
        let path = self.destination.join_path(&inside);
        let attributes = self.attributes(header);
        if inside.is_root() {
            return self.apply_root(header, &path, &attributes);
        }
        self.make_parent(&path, &attributes)?;
        if self.purpose == Purpose::Layer && self.apply_whiteout(header, &path)? {
            return Ok(());
        }
        match &header.what {
            What::Directory => self.directory(&path, &attributes, &header.xattrs),
            What::File(layout) => {
                self.remove_directory(&path)?;
                let content = Content::new(content, layout, header)?;
                self.editor.write_file_with(&path, &attributes, &header.xattrs, |file| content.write_to(file))
            }
            What::HardLink(target) => self.hard_link(header, target, &path, &attributes),
            What::Symlink(target) => {
                self.remove_directory(&path)?;
                self.editor.symlink(&path, OsStr::from_bytes(target), &attributes)
            }
            What::Node(kind) => {
                self.remove_directory(&path)?;
                self.editor.node_if_allowed(&path, kind, &attributes)
            }
        }
    }

    fn attributes(&self, header: &Header) -> Attributes {
        match self.owner {
            Some((uid, gid)) => Attributes { uid, gid, ..header.attributes },
            None => header.attributes,
        }
    }

    fn apply_root(
        &mut self,
        header: &Header,
        path: &TreePath,
        attributes: &Attributes,
    ) -> Result<(), StoreError> {
        match (&header.what, self.purpose) {
            (What::Directory, Purpose::Add) => Ok(()),
            (What::Directory, Purpose::Layer | Purpose::Tree) => {
                self.editor.set_attributes(path, attributes)?;
                self.editor.set_xattrs(path, &header.xattrs)
            }
            _ => Err(header.problem(ArchiveProblem::ReplacesRoot)),
        }
    }

    fn make_parent(&mut self, path: &TreePath, attributes: &Attributes) -> Result<(), StoreError> {
        let Some(parent) = path.parent() else { return Ok(()) };
        if self.editor.is_last_place(&parent) {
            return Ok(());
        }
        // An owner that replaces those in the archive is for what the archive has.
        let implied = Attributes { mode: IMPLIED_DIRECTORY_MODE, uid: 0, gid: 0, mtime: attributes.mtime };
        match self.editor.make_directory_all(&parent, &implied) {
            // A file where the archive has a directory, and no entry for that directory: the file gives way.
            Err(StoreError::NotADirectory(obstacle)) => {
                self.editor.remove(&obstacle)?;
                self.editor.make_directory_all(&parent, &implied).map(drop)
            }
            made => made.map(drop),
        }
    }

    /// Whether the entry was a whiteout or one of aufs's own files, and has been dealt with.
    fn apply_whiteout(&mut self, header: &Header, path: &TreePath) -> Result<bool, StoreError> {
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return Ok(false) };
        let name = name.as_bytes();
        if name == OPAQUE {
            self.editor.hide_below(&parent)?;
        } else if let Some(deleted) = name.strip_prefix(WHITEOUT) {
            if matches!(deleted, b"" | b"." | b"..") {
                return Err(header.problem(ArchiveProblem::BadWhiteout));
            }
            if !name.starts_with(AUFS) {
                self.editor.whiteout(&parent.join(OsStr::from_bytes(deleted)))?;
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn directory(
        &mut self,
        path: &TreePath,
        attributes: &Attributes,
        xattrs: &Xattrs,
    ) -> Result<(), StoreError> {
        if self.editor.kind_at(path)?.is_some_and(|kind| kind != Kind::Directory) {
            self.editor.remove(path)?;
        }
        if self.editor.make_directory(path, attributes)? == Made::Existing {
            self.editor.set_attributes(path, attributes)?;
        }
        self.editor.set_xattrs(path, xattrs)
    }

    /// A further name for a file. What its entry says of mode, owner and time counts for the file, as it does for
    /// containerd; it is the same, but for archives that somebody made up.
    fn hard_link(
        &mut self,
        header: &Header,
        target: &[u8],
        path: &TreePath,
        attributes: &Attributes,
    ) -> Result<(), StoreError> {
        let target = TreePath::clean(target).ok_or_else(|| header.problem(ArchiveProblem::LinkOutside))?;
        let target = self.destination.join_path(&target);
        match self.editor.entry(&target)? {
            None => return Err(header.problem(ArchiveProblem::LinkTargetMissing)),
            Some(entry) if entry.is_directory() => {
                return Err(header.problem(ArchiveProblem::LinkToDirectory));
            }
            Some(_) => {}
        }
        self.remove_directory(path)?;
        // Removing may have taken the target with it: `dir` replaced by a link to `dir/file`.
        let Some(file) = self.editor.entry(&target)? else {
            return Err(header.problem(ArchiveProblem::LinkTargetMissing));
        };
        self.editor.hard_link(&target, path)?;
        // A change of owner that changes nothing would take the file's capabilities all the same.
        if file.attributes() != *attributes && !matches!(file.kind(), Kind::Symlink(_)) {
            self.editor.set_attributes(path, attributes)?;
        }
        Ok(())
    }

    fn remove_directory(&mut self, path: &TreePath) -> Result<(), StoreError> {
        if self.editor.kind_at(path)? == Some(Kind::Directory) {
            self.editor.remove(path)?;
        }
        Ok(())
    }
}
