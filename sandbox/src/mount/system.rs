//! `/proc`, `/sys` and the view of cgroups.

use std::path::Path;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::{FileSystem, MountPoint, NO_PROGRAMS, Refusal, Tree};
use crate::error::{At, Failure, Stage};
use crate::spec::KernelFiles;
use crate::sys::{self, MountAttributes};

/// Where the cgroup file systems are found, on the host and in the root.
const CGROUP: &str = "/sys/fs/cgroup";

/// `f_type` of the unified hierarchy (statfs(2)).
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// Mounts a fresh `/proc`, which shows the processes of the new pid namespace.
pub(crate) fn mount_proc(root: &Tree) -> Result<(), Failure> {
    let point = MountPoint::find(root, Path::new("/proc")).at(Stage::MountPoint, "/proc")?;
    let tree = FileSystem::open("proc").and_then(|proc| proc.mount(NO_PROGRAMS)).at(Stage::Mount, "/proc")?;
    tree.attach(&point).at(Stage::Mount, "/proc")
}

/// Mounts `/sys`. A user namespace that does not own its network namespace may not mount sysfs; it
/// gets a read-only view of the `/sys` that it already sees.
pub(crate) fn mount_sys(root: &Tree, files: KernelFiles) -> Result<(), Failure> {
    let point = MountPoint::find(root, Path::new("/sys")).at(Stage::MountPoint, "/sys")?;
    let tree = match FileSystem::open("sysfs").and_then(|sysfs| sysfs.mount(attributes(files))) {
        Err(Refusal { errno: Errno::PERM, .. }) => visible_sys().at(Stage::Mount, "/sys")?,
        result => result.at(Stage::Mount, "/sys")?,
    };
    tree.attach(&point).at(Stage::Mount, "/sys")
}

fn attributes(files: KernelFiles) -> MountAttrFlags {
    match files {
        KernelFiles::ReadOnly => NO_PROGRAMS | MountAttrFlags::MOUNT_ATTR_RDONLY,
        KernelFiles::Writable => NO_PROGRAMS,
    }
}

fn visible_sys() -> Result<Tree, Errno> {
    let tree = Tree::copy_of(Path::new("/sys"), true)?;
    let all = MountAttributes { read_only: true, no_suid: true, no_dev: true, no_exec: true };
    sys::set_mount_attributes(&tree, all)?;
    Ok(tree)
}

/// Mounts a view of the process's own cgroup, which its cgroup namespace shows as the root.
///
/// A convenience for programs that read their limits: where the kernel refuses (no cgroup file system on this
/// machine, a controller that another mount holds), there is an empty directory instead.
pub(crate) fn mount_cgroup(root: &Tree, files: KernelFiles) -> Result<(), Failure> {
    let Ok(point) = MountPoint::find(root, Path::new(CGROUP)) else { return Ok(()) };
    let attributes = attributes(files);
    if is_unified()
        && let Ok(tree) = FileSystem::open("cgroup2").and_then(|cgroup| cgroup.mount(attributes))
    {
        return tree.attach(&point).at(Stage::Mount, CGROUP);
    }
    let tmpfs = Tree::tmpfs(0o755, Some(64 << 10), NO_PROGRAMS).at(Stage::Mount, CGROUP)?;
    tmpfs.attach(&point).at(Stage::Mount, CGROUP)?;
    if !is_unified() {
        for hierarchy in hierarchies() {
            // Left out where refused, see above.
            let _ = mount_hierarchy(&tmpfs, &hierarchy, attributes);
        }
    }
    tmpfs.make_read_only().at(Stage::ReadOnly, CGROUP)
}

fn is_unified() -> bool {
    rustix::fs::statfs(CGROUP).is_ok_and(|status| u64::try_from(status.f_type) == Ok(CGROUP2_MAGIC))
}

/// Controllers of each version 1 hierarchy, as cgroups(7) describes the lines of `/proc/self/cgroup`:
/// `4:memory:/path`, `2:cpu,cpuacct:/path`, `1:name=systemd:/path`; `0::/path` is the unified one.
fn hierarchies() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let controllers = text.lines().filter_map(|line| line.split(':').nth(1));
    controllers.filter(|controllers| !controllers.is_empty()).map(str::to_owned).collect()
}

fn mount_hierarchy(tmpfs: &Tree, controllers: &str, attributes: MountAttrFlags) -> Result<(), Refusal> {
    let cgroup = FileSystem::open("cgroup")?;
    let directory = if let Some(name) = controllers.strip_prefix("name=") {
        cgroup.set_flag("none")?;
        cgroup.set("name", name)?;
        name
    } else {
        for controller in controllers.split(',') {
            cgroup.set_flag(controller)?;
        }
        controllers
    };
    let tree = cgroup.mount(attributes)?;
    rustix::fs::mkdirat(tmpfs, directory, Mode::from_raw_mode(0o755))?;
    Ok(tree.attach_at(tmpfs, directory)?)
}
