//! Users, looked up in the passwd and group files of an image.

use image::ImagePath;
use image::user::{ResolvedUser, UserError};
use store::{StoreError, Tree};

/// Why a user could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum UserLookupError {
    /// The image does not know the user or the group.
    #[error(transparent)]
    Unknown(#[from] UserError),
    /// The image's files could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Resolves `user[:group]` as Docker does; an empty text is root with root's groups of the image.
pub fn lookup(tree: &Tree, user: &str) -> Result<ResolvedUser, UserLookupError> {
    let passwd = tree.read(&ImagePath::new("/etc/passwd"))?;
    let group = tree.read(&ImagePath::new("/etc/group"))?;
    Ok(image::user::resolve(user, passwd.as_deref(), group.as_deref())?)
}
