//! One group: made, locked, filled, read, removed.
//!
//! A lock is taken on the directory after it was made, and whoever cleans up takes the lock before removing it,
//! so both may meet on a directory that has just been made. Its maker then either sees the lock taken, or has
//! the lock of a directory that is gone; in both cases it makes another one.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::process::Pid;

use super::counters::{self, Incidents, Watch};
use super::hierarchy::{self, Hierarchy, lists};
use super::settings::{self, Setting};
use super::{Cgroup, CgroupError, Controller, Limits, Obstacle};

/// How the directories of groups begin.
const PREFIX: &str = "builder-";

/// What it is called that a group is made below a certain one.
const PARENT: &str = "cgroup parent";

/// The group of one sandbox: a directory in each hierarchy that is needed.
#[derive(Debug)]
pub(crate) struct Group {
    places: Vec<Place>,
    limits: Limits,
}

/// The group's directory in one hierarchy. Dropping it removes it.
#[derive(Debug)]
struct Place {
    directory: PathBuf,
    /// The directory, open and locked.
    lock: File,
    is_unified: bool,
    /// Those that the hierarchy has.
    controllers: Vec<Controller>,
}

impl Group {
    /// Makes the group, with its limits set and no process in it.
    pub(crate) fn make(request: &Cgroup) -> Result<Self, CgroupError> {
        let Cgroup { parent, limits } = request;
        let whole = |obstacle: Obstacle| obstacle.for_the("cgroup");
        let all =
            hierarchy::all().map_err(|error| whole(Obstacle::of("read", "/proc/self/cgroup", &error)))?;
        let mut group = Self { places: Vec::new(), limits: limits.clone() };
        for needed in needed(&all, limits, parent.is_some())? {
            let place = Place::make(&needed, parent.as_deref())?;
            let of_version = if place.is_unified { settings::version2 } else { settings::version1 };
            let settings = place.controllers.iter().flat_map(|controller| of_version(*controller, limits));
            settings.collect::<Vec<_>>().iter().try_for_each(|setting| place.set(setting))?;
            group.places.push(place);
        }
        Ok(group)
    }

    /// A group below that of this process in version 2, which limits nothing: there is something else to be
    /// attached to it. None where it cannot be had.
    pub(crate) fn without_limits() -> Option<Self> {
        let all = hierarchy::all().ok()?;
        let parent = all.iter().find(|each| each.is_unified())?.own_directory()?;
        sweep(&parent);
        let (directory, lock) = make_locked(&parent).ok()?;
        let place = Place { directory, lock, is_unified: true, controllers: Vec::new() };
        Some(Self { places: vec![place], limits: Limits::default() })
    }

    /// The directory of version 2, into which a process can be cloned.
    pub(crate) fn unified(&self) -> Option<BorrowedFd<'_>> {
        self.places.iter().find(|place| place.is_unified).map(|place| place.lock.as_fd())
    }

    /// Moves a process into the group, as far as it was not cloned into it.
    pub(crate) fn admit(&self, process: Pid) -> Result<(), CgroupError> {
        for place in self.places.iter().filter(|place| !place.is_unified) {
            let file = place.directory.join("cgroup.procs");
            fs::write(&file, process.as_raw_nonzero().to_string()).map_err(|error| {
                Obstacle::of("move a process into", &place.directory, &error).for_the("cgroup")
            })?;
        }
        Ok(())
    }

    /// What the kernel did to its processes.
    pub(crate) fn incidents(&self, watch: &Watch) -> Incidents {
        let of = |controller| self.places.iter().find(|place| place.controllers.contains(&controller));
        // In version 2 the files are there only where the parent hands the controller down.
        let memory = of(Controller::Memory).map(|place| (place.directory.as_path(), place.is_unified));
        let memory = memory.filter(|(group, is_unified)| counters::event_file(group, *is_unified).exists());
        let pids = of(Controller::Pids).map(|place| place.directory.as_path());
        counters::incidents(memory, pids, &self.limits, watch)
    }
}

/// A hierarchy in which a group is made.
struct Needed<'a> {
    hierarchy: &'a Hierarchy,
    /// The controllers that limits need there, each with what for.
    needs: Vec<(Controller, &'static str)>,
}

/// The hierarchies in which a group is made.
fn needed<'a>(
    all: &'a [Hierarchy],
    limits: &Limits,
    has_parent: bool,
) -> Result<Vec<Needed<'a>>, CgroupError> {
    let mut needed: Vec<Needed<'a>> = Vec::new();
    for (controller, what) in limits.needs() {
        let hierarchy = hierarchy::of(controller, all);
        let hierarchy = hierarchy.ok_or_else(|| Obstacle::NoController(controller).for_the(what))?;
        match needed.iter_mut().find(|other| other.hierarchy == hierarchy) {
            Some(other) => other.needs.push((controller, what)),
            None => needed.push(Needed { hierarchy, needs: vec![(controller, what)] }),
        }
    }
    if has_parent {
        // All limits of a parent count, so that its child is made in all hierarchies that limit something.
        let limits = |each: &Hierarchy| Controller::ALL.iter().any(|controller| each.has(*controller));
        for hierarchy in all.iter().filter(|each| !each.is_unified() || limits(each) || all.len() == 1) {
            if !needed.iter().any(|other| other.hierarchy == hierarchy) {
                needed.push(Needed { hierarchy, needs: Vec::new() });
            }
        }
        if needed.is_empty() {
            return Err(Obstacle::NoController(Controller::Memory).for_the(PARENT));
        }
    }
    Ok(needed)
}

impl Place {
    fn make(needed: &Needed<'_>, parent: Option<&str>) -> Result<Self, CgroupError> {
        let Needed { hierarchy, needs } = needed;
        let what = needs.first().map_or(PARENT, |(_, what)| what);
        let parent = match parent {
            Some(parent) => make_parent(hierarchy, parent).map_err(|obstacle| obstacle.for_the(PARENT))?,
            None => hierarchy.default_parent(),
        };
        if hierarchy.is_unified() {
            for (controller, what) in needs {
                hand_down(*controller, &parent, &hierarchy.mount_point)
                    .map_err(|obstacle| obstacle.for_the(what))?;
            }
        }
        sweep(&parent);
        let (directory, lock) = make_locked(&parent).map_err(|obstacle| obstacle.for_the(what))?;
        let controllers =
            Controller::ALL.into_iter().filter(|controller| hierarchy.has(*controller)).collect();
        let place = Self { directory, lock, is_unified: hierarchy.is_unified(), controllers };
        if hierarchy.needs_cpuset() {
            inherit_cpuset(&place.directory).map_err(|obstacle| obstacle.for_the(what))?;
        }
        Ok(place)
    }

    fn set(&self, setting: &Setting) -> Result<(), CgroupError> {
        let path = self.directory.join(setting.file);
        match fs::write(&path, &setting.value) {
            Ok(()) => Ok(()),
            // Files of a cgroup cannot be made, which the kernel refuses with one error or the other.
            Err(_) if !path.exists() && setting.is_optional => Ok(()),
            Err(_) if !path.exists() => {
                Err(Obstacle::NoSuchSetting { file: setting.file.to_owned() }.for_the(setting.what))
            }
            Err(error) => Err(Obstacle::of("write", path, &error).for_the(setting.what)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// The directory of a parent that was asked for, made if need be.
fn make_parent(hierarchy: &Hierarchy, parent: &str) -> Result<PathBuf, Obstacle> {
    let below =
        below_root(Path::new(parent)).ok_or_else(|| Obstacle::Parent { parent: parent.to_owned() })?;
    let mut directory = hierarchy.mount_point.clone();
    for name in &below {
        directory.push(name);
        match fs::create_dir(&directory) {
            Ok(()) if hierarchy.needs_cpuset() => inherit_cpuset(&directory)?,
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Obstacle::of("make", &directory, &error));
            }
            _ => {}
        }
    }
    Ok(directory)
}

/// The names on the way from the root of a hierarchy to a parent; none if it leads out.
fn below_root(parent: &Path) -> Option<PathBuf> {
    let is_bare = parent.components().count() == 1 && parent.is_relative();
    if let Some(unit) = parent.to_str().filter(|_| is_bare).and_then(|name| name.strip_suffix(".slice")) {
        // systemd.slice(5): the dashes in the name of a slice tell what it lies in.
        let ends = unit.match_indices('-').map(|(end, _)| end).chain([unit.len()]);
        return Some(ends.map(|end| format!("{}.slice", &unit[..end])).collect());
    }
    let mut below = PathBuf::new();
    for component in parent.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => below.push(name),
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(below)
}

/// Has every group from the root of version 2 down to `parent` give the controller to its children.
fn hand_down(controller: Controller, parent: &Path, root: &Path) -> Result<(), Obstacle> {
    let switch = |group: &Path| group.join("cgroup.subtree_control");
    if lists(&switch(parent), controller) {
        return Ok(());
    }
    let mut way: Vec<&Path> = parent.ancestors().take_while(|group| group.starts_with(root)).collect();
    way.reverse();
    let mut refusal = None;
    for group in way {
        if !lists(&switch(group), controller) {
            refusal = fs::write(switch(group), format!("+{controller}")).err().map(|error| (group, error));
        }
    }
    match refusal {
        None => Ok(()),
        Some((group, error)) => Err(match error.raw_os_error() {
            Some(libc::EBUSY) => Obstacle::HasProcesses { parent: group.to_owned() },
            Some(libc::ENOENT) => Obstacle::NotDelegated { parent: group.to_owned(), controller },
            _ => Obstacle::of("write", switch(group), &error),
        }),
    }
}

/// Gives a new group of version 1 the processors and memory nodes of its parent: it begins without any, and
/// without any it takes no process.
fn inherit_cpuset(directory: &Path) -> Result<(), Obstacle> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let file = directory.join(name);
        if fs::read_to_string(&file).is_ok_and(|list| !list.trim().is_empty()) {
            continue;
        }
        let of_parent = directory.parent().map(|parent| fs::read_to_string(parent.join(name))).transpose();
        let list = of_parent.map_err(|error| Obstacle::of("read", &file, &error))?.unwrap_or_default();
        fs::write(&file, list.trim()).map_err(|error| Obstacle::of("write", &file, &error))?;
    }
    Ok(())
}

/// Makes and locks a new directory.
fn make_locked(parent: &Path) -> Result<(PathBuf, File), Obstacle> {
    let owner = rustix::process::getpid().as_raw_nonzero();
    for number in 0_u32.. {
        let directory = parent.join(format!("{PREFIX}{owner}-{number}"));
        match fs::create_dir(&directory) {
            // Of somebody in another pid namespace, or one that could not be removed yet.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            result => result.map_err(|error| Obstacle::of("make a group in", parent, &error))?,
        }
        if let Some(lock) = lock(&directory).map_err(|error| Obstacle::of("lock", &directory, &error))? {
            return Ok((directory, lock));
        }
    }
    Err(Obstacle::of("make a group in", parent, &io::ErrorKind::AlreadyExists.into()))
}

/// Locks a directory; none if somebody else has the lock or removed the directory.
fn lock(directory: &Path) -> io::Result<Option<File>> {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let file = match File::open(directory) {
        Err(error) if missing(&error) => return Ok(None),
        file => file?,
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        result => result?,
    }
    match fs::metadata(directory) {
        Err(error) if missing(&error) => Ok(None),
        there => Ok((there?.ino() == file.metadata()?.ino()).then_some(file)),
    }
}

/// Removes the groups that nobody has locked: their owners were killed.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if is_name_of_group(&entry.file_name().to_string_lossy())
            && let Ok(Some(_lock)) = lock(&entry.path())
        {
            remove_tree(&entry.path());
        }
    }
}

/// Whether somebody of ours has made a directory of that name, rather than a user for a parent.
fn is_name_of_group(name: &str) -> bool {
    let numbers = name.strip_prefix(PREFIX).and_then(|numbers| numbers.split_once('-'));
    numbers.is_some_and(|(owner, number)| owner.parse::<u32>().is_ok() && number.parse::<u32>().is_ok())
}

/// How often, and after what time each, a directory is tried again that the kernel calls busy. A process that
/// was waited for leaves its group a moment later.
const ATTEMPTS: u32 = 200;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(1);

fn remove(directory: &Path) {
    for _ in 0..ATTEMPTS {
        if remove_tree(directory) {
            return;
        }
        std::thread::sleep(BETWEEN_ATTEMPTS);
    }
    // Left to whoever sweeps next.
}

/// Removes a group and those that its processes made below it. Tells whether it is gone.
fn remove_tree(directory: &Path) -> bool {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    match fs::remove_dir(directory) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_paths_below_the_root_or_slices() {
        let below = |text: &str| below_root(Path::new(text)).map(|path| path.display().to_string());
        assert_eq!(below("/ci/builds").as_deref(), Some("ci/builds"));
        assert_eq!(below("ci").as_deref(), Some("ci"));
        assert_eq!(below("a-b-c.slice").as_deref(), Some("a.slice/a-b.slice/a-b-c.slice"));
        assert_eq!(below("/system.slice/x.service").as_deref(), Some("system.slice/x.service"));
        assert_eq!(below("/").as_deref(), Some(""));
        assert_eq!(below("/a/../../b"), None);
    }

    #[test]
    fn what_nobody_has_locked_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let (mine, lock) = make_locked(parent.path()).unwrap();
        for stale in ["builder-1-0/made/by/a/process", "other", "builder-ci", "builder-ci-1"] {
            fs::create_dir_all(parent.path().join(stale)).unwrap();
        }
        sweep(parent.path());
        for others in ["other", "builder-ci", "builder-ci-1"] {
            assert!(mine.exists() && parent.path().join(others).exists());
        }
        assert!(!parent.path().join("builder-1-0").exists());
        let (second, _lock) = make_locked(parent.path()).unwrap();
        assert_ne!(mine, second);
        drop(lock);
        sweep(parent.path());
        assert!(!mine.exists() && second.exists());
    }

    #[test]
    fn the_lock_of_a_directory_that_is_gone_is_none() {
        let parent = tempfile::tempdir().unwrap();
        let (directory, held) = make_locked(parent.path()).unwrap();
        assert!(lock(&directory).unwrap().is_none());
        drop(held);
        fs::remove_dir(&directory).unwrap();
        assert!(lock(&directory).unwrap().is_none());
    }

    /// A tree like that of version 2, in which a group has a file for its switch.
    #[test]
    fn controllers_are_handed_down_from_the_root() {
        let root = tempfile::tempdir().unwrap();
        let parent = root.path().join("a/b");
        fs::create_dir_all(&parent).unwrap();
        for group in [root.path(), &root.path().join("a"), &parent] {
            fs::write(group.join("cgroup.subtree_control"), "cpu\n").unwrap();
        }
        hand_down(Controller::Cpu, &parent, root.path()).unwrap();
        assert_eq!(fs::read_to_string(parent.join("cgroup.subtree_control")).unwrap(), "cpu\n");
        hand_down(Controller::Pids, &parent, root.path()).unwrap();
        for group in [root.path(), &root.path().join("a"), &parent] {
            assert_eq!(fs::read_to_string(group.join("cgroup.subtree_control")).unwrap(), "+pids");
        }
    }
}
