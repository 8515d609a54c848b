//! Many users where there is one: calls about owners and ids, answered from outside the sandbox.
//!
//! In a user namespace with a single id the kernel refuses to give a file to anybody else and to become anybody
//! else. Steps do both all the time: `chown`, `useradd`, `su`, every package manager. So these calls are not carried
//! out by the kernel: a filter has them wait (`seccomp_unotify(2)`), and the supervisor of the sandbox answers.
//!
//! | calls | answer |
//! |---|---|
//! | `chown`, `fchownat`, … | the owner is recorded, see [`records`]; the real file keeps its one owner |
//! | `stat`, `statx`, … | as the kernel would, with the recorded owner; carried out by the kernel where it is right |
//! | `setuid`, `setgroups`, `getresuid`, … | the process is remembered to be somebody, see [`identities`] and [`credentials`] |
//! | `listxattr`, … | without the records, so that nobody copies them |
//! | `execve` | carried out by the kernel; set-id programs come with the ids of their recorded owner |
//! | `open` with `O_CREAT`, `mkdir`, `symlink`, `mknod` | where a process is not who the first one was: carried out here, to record whose the file is |
//! | `mknod` of a device | an empty file that stands for the device |
//!
//! What no record speaks of belongs to the user of the first process when it is new, and else to root.
//!
//! Nothing is gained by this: whatever the supervisor does, it does with the rights that the process has as well,
//! to files of the process's own root ([`files`]). And nothing is withheld: a process that believes to be an
//! ordinary user has the rights of root of the namespace all the same, so that a build that depends on a refused
//! access has another outcome. Not answered are: calls of 32-bit programs, `access`, ids in messages between
//! processes (`SO_PEERCRED`), `/proc/PID/status`, files made by `O_TMPFILE`, sockets.
//!
//! Each of these calls costs two switches of the processor. Sandboxes of other user namespaces have no such filter.

mod calls;
mod credentials;
mod files;
mod identities;
mod make;
mod records;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::capability::Capability;
use crate::spec::{MountKind, Owner, Ownership, Root, Spec};
use crate::sys::{self, Answer, Notification};
use calls::{Call, File, Form, Which};
use credentials::{Change, Credentials, Kind};
use files::Named;
use identities::Identities;
use records::{Found, Records};

/// The set-id bits of a mode.
const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
/// With a set-group-id bit and without this one, a file is for mandatory locks.
const GROUP_EXECUTE: u32 = 0o0010;

/// More supplementary groups than Linux allows.
const GROUP_LIMIT: u64 = 65_536;

/// Has this process, and all that it becomes or forks, wait for answers. To be called where it has the privileges
/// to install a filter, and to be followed by nothing that waits for an answer until somebody gives them.
pub(crate) fn install_filter() -> Result<OwnedFd, Errno> {
    sys::install_listener(&calls::filter())
}

/// Gives the answers.
#[derive(Debug)]
pub(crate) struct Keeper {
    listener: OwnedFd,
    identities: Identities,
    records: Records,
    /// Whether set-id programs come with other ids.
    gains: bool,
    /// Whether root may make devices.
    makes_devices: bool,
}

impl AsFd for Keeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Keeper {
    /// For the sandbox whose first process is `init`, once it has its root.
    pub(crate) fn new(
        listener: OwnedFd,
        ownership: &Ownership,
        spec: &Spec,
        init: Pid,
    ) -> Result<Self, Errno> {
        sys::wake_synchronously(&listener);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let init = init.as_raw_nonzero();
        let root = rustix::fs::open(format!("/proc/{init}/root"), flags, Mode::empty())?;
        let process = &spec.process;
        let first = Credentials::new(process.uid, process.gid, process.additional_gids.clone());
        let maker = Owner { uid: process.uid, gid: process.gid };
        let changes = match &spec.rootfs {
            Root::Overlay(overlay) => &overlay.upper,
            Root::Directory(directory) => directory,
        };
        let mut records = Records::new(ownership, changes.clone(), &Found::new(root)?, maker);
        let root = format!("/proc/{init}/root");
        for mount in &spec.mounts {
            // What another mount hides needs no owner.
            if let MountKind::File { uid, gid, .. } = mount.kind
                && let Ok(found) = files::find_from(&root, &mount.target).and_then(Found::new)
            {
                records.tell(&found, Owner { uid, gid });
            }
        }
        Ok(Self {
            listener,
            identities: Identities::new(first),
            records,
            gains: !process.no_new_privileges,
            makes_devices: process.capabilities.contains(Capability::Mknod),
        })
    }

    /// Answers one call that waits.
    pub(crate) fn answer_next(&mut self) {
        // A process that was killed meanwhile needs no answer.
        let Ok(call) = sys::receive_notification(&self.listener) else { return };
        let answer = match self.answer(&call) {
            Ok(Some(answer)) => answer,
            // The answer was given with a descriptor.
            Ok(None) => return,
            Err(errno) => Answer::Failed(errno),
        };
        sys::answer_notification(&self.listener, &call, answer);
    }

    fn answer(&mut self, call: &Notification) -> Result<Option<Answer>, Errno> {
        let thread = call.thread;
        let answer = match calls::decode(call) {
            None => Answer::Continue,
            Some(Call::Status { file, into, form }) => self.tell(call, file, into, form)?,
            Some(Call::Give { file, user, group }) => self.give(call, file, user, group)?,
            Some(Call::Make { file, what }) => self.make(call, file, what)?,
            Some(Call::Open { file, flags, mode }) => return self.open(call, file, flags, mode),
            Some(Call::OpenHow { file, how }) => return self.open_how(call, file, how),
            Some(Call::ListAttributes { file, into, size }) => self.list(call, file, (into, size))?,
            Some(Call::Execute { file }) => self.execute(call, file),
            Some(Call::Change { kind, change }) => self.change(thread, kind, change)?,
            Some(Call::SetOthers { count, list }) => self.set_others(thread, count, list)?,
            Some(Call::Get { kind, which }) => {
                let ids = self.identities.of(thread).ids(kind);
                Answer::Done(match which {
                    Which::Real => ids.real.into(),
                    Which::Effective => ids.effective.into(),
                })
            }
            Some(Call::GetThree { kind, into }) => {
                let ids = self.identities.of(thread).ids(kind);
                for (address, id) in into.into_iter().zip([ids.real, ids.effective, ids.saved]) {
                    sys::write_memory(thread, address, &id.to_ne_bytes())?;
                }
                Answer::Done(0)
            }
            Some(Call::GetOthers { count, list }) => self.get_others(thread, count, list)?,
        };
        Ok(Some(answer))
    }

    /// Finds the file of a call that still waits: what was read of its thread was of its thread.
    fn named(&self, call: &Notification, file: File) -> Result<Named, Errno> {
        let named = Named::read(call.thread, file)?;
        if sys::is_waiting(&self.listener, call) { Ok(named) } else { Err(Errno::SRCH) }
    }

    fn tell(&self, call: &Notification, file: File, into: u64, form: Form) -> Result<Answer, Errno> {
        // Whatever is wrong with the file, the kernel says it best.
        let found = self.named(call, file).and_then(|named| named.find()).and_then(Found::new);
        let Ok(found) = found else { return Ok(Answer::Continue) };
        let Some(told) = self.records.told(&found) else { return Ok(Answer::Continue) };
        let bytes = match form {
            Form::Stat => sys::stat_bytes(&found.file, told)?,
            Form::Statx { flags, mask } => {
                let synchronization = flags & libc::AT_STATX_SYNC_TYPE;
                sys::statx_bytes(&found.file, told, synchronization, mask)?
            }
        };
        sys::write_memory(call.thread, into, &bytes)?;
        Ok(Answer::Done(0))
    }

    fn give(
        &mut self,
        call: &Notification,
        file: File,
        user: Option<u32>,
        group: Option<u32>,
    ) -> Result<Answer, Errno> {
        let named = self.named(call, file)?;
        let found = match named.find().and_then(Found::new) {
            Ok(found) => found,
            // `/dev/stdout` and its like: no file of the image.
            Err(_) if named.is_of_the_kernel() => return Ok(Answer::Done(0)),
            Err(errno) => return Err(errno),
        };
        let owner = self.records.owner(&found);
        if !self.identities.of(call.thread).may_give(owner.uid, user, group) {
            return Err(Errno::PERM);
        }
        self.records.give(found, user, group)?;
        Ok(Answer::Done(0))
    }

    /// The attributes of a file but the records: what copies all attributes must not copy those.
    fn list(&self, call: &Notification, file: File, (into, size): (u64, u64)) -> Result<Answer, Errno> {
        let found = self.named(call, file).and_then(|named| named.find());
        let Ok(names) = found.and_then(|file| self.records.attributes_of(&file)) else {
            return Ok(Answer::Continue);
        };
        let length = u64::try_from(names.len()).map_err(|_| Errno::RANGE)?;
        if size != 0 {
            if size < length {
                return Err(Errno::RANGE);
            }
            if !names.is_empty() {
                sys::write_memory(call.thread, into, &names)?;
            }
        }
        Ok(Answer::Done(length.cast_signed()))
    }

    fn execute(&mut self, call: &Notification, file: File) -> Answer {
        // A program that is not there or may not be executed: the kernel says so.
        let found = self.named(call, file).and_then(|named| named.find()).and_then(Found::new);
        let Ok(found) = found else { return Answer::Continue };
        let before = self.identities.of(call.thread);
        let mode = u32::from(found.status.stx_mode);
        let is_program = found.file_type() == FileType::RegularFile;
        let (mut user, mut group) = (None, None);
        if is_program && self.gains && mode & (SET_USER_ID | SET_GROUP_ID) != 0 {
            let owner = self.records.owner(&found);
            user = Some(owner.uid).filter(|_| mode & SET_USER_ID != 0);
            group = Some(owner.gid).filter(|_| mode & SET_GROUP_ID != 0 && mode & GROUP_EXECUTE != 0);
        }
        let after = before.executing(user, group);
        if after != *before {
            // At worst the program runs with the ids of its caller.
            let _ = self.identities.set(call.thread, after);
        }
        Answer::Continue
    }

    fn change(&mut self, thread: u32, kind: Kind, change: Change) -> Result<Answer, Errno> {
        let before = self.identities.of(thread);
        let result = match change {
            Change::One(u32::MAX) => return Err(Errno::INVAL),
            Change::FileSystem(_) => i64::from(before.ids(kind).file_system),
            _ => 0,
        };
        let after = match change {
            Change::FileSystem(u32::MAX) => before.clone(),
            change => before.changed(kind, change)?,
        };
        if after != *before {
            self.identities.set(thread, after)?;
        }
        Ok(Answer::Done(result))
    }

    fn set_others(&mut self, thread: u32, count: u64, list: u64) -> Result<Answer, Errno> {
        let count = usize::try_from(count).ok().filter(|_| count <= GROUP_LIMIT).ok_or(Errno::INVAL)?;
        let mut bytes = vec![0; count * size_of::<u32>()];
        if !bytes.is_empty() && sys::read_memory(thread, list, &mut bytes)? != bytes.len() {
            return Err(Errno::FAULT);
        }
        let (groups, _) = bytes.as_chunks::<4>();
        let groups = groups.iter().map(|group| u32::from_ne_bytes(*group)).collect();
        let after = self.identities.of(thread).with_others(groups)?;
        self.identities.set(thread, after)?;
        Ok(Answer::Done(0))
    }

    fn get_others(&self, thread: u32, count: u64, list: u64) -> Result<Answer, Errno> {
        let groups = &self.identities.of(thread).others;
        let all = u64::try_from(groups.len()).map_err(|_| Errno::INVAL)?;
        if count != 0 {
            if count < all {
                return Err(Errno::INVAL);
            }
            let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
            if !bytes.is_empty() {
                sys::write_memory(thread, list, &bytes)?;
            }
        }
        Ok(Answer::Done(all.cast_signed()))
    }
}
