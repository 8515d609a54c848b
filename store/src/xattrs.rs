//! Extended attributes: which ones belong to an image, reading and setting them.
//!
//! An image carries `user.*` and `security.capability`, as layers of other builders do. The rest belongs to the
//! machine (`security.selinux`, `system.posix_acl_*`), to overlayfs (`trusted.overlay.*`, `user.overlay.*`) or to
//! this store (`user.builder.*`: [`crate::owners`], [`crate::overlay`]), and an archive that brings such attributes
//! must not plant them in a layer.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// Attributes of one file, sorted by name.
pub type Xattrs = BTreeMap<OsString, Vec<u8>>;

/// What overlayfs and this store keep for themselves.
const OWN: [&[u8]; 2] = [b"user.overlay.", b"user.builder."];

/// Whether an attribute is part of an image.
pub(crate) fn is_portable(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name == b"security.capability"
        || (name.starts_with(b"user.") && !OWN.iter().any(|prefix| name.starts_with(prefix)))
}

/// Names of all attributes of an open file; none where the file system has none.
pub(crate) fn names(file: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut buffer = vec![0_u8; 512];
    loop {
        match rustix::fs::flistxattr(&file, &mut buffer[..]) {
            Ok(length) => {
                let list = buffer.get(..length).unwrap_or_default();
                return Ok(list
                    .split(|&byte| byte == 0)
                    .filter(|name| !name.is_empty())
                    .map(|name| OsStr::from_bytes(name).to_owned())
                    .collect());
            }
            Err(Errno::RANGE) => buffer = vec![0; rustix::fs::flistxattr_query(&file)?.max(buffer.len() * 2)],
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// One attribute of an open file; `None` when it has none of that name.
pub(crate) fn value(file: impl AsFd, name: &OsStr) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = vec![0_u8; 256];
    loop {
        match rustix::fs::fgetxattr(&file, name, &mut buffer[..]) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(Some(buffer));
            }
            Err(Errno::RANGE) => {
                buffer = vec![0; rustix::fs::fgetxattr_query(&file, name)?.max(buffer.len() * 2)];
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The attributes of an open file that belong to an image.
pub(crate) fn portable(file: impl AsFd) -> io::Result<Xattrs> {
    let names = names(&file)?;
    portable_of(file, names)
}

/// As [`portable`], of a file whose attributes have been listed.
pub(crate) fn portable_of(file: impl AsFd, names: Vec<OsString>) -> io::Result<Xattrs> {
    let mut found = Xattrs::new();
    for name in names {
        if is_portable(&name)
            && let Some(value) = value(&file, &name)?
        {
            found.insert(name, value);
        }
    }
    Ok(found)
}

/// Sets attributes on an open file. A file system without attributes loses `user.*` silently, as every tool
/// does; a lost file capability is an error, because a program would stop working.
pub(crate) fn set(file: impl AsFd, xattrs: &Xattrs) -> io::Result<()> {
    for (name, value) in xattrs {
        match rustix::fs::fsetxattr(&file, name.as_os_str(), value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP) if name.as_bytes().starts_with(b"user.") => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
