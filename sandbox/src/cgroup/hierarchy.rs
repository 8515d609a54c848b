//! Which hierarchies of control groups there are, where they are mounted, and where in them this process is.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::Controller;

/// One hierarchy that this process can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Its directory on the host.
    pub(super) mount_point: PathBuf,
    /// The group of this process, relative to the mount point; none if it lies outside of what is mounted.
    pub(super) own: Option<PathBuf>,
    /// Of which version it is.
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Version 1, with these controllers.
    Version1(Vec<String>),
    /// Version 2.
    Unified,
}

impl Hierarchy {
    pub(super) fn is_unified(&self) -> bool {
        self.kind == Kind::Unified
    }

    /// Whether limits of this kind are set here. In version 2 that depends on the group.
    pub(super) fn has(&self, controller: Controller) -> bool {
        match &self.kind {
            Kind::Version1(controllers) => controllers.iter().any(|name| name == controller.name()),
            Kind::Unified => {
                let own = self.own.as_deref().unwrap_or(Path::new(""));
                let places = [self.mount_point.join(own), self.mount_point.clone()];
                places.iter().any(|group| lists(&group.join("cgroup.controllers"), controller))
            }
        }
    }

    /// Whether a new group takes no process before it was given processors and memory nodes.
    pub(super) fn needs_cpuset(&self) -> bool {
        !self.is_unified() && self.has(Controller::Cpuset)
    }

    /// The directory of this process's own group.
    pub(super) fn own_directory(&self) -> Option<PathBuf> {
        Some(self.mount_point.join(self.own.as_deref()?))
    }

    /// Where groups for sandboxes are made if nobody says it: below the own group, whose limits count for them
    /// too; in version 2 beside it, except in the root of the hierarchy.
    pub(super) fn default_parent(&self) -> PathBuf {
        let own = self.own.as_deref().unwrap_or(Path::new(""));
        let parent = if self.is_unified() { own.parent().unwrap_or(Path::new("")) } else { own };
        self.mount_point.join(parent)
    }
}

/// Whether a file of names has that of the controller.
pub(super) fn lists(file: &Path, controller: Controller) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_ascii_whitespace().any(|name| name == controller.name())
}

/// All hierarchies, version 1 first.
pub(super) fn all() -> io::Result<Vec<Hierarchy>> {
    Ok(parse(&fs::read("/proc/self/mountinfo")?, &fs::read_to_string("/proc/self/cgroup")?))
}

/// The hierarchy in which limits of this kind are set.
pub(super) fn of(controller: Controller, all: &[Hierarchy]) -> Option<&Hierarchy> {
    all.iter().find(|hierarchy| hierarchy.has(controller))
}

/// From the texts of `/proc/self/mountinfo` (proc(5)) and `/proc/self/cgroup` (cgroups(7)).
fn parse(mounts: &[u8], membership: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    let hierarchies = mounts.split(|byte| *byte == b'\n').filter_map(|line| parse_mount(line, membership));
    for hierarchy in hierarchies {
        if found.iter().all(|other| other.kind != hierarchy.kind) {
            found.push(hierarchy);
        }
    }
    // A controller that version 1 has is not there in version 2; without one, version 2 decides.
    found.sort_by_key(Hierarchy::is_unified);
    found
}

fn parse_mount(line: &[u8], membership: &str) -> Option<Hierarchy> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let separator = fields.iter().position(|field| *field == b"-")?;
    let (root, mount_point) = (path(fields.get(3)?), path(fields.get(4)?));
    let options = String::from_utf8_lossy(fields.get(separator + 3)?);
    let kind = match *fields.get(separator + 1)? {
        b"cgroup2" => Kind::Unified,
        b"cgroup" => {
            let flags = ["rw", "ro", "none", "xattr", "clone_children", "noprefix"];
            let names = options.split(',').filter(|option| !flags.contains(option) && !option.contains('='));
            let names: Vec<String> = names.map(str::to_owned).collect();
            // One with a name only, as systemd has it, limits nothing.
            if names.is_empty() {
                return None;
            }
            Kind::Version1(names)
        }
        _ => return None,
    };
    let own = membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let is_this = match &kind {
            Kind::Unified => controllers.is_empty(),
            Kind::Version1(names) => {
                controllers.split(',').any(|name| names.iter().any(|other| other == name))
            }
        };
        let group = Path::new(group);
        let below = group.strip_prefix(&root).ok().filter(|below| !below.starts_with(".."));
        is_this.then(|| below.map(Path::to_owned))
    });
    Some(Hierarchy { mount_point, own: own.flatten(), kind })
}

/// A path with blanks and line ends written as `\040` and the like.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let code = if *byte == b'\\' { after.get(..3) } else { None };
        let code = code.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(hierarchies: &[Hierarchy]) -> Vec<(String, Option<&str>)> {
        let own = |hierarchy: &Hierarchy| hierarchy.own.clone();
        let text = |hierarchy: &Hierarchy| hierarchy.mount_point.display().to_string();
        let owned: Vec<_> = hierarchies.iter().map(|each| (text(each), own(each))).collect();
        owned
            .into_iter()
            .map(|(point, own)| (point, own.map(|own| &*own.display().to_string().leak())))
            .collect()
    }

    #[test]
    fn both_versions_are_found_side_by_side() {
        let mounts = b"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:4 - cgroup cgroup rw,cpu,cpuacct\n\
            35 31 0:32 / /sys/fs/cgroup/my\\040memory rw - cgroup cgroup rw,memory\n\
            40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
        let membership = "4:memory:/job/1\n2:cpu,cpuacct:/\n1:name=systemd:/x\n0::/user\n";
        let found = parse(mounts, membership);
        assert_eq!(
            own(&found),
            [
                ("/sys/fs/cgroup/cpu,cpuacct".to_owned(), Some("")),
                ("/sys/fs/cgroup/my memory".to_owned(), Some("job/1")),
                ("/sys/fs/cgroup/unified".to_owned(), Some("user")),
            ]
        );
        assert!(of(Controller::Cpu, &found).is_some_and(|cpu| cpu.mount_point.ends_with("cpu,cpuacct")));
        assert_eq!(of(Controller::Pids, &found), None);
        assert_eq!(found[1].default_parent(), Path::new("/sys/fs/cgroup/my memory/job/1"));
        assert_eq!(found[2].default_parent(), Path::new("/sys/fs/cgroup/unified"));
    }

    #[test]
    fn what_is_mounted_of_a_hierarchy_may_begin_below_its_root() {
        let mounts = b"35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        assert_eq!(parse(mounts, "4:memory:/docker/abc/x\n")[0].own, Some(PathBuf::from("x")));
        assert_eq!(parse(mounts, "4:memory:/elsewhere\n")[0].own, None);
        let mounts = b"35 31 0:32 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(parse(mounts, "0::/../outside\n")[0].own, None);
    }
}
