//! What there is in a machine: processes, mounts, namespaces, interfaces, tables of nftables.
//!
//! All is read from outside by way of the `/proc` of the machine's first process, whose own namespaces are
//! the machine's.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use super::tables;

/// One line for everything that is there.
pub(super) fn of(init: u32) -> io::Result<BTreeSet<String>> {
    let own = PathBuf::from(format!("/proc/{init}"));
    let mut found = BTreeSet::new();
    for process in processes(&own)? {
        let of_process = process.join("ns");
        // A process that has ended meanwhile is none.
        let Some(line) = describe(&process) else { continue };
        found.insert(line);
        for entry in fs::read_dir(of_process).into_iter().flatten().flatten() {
            let Ok(namespace) = fs::read_link(entry.path()) else { continue };
            found.insert(format!("namespace {}", namespace.display()));
        }
    }
    for line in fs::read_to_string(own.join("mountinfo"))?.lines() {
        found.extend(mount(line));
    }
    for line in fs::read_to_string(own.join("net/dev"))?.lines() {
        found.extend(line.split_once(':').map(|(name, _)| format!("interface {}", name.trim())));
    }
    let network = fs::File::open(own.join("ns/net"))?;
    found.extend(tables::names(&network)?.into_iter().map(|name| format!("table {name}")));
    Ok(found)
}

/// The directories of all processes in the machine's own `/proc`.
fn processes(own: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(own.join("root/proc"))?.flatten();
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    Ok(entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_number))
        .map(|entry| entry.path())
        .collect())
}

/// `process 7 sleep 60`; for a process that has ended and was not waited for, `process 7 (sleep) ended`.
fn describe(process: &Path) -> Option<String> {
    let number = process.file_name()?.to_str()?;
    let line = fs::read(process.join("cmdline")).ok()?;
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let words = words.join(" ");
    if !words.trim().is_empty() {
        return Some(format!("process {number} {}", words.trim()));
    }
    let name = fs::read_to_string(process.join("comm")).ok()?;
    Some(format!("process {number} ({}) ended", name.trim()))
}

/// The mount of a line of mountinfo (proc(5)): `36 35 98:0 /root /point options - type source options`.
fn mount(line: &str) -> Option<String> {
    let point = line.split(' ').nth(4)?;
    let kind = line.split(" - ").nth(1)?.split(' ').next()?;
    Some(format!("mount {point} {kind}"))
}

/// The processes with this word on their command line, but for those in a further pid namespace, by their numbers
/// on the host.
pub(super) fn processes_with(init: u32, word: &str) -> io::Result<Vec<Pid>> {
    let machine = fs::read_link(format!("/proc/{init}/ns/pid"))?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let has_word = fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|line| line.contains(word));
        let lives_here =
            fs::read_link(entry.path().join("ns/pid")).is_ok_and(|namespace| namespace == machine);
        if has_word && lives_here {
            found.extend(Pid::from_raw(number));
        }
    }
    Ok(found)
}
