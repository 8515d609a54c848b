//! `COPY` and `ADD`: the rules by which sources land in a tree.
//!
//! They are those of BuildKit's copier, quirks included, because layers are compared byte by byte:
//!
//! - The destination is cleaned first, then its links are followed inside the root. With a trailing
//!   slash (or when it is an existing directory) a file lands in it under its own name; without, the
//!   destination is the file. The content of a directory is merged into the destination.
//! - Directories that have to be made for the destination itself get the owner of `--chown` (else
//!   root) and the bits of an octal `--chmod` (else 0755), not those of the source directory.
//! - Below the top, a directory that exists takes mode, owner and attributes of the source directory.
//!   The top one keeps them and takes only the modification time, so that copying the same directory
//!   again gives the same layer.
//! - A directory never replaces something else (`cannot copy to non-directory`), and nothing else
//!   replaces a directory.
//! - `--exclude` speaks of paths below the source; what is named as source itself is never excluded.
//! - With `--parents` (and below a directory that is excluded in part) a directory is made at the
//!   moment in which something in it is copied.
//!
//! `--link` needs no rule: the planner lets such a copy land on the empty tree and merges its layer.

use std::ffi::OsStr;

use graph::file::{Copy, CopySource, ModeChange, Unpack};
use image::ImagePath;
use store::{Attributes, Editor, Entry, Kind, Snapshot, Store, Timestamp, TreePath};

use crate::file::error::FileError;
use crate::file::ownership::{self, Ownership};
use crate::file::sources::{self, Filter, Source, Verdict};
use crate::output::Output;

/// Carries out one `COPY` or `ADD` on the tree `base`.
pub(crate) fn run(
    store: &Store,
    operation: &Copy,
    base: &Snapshot,
    inputs: &[Output],
) -> Result<Snapshot, FileError> {
    let owner = ownership::lookup(&base.tree(), operation.owner.as_ref())?;
    let draft = store.draft(base)?;
    let copier = Copier {
        editor: draft.editor(),
        operation,
        owner,
        now: Timestamp::now(),
        filter: Filter::default(),
        trail: Vec::new(),
    };
    copier.run(inputs)?;
    Ok(draft.commit()?)
}

struct Copier<'d> {
    editor: Editor<'d>,
    operation: &'d Copy,
    owner: Option<Ownership>,
    /// The modification time of what has no source: made directories, inline files.
    now: Timestamp,
    /// What below the source at hand is copied.
    filter: Filter,
    /// The source directories from the top to where the walk is.
    trail: Vec<Step>,
}

/// A directory of the source on the way to what is copied now.
struct Step {
    source: Entry,
    target: TreePath,
    /// Whether the directory was made in the destination, or is there as it shall be.
    made: bool,
}

impl Copier<'_> {
    /// Copies all sources, in order.
    fn run(mut self, inputs: &[Output]) -> Result<(), FileError> {
        for source in &self.operation.sources {
            match source {
                CopySource::Inline { name, content } => self.inline(name, content)?,
                CopySource::Tree { input, pattern, unpack } => {
                    let from = inputs.get(input.0).ok_or(FileError::NoInput(*input))?;
                    self.filter = Filter::new(self.operation, pattern)?;
                    for source in sources::select(from, pattern, self.operation.parents)? {
                        if self.operation.parents {
                            sources::check_links(from, &source.entry, &self.filter)?;
                        }
                        self.source(&source, *unpack)?;
                    }
                }
            }
        }
        Ok(self.editor.finish()?)
    }

    /// A file whose text is in the Dockerfile.
    fn inline(&mut self, name: &str, content: &str) -> Result<(), FileError> {
        let target = self.place(Shape::Other, Some(OsStr::new(name)))?;
        let source = Attributes { mode: 0o644, uid: 0, gid: 0, mtime: self.now };
        let attributes = self.attributes(source, &Kind::File);
        self.refuse_directory(&target)?;
        Ok(self.editor.write_file(&target, content.as_bytes(), &attributes)?)
    }

    fn source(&mut self, source: &Source, unpack: Unpack) -> Result<(), FileError> {
        let entry = &source.entry;
        // Each source is copied for itself, as in BuildKit: hard links are kept inside of one.
        self.editor.forget_hard_links();
        if unpack == Unpack::Archives && *entry.kind() == Kind::File && store::is_archive(entry.open()?) {
            return self.unpack(entry);
        }
        let shape = if entry.is_directory() { Shape::Directory } else { Shape::Other };
        let target = self.place(shape, source.name.as_deref())?;
        if entry.is_directory() {
            self.directory(entry, &TreePath::root(), &target)
        } else {
            self.other(entry, &target)
        }
    }

    /// Unpacks an archive into the destination, which becomes a directory even without a slash.
    fn unpack(&mut self, archive: &Entry) -> Result<(), FileError> {
        let directory = self.editor.resolve(&self.operation.destination.path)?.path;
        let attributes = Attributes { mode: 0o755, ..self.made_for_destination() };
        self.make_all(&directory, &attributes)?;
        let owner = self.owner.map(|owner| (owner.uid, owner.gid));
        Ok(self.editor.extract(archive.open()?, &directory, owner)?)
    }

    /// Where a source lands. Makes the directories that lead there.
    fn place(&mut self, source: Shape, name: Option<&OsStr>) -> Result<TreePath, FileError> {
        let destination = &self.operation.destination;
        let attributes = self.made_for_destination();
        let ensured = if destination.is_directory {
            destination.path.clone()
        } else {
            destination.path.parent().unwrap_or_else(ImagePath::root)
        };
        let ensured = self.editor.resolve(&ensured)?.path;
        self.make_all(&ensured, &attributes)?;

        let resolved = self.editor.resolve(&destination.path)?;
        let existing_directory = resolved.entry.as_ref().is_some_and(Entry::is_directory);
        let target = match (source, name) {
            (Shape::Other, Some(name)) if existing_directory => resolved.path.join(name),
            _ => resolved.path,
        };
        if source == Shape::Directory && resolved.entry.is_none() {
            self.make_all(&target, &attributes)?;
        } else if let Some(parent) = target.parent() {
            self.make_all(&parent, &attributes)?;
        }
        Ok(target)
    }

    fn make_all(&mut self, path: &TreePath, attributes: &Attributes) -> Result<(), FileError> {
        self.editor.make_directory_all(path, attributes).map(drop).map_err(FileError::from_make_directory)
    }

    /// Attributes of the directories that the destination needs and that have no source.
    fn made_for_destination(&self) -> Attributes {
        let mode = match self.operation.mode {
            Some(ModeChange::Octal(bits)) => bits & 0o777,
            _ => 0o755,
        };
        let owner = self.owner.unwrap_or_default();
        Attributes { mode, uid: owner.uid, gid: owner.gid, mtime: self.now }
    }

    /// What a copy of something with the attributes `source` gets.
    fn attributes(&self, source: Attributes, kind: &Kind) -> Attributes {
        let owner = self.owner.unwrap_or(Ownership { uid: source.uid, gid: source.gid });
        let mode = match &self.operation.mode {
            Some(change) if !matches!(kind, Kind::Symlink(_)) => {
                change.apply(source.mode, *kind == Kind::Directory)
            }
            _ => source.mode,
        };
        Attributes { mode, uid: owner.uid, gid: owner.gid, mtime: source.mtime }
    }

    /// Copies a directory of the source and, as far as the filters say, what is in it.
    /// `relative` is its path below the source as named.
    fn directory(&mut self, entry: &Entry, relative: &TreePath, target: &TreePath) -> Result<(), FileError> {
        let is_top = relative.is_root();
        // What is named as source is itself always copied.
        let verdict = if is_top { Verdict::Copied } else { self.filter.verdict(relative, true) };
        if verdict == Verdict::Skipped {
            return Ok(());
        }
        if verdict == Verdict::Copied {
            self.make_trail()?;
            self.copy_directory(entry, target, is_top)?;
        }
        let made = verdict == Verdict::Copied;
        self.trail.push(Step { source: entry.clone(), target: target.clone(), made });
        for child in entry.tree().children(entry)? {
            let Some(name) = child.path().file_name() else { continue };
            let (relative, target) = (relative.join(name), target.join(name));
            if child.is_directory() {
                self.directory(&child, &relative, &target)?;
            } else if self.filter.verdict(&relative, false) == Verdict::Copied {
                self.make_trail()?;
                self.other(&child, &target)?;
            }
        }
        self.trail.pop();
        Ok(())
    }

    /// Makes a copy of the directory alone, or gives an existing one what it takes from the source.
    fn copy_directory(&mut self, entry: &Entry, target: &TreePath, is_top: bool) -> Result<(), FileError> {
        let attributes = self.attributes(entry.attributes(), entry.kind());
        match self.editor.entry(target)? {
            Some(existing) if !existing.is_directory() => Err(FileError::DirectoryOntoOther(target.clone())),
            Some(existing) if is_top => {
                let kept = Attributes { mtime: entry.mtime(), ..existing.attributes() };
                Ok(self.editor.set_attributes(target, &kept)?)
            }
            _ => Ok(self.editor.copy(entry, target, &attributes)?),
        }
    }

    /// Makes the directories of the trail that wait for something in them to be copied. One that
    /// exists in the destination takes the mode of the source and nothing else.
    fn make_trail(&mut self) -> Result<(), FileError> {
        for step in 0..self.trail.len() {
            let Some(Step { source, target, made: false }) = self.trail.get(step) else { continue };
            let attributes = self.attributes(source.attributes(), source.kind());
            match self.editor.entry(target)? {
                Some(existing) if !existing.is_directory() => {
                    return Err(FileError::DirectoryOntoOther(target.clone()));
                }
                Some(existing) => {
                    let changed = Attributes { mode: source.mode(), ..existing.attributes() };
                    self.editor.set_attributes(target, &changed)?;
                }
                None => self.editor.copy(source, target, &attributes)?,
            }
            if let Some(step) = self.trail.get_mut(step) {
                step.made = true;
            }
        }
        Ok(())
    }

    /// Copies anything but a directory.
    fn other(&mut self, entry: &Entry, target: &TreePath) -> Result<(), FileError> {
        self.refuse_directory(target)?;
        let attributes = self.attributes(entry.attributes(), entry.kind());
        Ok(self.editor.copy(entry, target, &attributes)?)
    }

    fn refuse_directory(&self, target: &TreePath) -> Result<(), FileError> {
        match self.editor.entry(target)? {
            Some(existing) if existing.is_directory() => Err(FileError::OtherOntoDirectory(target.clone())),
            _ => Ok(()),
        }
    }
}

/// What of a source decides where it lands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Directory,
    Other,
}
