//! Making files on behalf of processes that are not who the first process was, and files that stand for devices.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::calls::{File, Make};
use super::credentials::Credentials;
use super::files::{Opening, find_in, read_path};
use super::records::{Found, Records};
use super::{Keeper, SET_GROUP_ID};
use crate::spec::Owner;
use crate::sys::{self, Answer, Notification, ToldDevice};

/// `struct open_how` of openat2(2) in its first form: flags, mode, resolve.
const OPEN_HOW: usize = 24;

impl Keeper {
    /// `mkdir`, `symlink`, `mknod`.
    pub(super) fn make(&mut self, call: &Notification, file: File, what: Make) -> Result<Answer, Errno> {
        let thread = call.thread;
        let device = device_of(what);
        if device.is_none() && !self.is_other(thread) {
            return Ok(Answer::Continue);
        }
        let maker = self.identities.of(thread).clone();
        if device.is_some() && !(self.makes_devices && maker.is_privileged()) {
            return Err(Errno::PERM);
        }
        let named = self.named(call, file)?;
        let (place, name) = named.place()?;
        match what {
            Make::Directory { mode } => rustix::fs::mkdirat(&place, name, permissions(thread, mode))?,
            Make::Symlink { target } => rustix::fs::symlinkat(read_path(thread, target)?, &place, name)?,
            Make::Node { mode, .. } => {
                let file_type = match device {
                    Some(_) => FileType::RegularFile,
                    None if FileType::from_raw_mode(mode) == FileType::Unknown => FileType::RegularFile,
                    None => FileType::from_raw_mode(mode),
                };
                rustix::fs::mknodat(&place, name, file_type, permissions(thread, mode), 0)?;
            }
        }
        let made = Found::new(find_in(&place, name)?)?;
        let owner = owner_in(&self.records, place, &maker)?;
        self.records.set(&made, owner, device)?;
        Ok(Answer::Done(0))
    }

    /// `open` with `O_CREAT`. `None` when the process has its answer.
    pub(super) fn open(
        &mut self,
        call: &Notification,
        file: File,
        flags: u32,
        mode: u32,
    ) -> Result<Option<Answer>, Errno> {
        let thread = call.thread;
        if !self.is_other(thread) {
            return Ok(Some(Answer::Continue));
        }
        let maker = self.identities.of(thread).clone();
        let named = self.named(call, file)?;
        let flags = OFlags::from_bits_retain(flags);
        let new = OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOCTTY;
        let how = Opening { flags: flags | new, mode: permissions(thread, mode) };
        // It exists, or there is something wrong: then the kernel does it.
        let Ok(file) = named.open(how) else { return Ok(Some(Answer::Continue)) };
        let (place, _) = named.place()?;
        let owner = owner_in(&self.records, place, &maker)?;
        let made = Found::new(file)?;
        self.records.set(&made, owner, None)?;
        let close_on_exec = flags.contains(OFlags::CLOEXEC);
        sys::answer_with_descriptor(&self.listener, call, &made.file, close_on_exec)?;
        Ok(None)
    }

    /// `openat2`, where it creates a file and asks for nothing special.
    pub(super) fn open_how(
        &mut self,
        call: &Notification,
        file: File,
        how: u64,
    ) -> Result<Option<Answer>, Errno> {
        let mut bytes = [0; OPEN_HOW];
        if !self.is_other(call.thread) || sys::read_memory(call.thread, how, &mut bytes)? != OPEN_HOW {
            return Ok(Some(Answer::Continue));
        }
        let (fields, _) = bytes.as_chunks::<8>();
        let fields: Vec<u64> = fields.iter().map(|field| u64::from_ne_bytes(*field)).collect();
        let numbers = |field: usize| fields.get(field).and_then(|field| u32::try_from(*field).ok());
        match (numbers(0), numbers(1), numbers(2)) {
            (Some(flags), Some(mode), Some(0)) if flags & OFlags::CREATE.bits() != 0 => {
                self.open(call, file, flags, mode)
            }
            _ => Ok(Some(Answer::Continue)),
        }
    }

    /// Whether what a thread makes belongs to somebody else than what the first process makes.
    fn is_other(&self, thread: u32) -> bool {
        let makes = |who: &Credentials| (who.users.file_system, who.groups.file_system);
        let first = self.identities.first();
        makes(self.identities.of(thread)) != (first.users.real, first.groups.real)
    }
}

/// The device that is to be made. (The one with the number 0:0 is none, but the mark of overlayfs for what is
/// deleted.)
fn device_of(what: Make) -> Option<ToldDevice> {
    let Make::Node { mode, device } = what else { return None };
    let file_type = mode & libc::S_IFMT;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let is_device = file_type == libc::S_IFCHR || file_type == libc::S_IFBLK;
    (is_device && (major, minor) != (0, 0)).then_some(ToldDevice { file_type, major, minor })
}

/// Who owns what is made in a directory: a set-group-id directory passes its group on.
fn owner_in(records: &Records, directory: OwnedFd, maker: &Credentials) -> Result<Owner, Errno> {
    let directory = Found::new(directory)?;
    let passes_group = u32::from(directory.status.stx_mode) & SET_GROUP_ID != 0;
    let group = if passes_group { records.owner(&directory).gid } else { maker.groups.file_system };
    Ok(Owner { uid: maker.users.file_system, gid: group })
}

/// The mode of what a thread makes: what it asks for without its umask.
fn permissions(thread: u32, mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o7777 & !umask(thread).unwrap_or(0o022))
}

fn umask(thread: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(umask.trim(), 8).ok()
}
