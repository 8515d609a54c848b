//! `WORKDIR`: a directory and its missing parents.

use graph::file::MakeDirectory;
use store::{Attributes, Snapshot, Store, Timestamp};

use crate::file::error::FileError;
use crate::file::ownership;

/// Makes the directory, each missing parent with the same owner and mode. What exists stays as it is,
/// links are followed inside the root.
pub(crate) fn run(store: &Store, operation: &MakeDirectory, base: &Snapshot) -> Result<Snapshot, FileError> {
    let owner = ownership::lookup(&base.tree(), operation.owner.as_ref())?.unwrap_or_default();
    let draft = store.draft(base)?;
    let mut editor = draft.editor();
    let attributes =
        Attributes { mode: operation.mode & 0o777, uid: owner.uid, gid: owner.gid, mtime: Timestamp::now() };
    let path = editor.resolve(&operation.path)?.path;
    editor.make_directory_all(&path, &attributes).map_err(FileError::from_make_directory)?;
    editor.finish()?;
    Ok(draft.commit()?)
}
