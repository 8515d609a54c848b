//! `type=tar`: the root filesystem as one archive.

use std::ffi::OsStr;

use store::TreePath;

use crate::export::output::{self, OutputError};
use crate::export::{AssembledImage, platform_directory};
use crate::request::Destination;

/// Writes the merged trees of the images: of one into the root of the archive, of several into a
/// directory a platform.
pub(crate) fn write(images: &[AssembledImage], destination: &Destination) -> Result<(), OutputError> {
    let place = |image: &AssembledImage| match images {
        [_] => TreePath::root(),
        _ => TreePath::root().join(OsStr::new(&platform_directory(&image.platform))),
    };
    let trees: Vec<_> = images.iter().map(|image| (place(image), image.root.tree())).collect();
    output::write(destination, |out| Ok(store::write_trees(&trees, out)?))
}
