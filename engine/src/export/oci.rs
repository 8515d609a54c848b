//! `type=oci`: an OCI image layout, as an archive.

use store::Store;

use crate::export::layout::Layout;
use crate::export::output::{self, OutputError};
use crate::request::Destination;

/// Writes the layout as an archive.
pub(crate) fn write_archive(
    store: &Store,
    layout: &Layout,
    destination: &Destination,
) -> Result<(), OutputError> {
    output::write(destination, |out| {
        let mut archive = tar::Builder::new(out);
        layout.write_archive(store, &mut archive)?;
        finish(archive, destination)
    })
}

/// Ends an archive.
pub(crate) fn finish<W: std::io::Write>(
    mut archive: tar::Builder<W>,
    destination: &Destination,
) -> Result<(), OutputError> {
    archive.finish().map_err(|source| OutputError::Write { destination: output::name(destination), source })
}
