//! The file of the running program, where what it starts cannot write to it.
//!
//! Init is a copy of this program until it becomes the command. A command that is a script for `/proc/self/exe`
//! has the kernel start this program once more, inside the sandbox, where others can then open it by
//! `/proc/1/exe`: a process that is root could write to the file on the host (CVE-2019-5736, which was runc's). So
//! the server is executed from a read-only mount of that one file, which belongs to no mount namespace and lasts
//! as long as somebody uses it. Supervisors and inits are forks of the server.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::sys::{self, MountAttributes};

/// A read-only mount of the program at `path`. None for a process that may mount nothing; it can make no sandbox
/// either.
pub(crate) fn program(path: &Path) -> Option<OwnedFd> {
    let mount =
        |path: &Path| open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC);
    let tree = match mount(path) {
        // The link leads to a mount of the mount namespace that this process has left.
        Err(Errno::INVAL) => mount(&of_this_namespace(path)?),
        result => result,
    };
    let tree = tree.ok()?;
    let read_only = MountAttributes { read_only: true, ..MountAttributes::default() };
    sys::set_mount_attributes(&tree, read_only).ok()?;
    Some(tree)
}

/// Where the file that a link of `/proc` leads to is found by its name, if that still is the same file.
fn of_this_namespace(link: &Path) -> Option<PathBuf> {
    let path = fs::read_link(link).ok()?;
    let (one, other) = (fs::metadata(link).ok()?, fs::metadata(&path).ok()?);
    (one.dev() == other.dev() && one.ino() == other.ino()).then_some(path)
}

/// By what path a child that was not executed yet finds it.
pub(crate) fn path(program: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", program.as_raw_fd()).into()
}
