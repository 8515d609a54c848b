//! The control groups of a machine: a directory in every hierarchy, in which its programs live, so that groups
//! that they make are found below it.
//!
//! ```text
//! OWN GROUP OF THE TEST/machine-<pid>-<number>/inside/     the programs
//!                                            /…            what they make beside themselves, or below
//! ```
//! The directories are removed with the machine. Those of a test that was killed are removed by the next one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// How the names of our directories begin.
const PREFIX: &str = "machine-";

/// One directory in each hierarchy that takes one. Removed when this is dropped.
#[derive(Debug)]
pub(super) struct Groups(Vec<PathBuf>);

impl Groups {
    /// Makes the directories, where this process may.
    pub(super) fn make() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut made = Vec::new();
        for parent in text.lines().filter_map(own_group) {
            remove_those_of_the_dead(&parent);
            let group = parent.join(&name);
            if fs::create_dir_all(group.join("inside")).is_ok() {
                made.push(group);
            }
        }
        Self(made)
    }

    /// The files to which a process writes its number to live there.
    pub(super) fn entrances(&self) -> impl Iterator<Item = PathBuf> {
        self.0.iter().map(|group| group.join("inside/cgroup.procs"))
    }

    /// One line for each group that there is, with its path on the host.
    pub(super) fn lines(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut directories = self.0.clone();
        while let Some(directory) = directories.pop() {
            directories.extend(below(&directory));
            found.insert(format!("cgroup {}", directory.display()));
        }
        found
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.0.iter().for_each(|group| remove(group));
    }
}

/// The directory of this process's group, of a line of `/proc/self/cgroup`: `4:memory:/path`, `0::/path`. Groups of
/// the controller cpuset take no process before they were set up, and nobody makes them without limits.
fn own_group(line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let places = match controllers {
        "" => vec!["/sys/fs/cgroup/unified".to_owned(), "/sys/fs/cgroup".to_owned()],
        "cpuset" => return None,
        named => vec![format!("/sys/fs/cgroup/{}", named.trim_start_matches("name="))],
    };
    let hierarchy = places.into_iter().find(|place| Path::new(place).join("cgroup.procs").exists())?;
    Some(Path::new(&hierarchy).join(path.trim_start_matches('/')))
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn remove(group: &Path) {
    for inner in below(group) {
        remove(&inner);
    }
    // The programs are gone. One that is still on its way out leaves the directory to the next test.
    let _ = fs::remove_dir(group);
}

fn remove_those_of_the_dead(parent: &Path) {
    for group in below(parent) {
        let name = group.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|numbers| numbers.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            remove(&group);
        }
    }
}
