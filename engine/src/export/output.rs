//! Where archives are written to.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::request::Destination;

/// An archive could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// The file beside the destination could not be made.
    #[error("cannot create a file in {}", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Writing failed.
    #[error("cannot write {destination}")]
    Write {
        /// The destination.
        destination: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The complete file could not be given its name.
    #[error("cannot rename the complete archive to {}", path.display())]
    Rename {
        /// The destination.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The content could not be read from the store.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// Writes an archive: to standard output, or to a file that appears under its name when it is
/// complete.
pub(crate) fn write(
    destination: &Destination,
    content: impl FnOnce(&mut dyn Write) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    let failed = |source| OutputError::Write { destination: name(destination), source };
    match destination {
        Destination::Stdout => {
            let mut out = io::stdout().lock();
            content(&mut out)?;
            out.flush().map_err(failed)
        }
        Destination::File(path) => {
            let directory = match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            let create = |source| OutputError::Create { path: directory.to_owned(), source };
            fs::create_dir_all(directory).map_err(create)?;
            let file = NamedTempFile::new_in(directory).map_err(create)?;
            let mut out = BufWriter::with_capacity(1 << 20, file);
            content(&mut out)?;
            let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
            set_default_mode(file.as_file()).map_err(failed)?;
            file.persist(path)
                .map_err(|error| OutputError::Rename { path: path.clone(), source: error.error })?;
            Ok(())
        }
    }
}

/// What messages call a destination.
pub(crate) fn name(destination: &Destination) -> String {
    match destination {
        Destination::File(path) => path.display().to_string(),
        Destination::Stdout => "standard output".to_owned(),
    }
}

/// Temporary files are for their owner only; a result is a file like any other.
fn set_default_mode(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // umask(2) can only be read by setting it, for the whole process; 022 is what builds assume.
    file.set_permissions(fs::Permissions::from_mode(0o644))
}
