//! Running without being root of the host: one user namespace per process, entered once.
//!
//! After [`enter`] the process is root of its namespace, and everything else works as for root:
//! overlay mounts, file systems in memory, further namespaces.
//!
//! | rung | who | what is lost |
//! |---|---|---|
//! | [`Identity::Root`] | root | nothing |
//! | [`Identity::MappedUser`] | a user with ranges in `/etc/subuid` and `/etc/subgid`, and `newuidmap` installed | device nodes |
//! | [`Identity::SingleId`] | any other user | using device nodes; rights that differ between users, whose ids and files are records only, see `ownership` |
//!
//! Ids are mapped by the set-user-id programs `newuidmap` and `newgidmap`, which must run outside of
//! the namespace: a child that is made before waits for its turn. The namespace is entered in place,
//! which a process may do as long as it has one thread.

use std::fmt;
use std::fs;
use std::io;
use std::process::Command;

use rustix::process::{Gid, Pid, RawPid, Uid, WaitOptions};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use crate::channel::{Channel, Received};
use crate::error::SandboxError;
use crate::sys::{self, Forked};

/// Who this process is, after [`enter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Root already, nothing was entered.
    Root,
    /// Root of a user namespace in which a range of ids exists.
    MappedUser {
        /// User id on the host; it is uid 0 inside.
        uid: u32,
        /// Group id on the host; it is gid 0 inside.
        gid: u32,
        /// How many further user ids exist inside, from 1 on.
        subordinate_uids: u32,
        /// How many further group ids exist inside, from 1 on.
        subordinate_gids: u32,
    },
    /// Root of a user namespace in which no other id exists.
    SingleId {
        /// User id on the host; it is uid 0 inside.
        uid: u32,
        /// Group id on the host; it is gid 0 inside.
        gid: u32,
        /// Why there is no range.
        reason: NoRange,
    },
}

/// Enters a user namespace if this process is not root, and with it a mount namespace, since it may not mount
/// anything in the host's. To be called before any thread exists.
pub fn enter() -> Result<Identity, SandboxError> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    if uid.is_root() {
        return Ok(Identity::Root);
    }
    let (uid, gid) = (uid.as_raw(), gid.as_raw());
    let failed = |source: io::Error| SandboxError::UserNamespace { blockers: blockers(), source };
    let mapper = Mapper::start(uid, gid).map_err(failed)?;
    sys::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS).map_err(|errno| failed(errno.into()))?;
    let identity = match subordinate_ids(uid, &mapper) {
        Ok((uids, gids)) => {
            Identity::MappedUser { uid, gid, subordinate_uids: uids.count, subordinate_gids: gids.count }
        }
        Err(reason) => {
            map_single_id(uid, gid).map_err(failed)?;
            Identity::SingleId { uid, gid, reason }
        }
    };
    become_root().map_err(failed)?;
    Ok(identity)
}

/// A range of ids on the host that a user may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    start: u32,
    count: u32,
}

/// Maps ranges of ids, if this user has them. Inside, they follow on id 0.
fn subordinate_ids(uid: u32, mapper: &Mapper) -> Result<(Range, Range), NoRange> {
    let user = user_name(uid);
    let uids = range("/etc/subuid", &user, uid)?;
    let gids = range("/etc/subgid", &user, uid)?;
    mapper.map(uids, gids)?;
    Ok((uids, gids))
}

/// The largest range that the file grants (subuid(5)): lines of `name or uid:start:count`.
fn range(file: &'static str, user: &str, uid: u32) -> Result<Range, NoRange> {
    let text = fs::read_to_string(file).unwrap_or_default();
    granted(&text, user, uid).ok_or(NoRange::NotGranted { file: file.to_owned() })
}

fn granted(text: &str, user: &str, uid: u32) -> Option<Range> {
    let ranges = text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let is_own = owner == user || owner.parse() == Ok(uid);
        let range = Range { start: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
        (is_own && range.count > 0).then_some(range)
    });
    ranges.max_by_key(|range| range.count)
}

/// The name of a user in the host's passwd file; the number if it has none.
fn user_name(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

/// A child that stays outside of the namespace and maps ids into it.
struct Mapper {
    channel: Channel,
    child: Pid,
    uid: u32,
    gid: u32,
}

/// What the mapper is asked: our process id, ours and the ranges.
#[derive(Debug, Serialize, Deserialize)]
struct MapRequest {
    pid: RawPid,
    uid: u32,
    gid: u32,
    uids: Range,
    gids: Range,
}

impl Mapper {
    fn start(uid: u32, gid: u32) -> io::Result<Self> {
        let (ours, theirs) = Channel::pair()?;
        match sys::fork(UnshareFlags::empty(), None)? {
            Forked::Child => {
                drop(ours);
                if let Ok(Received::Message(request, _)) = theirs.receive::<MapRequest>() {
                    // If nobody listens any more, there is nobody to tell.
                    let _ = theirs.send(&run_programs(&request), &[]);
                }
                std::process::exit(0)
            }
            Forked::Parent { child, .. } => Ok(Self { channel: ours, child, uid, gid }),
        }
    }

    fn map(&self, uids: Range, gids: Range) -> Result<(), NoRange> {
        let failed = |error: io::Error| NoRange::ProgramFailed {
            program: "newuidmap".to_owned(),
            message: error.to_string(),
        };
        let request = MapRequest {
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            uid: self.uid,
            gid: self.gid,
            uids,
            gids,
        };
        self.channel.send(&request, &[]).map_err(failed)?;
        match self.channel.receive::<Result<(), NoRange>>() {
            Ok(Received::Message(result, _)) => result,
            Ok(Received::Closed) => Err(failed(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        self.channel.hang_up();
        // It ends at once; the only failure is that it has been waited for.
        let _ = rustix::process::waitpid(Some(self.child), WaitOptions::empty());
    }
}

/// Runs both programs (newuidmap(1), newgidmap(1)).
fn run_programs(request: &MapRequest) -> Result<(), NoRange> {
    run_program("newuidmap", request.pid, request.uid, request.uids)?;
    run_program("newgidmap", request.pid, request.gid, request.gids)
}

fn run_program(program: &str, pid: RawPid, own: u32, range: Range) -> Result<(), NoRange> {
    let words = [pid.unsigned_abs(), 0, own, 1, 1, range.start, range.count];
    let output = Command::new(program).args(words.map(|word| word.to_string())).output();
    let program = program.to_owned();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(NoRange::ProgramFailed { program, message })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NoRange::ProgramMissing { program }),
        Err(error) => Err(NoRange::ProgramFailed { program, message: error.to_string() }),
    }
}

/// Maps this user alone (`user_namespaces(7)`): `setgroups` has to be given up for that.
fn map_single_id(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// Takes the ids that the namespace calls 0.
fn become_root() -> io::Result<()> {
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    Ok(())
}

/// Settings of this machine that forbid user namespaces.
fn blockers() -> Vec<Blocker> {
    const FORBIDDING: [(&str, &str); 3] = [
        ("user.max_user_namespaces", "0"),
        ("kernel.unprivileged_userns_clone", "0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
    ];
    let value = |name: &str| fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok();
    let is_set = |(sysctl, forbidding): (&'static str, &str)| {
        let value = value(sysctl)?.trim().to_owned();
        (value == forbidding).then_some(Blocker { sysctl, value })
    };
    FORBIDDING.into_iter().filter_map(is_set).collect()
}

/// Why no subordinate ids could be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoRange {
    /// The file grants this user no range.
    NotGranted {
        /// `/etc/subuid` or `/etc/subgid`.
        file: String,
    },
    /// The set-user-id program is not installed.
    ProgramMissing {
        /// `newuidmap` or `newgidmap`.
        program: String,
    },
    /// The program refused.
    ProgramFailed {
        /// `newuidmap` or `newgidmap`.
        program: String,
        /// What it wrote to standard error.
        message: String,
    },
}

impl fmt::Display for NoRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted { file } => write!(f, "{file} grants no range to this user"),
            Self::ProgramMissing { program } => write!(f, "{program} is not installed"),
            Self::ProgramFailed { program, message } => write!(f, "{program} failed: {message}"),
        }
    }
}

/// A setting of the machine that keeps ordinary users from making user namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Name as sysctl(8) writes it, for example `user.max_user_namespaces`.
    pub sysctl: &'static str,
    /// Its present value.
    pub value: String,
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.sysctl, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_range_of_the_user_counts() {
        let text = "other:1:9\nme:100000:65536\n1000:200000:10\n# comment\nme:broken\n";
        assert_eq!(granted(text, "me", 1000), Some(Range { start: 100_000, count: 65_536 }));
        assert_eq!(granted(text, "nobody", 1000), Some(Range { start: 200_000, count: 10 }));
        assert_eq!(granted(text, "nobody", 5), None);
    }
}
