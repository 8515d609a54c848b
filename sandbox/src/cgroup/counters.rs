//! What the kernel did to processes for lack of memory, or refused them at their limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::hierarchy;
use super::{Controller, Limits};

/// What the kernel did to the processes of a sandbox for lack of resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incidents {
    /// Processes were killed because memory ran out.
    pub out_of_memory: Option<OutOfMemory>,
    /// There were to be more processes than this limit of the sandbox.
    pub process_limit: Option<u64>,
}

/// Whose memory ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutOfMemory {
    /// The sandbox reached its limit.
    Limit {
        /// The limit in bytes.
        bytes: u64,
    },
    /// The group in which the builder runs, such as its container, reached a limit while the process ran. Where
    /// the sandbox has no group of its own, the victim may have been another process of the builder's group.
    Surroundings,
    /// The whole machine had no more memory while the process ran; the victim may have been somebody else.
    Machine,
}

/// A file that counts the victims of a lack of memory around a sandbox.
#[derive(Debug, Clone)]
struct Source {
    file: PathBuf,
    /// Whose memory ran out when it counts one.
    whose: OutOfMemory,
}

/// The events of the memory group that this process is in, and those that it forks. A root group does not count
/// them: there it is the machine that does.
static AROUND: LazyLock<Source> = LazyLock::new(|| {
    let hierarchies = hierarchy::all().unwrap_or_default();
    let memory = hierarchy::of(Controller::Memory, &hierarchies);
    let file = memory.and_then(|memory| Some(event_file(&memory.own_directory()?, memory.is_unified())));
    match file.filter(|file| file.exists()) {
        Some(file) => Source { file, whose: OutOfMemory::Surroundings },
        None => Source { file: PathBuf::from("/proc/vmstat"), whose: OutOfMemory::Machine },
    }
});

/// Looks for the file that is read for every sandbox. Whoever is forked afterwards knows it.
pub(crate) fn prepare() {
    LazyLock::force(&AROUND);
}

/// Counts what happens around a sandbox from its start on.
#[derive(Debug)]
pub(crate) struct Watch {
    source: Source,
    before: u64,
}

impl Watch {
    /// Begins to count.
    pub(crate) fn begin() -> Self {
        let source = AROUND.clone();
        Self { before: source.victims(), source }
    }

    /// Whose memory ran out since the start, if any did. (The kernel counts a victim for its group and for the
    /// machine, whoever's limit it was.)
    pub(crate) fn out_of_memory(&self) -> Option<OutOfMemory> {
        (self.source.victims() > self.before).then_some(self.source.whose)
    }
}

impl Source {
    fn victims(&self) -> u64 {
        read(&self.file, "oom_kill")
    }
}

/// The incidents that the directories of a group tell of, and its surroundings.
pub(super) fn incidents(
    memory: Option<(&Path, bool)>,
    pids: Option<&Path>,
    limits: &Limits,
    watch: &Watch,
) -> Incidents {
    let out_of_memory = match memory {
        Some((group, is_unified)) if read(&event_file(group, is_unified), "oom_kill") > 0 => {
            let limit = limits.memory.filter(|_| reached_its_limit(group, is_unified));
            let around = || watch.out_of_memory().unwrap_or(OutOfMemory::Machine);
            Some(limit.map_or_else(around, |bytes| OutOfMemory::Limit { bytes }))
        }
        Some(_) => None,
        None => watch.out_of_memory(),
    };
    let refused = pids.is_some_and(|group| read(&group.join("pids.events"), "max") > 0);
    Incidents { out_of_memory, process_limit: limits.pids.filter(|_| refused) }
}

/// The file that counts the victims of a lack of memory.
pub(super) fn event_file(group: &Path, is_unified: bool) -> PathBuf {
    group.join(if is_unified { "memory.events" } else { "memory.oom_control" })
}

/// Whether the group's own limit was in the way, rather than one around it.
fn reached_its_limit(group: &Path, is_unified: bool) -> bool {
    if is_unified {
        return read(&group.join("memory.events"), "oom") > 0;
    }
    let number = |file: &str| {
        let text = fs::read_to_string(group.join(file)).unwrap_or_default();
        text.trim().parse::<u64>().unwrap_or(0)
    };
    number("memory.failcnt") > 0 || number("memory.memsw.failcnt") > 0
}

/// The number behind a name in a file of lines `NAME NUMBER`; zero where there is none.
fn read(file: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok());
    value.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with the files of a group.
    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn nothing_around() -> Watch {
        // The machine's own counter is far below this one.
        let source = Source { file: PathBuf::from("/proc/vmstat"), whose: OutOfMemory::Machine };
        Watch { source, before: u64::MAX }
    }

    fn limits() -> Limits {
        Limits { memory: Some(1000), pids: Some(5), ..Limits::default() }
    }

    #[test]
    fn a_victim_of_the_own_limit_is_told_from_others() {
        let own = "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n";
        let unified = group(&[("memory.events", own), ("pids.events", "max 3\n")]);
        let seen = |group: &Path, is_unified| {
            incidents(Some((group, is_unified)), Some(group), &limits(), &nothing_around())
        };
        assert_eq!(
            seen(unified.path(), true),
            Incidents { out_of_memory: Some(OutOfMemory::Limit { bytes: 1000 }), process_limit: Some(5) }
        );
        let around = group(&[("memory.events", "max 0\noom 0\noom_kill 1\n"), ("pids.events", "max 0\n")]);
        assert_eq!(
            seen(around.path(), true),
            Incidents { out_of_memory: Some(OutOfMemory::Machine), process_limit: None }
        );
        let old = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n";
        let first = group(&[("memory.oom_control", old), ("memory.failcnt", "12\n")]);
        let found = seen(first.path(), false).out_of_memory;
        assert_eq!(found, Some(OutOfMemory::Limit { bytes: 1000 }));
        let quiet = group(&[("memory.oom_control", "oom_kill 0\n"), ("memory.failcnt", "12\n")]);
        assert_eq!(seen(quiet.path(), false), Incidents::default());
    }

    #[test]
    fn without_a_group_the_surroundings_count_from_the_start_on() {
        let around = group(&[("memory.events", "oom_kill 3\n")]);
        let file = around.path().join("memory.events");
        let source = Source { file: file.clone(), whose: OutOfMemory::Surroundings };
        let watch = Watch { source, before: 3 };
        assert_eq!(incidents(None, None, &limits(), &watch), Incidents::default());
        fs::write(&file, "oom_kill 4\n").unwrap();
        let found = incidents(None, None, &limits(), &watch).out_of_memory;
        assert_eq!(found, Some(OutOfMemory::Surroundings));
    }
}
