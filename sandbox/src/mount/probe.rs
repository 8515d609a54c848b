//! Trying the mounts of a sandbox, and its filter, one by one. See [`crate::probe`].

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, makedev, mkdirat, mknodat, openat, unlinkat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::device::DeviceDirectory;
use super::root::Staging;
use super::{FileSystem, NO_PROGRAMS, Tree, overlay, system};
use crate::capability::CapabilitySet;
use crate::devices::Guard;
use crate::error::{At, Failure, Stage};
use crate::probe::{Inside, Origin, Refused, Trial};
use crate::seccomp;
use crate::spec::{KernelFiles, MOUNT_POINTS, Overlay, Process, Root, Spec};

/// Tries everything, in a process that has the namespaces of a step. The process is of no further use then: the
/// filter stays.
pub(crate) fn everything(place: &Path) -> Trial<Inside> {
    let staging = Staging::prepare(Guard::Nobody)?;
    let root = empty_root(&staging)?;
    Ok(Inside {
        overlay: writable_overlay(place),
        proc: system::mount_proc(&root).map_err(Refused::from),
        sys: sys(&root),
        devices: devices(&root),
        seccomp: seccomp::install_default(CapabilitySet::DOCKER_DEFAULT).map_err(Refused::from),
    })
}

fn empty_root(staging: &Staging) -> Result<Tree, Failure> {
    let root = Tree::tmpfs(0o755, None, MountAttrFlags::empty()).at(Stage::Root, "tmpfs")?;
    staging.attach_root(&root).at(Stage::Root, "tmpfs")?;
    for path in MOUNT_POINTS {
        let name = path.trim_start_matches('/');
        mkdirat(&root, name, Mode::RWXU).at(Stage::MountPoint, path)?;
    }
    Ok(root)
}

/// An overlay may be mounted and refuse to be written to: making a file needs the upper directory, removing one of
/// the lower directory a whiteout.
fn writable_overlay(place: &Path) -> Trial {
    let directories =
        Overlay { lowers: vec![place.join("lower")], upper: place.join("upper"), work: place.join("work") };
    let tree = overlay(&directories).at(Stage::Root, "overlay")?;
    let write = || -> io::Result<()> {
        let create = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = File::from(openat(&tree, "new", create, Mode::RWXU)?);
        io::Write::write_all(&mut &file, b"content")?;
        Ok(unlinkat(&tree, "file", AtFlags::empty())?)
    };
    Ok(write()?)
}

fn sys(root: &Tree) -> Trial<Origin> {
    system::mount_sys(root, KernelFiles::ReadOnly)?;
    let own = FileSystem::open("sysfs").and_then(|sysfs| sysfs.mount(NO_PROGRAMS));
    Ok(if own.is_ok() { Origin::Own } else { Origin::Machine })
}

fn devices(root: &Tree) -> Trial<Origin> {
    let spec = Spec::new(Root::Directory("/".into()), Process::new(["true"]));
    DeviceDirectory::mount(root, &spec, Guard::Nobody)?;
    match mknodat(root, "null", FileType::CharacterDevice, Mode::RWXU, makedev(1, 3)) {
        Err(Errno::PERM) => Ok(Origin::Machine),
        made => Ok(made.map(|()| Origin::Own)?),
    }
}
