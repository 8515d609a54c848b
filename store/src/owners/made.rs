//! Writing down who owns what the processes of a step have made.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::given::{self, Birth, GIVEN};
use super::{Links, Owner, Record, is_attributed};
use crate::confined::ConfinedDirectory;
use crate::error::{Attempt, StoreError};
use crate::metadata::{Kind, Status};
use crate::path::TreePath;
use crate::tree::{Tree, names, observe};

/// The set-group-id bit: what is made in such a directory belongs to the directory's group.
const SET_GROUP_ID: u32 = 0o2000;

/// Gives all that has no record in the upper directory to `maker`, as the kernel would have done.
pub(crate) fn give_to_maker(upper: &ConfinedDirectory, below: &Tree, maker: Owner) -> Result<(), StoreError> {
    let given = upper.path().with_file_name(GIVEN);
    let given = given::read(&given).attempt("read", given)?;
    let giver = Giver { upper, below, maker, links: Links::beside(upper.path()), given };
    giver.directory(&TreePath::root())
}

struct Giver<'a> {
    upper: &'a ConfinedDirectory,
    below: &'a Tree,
    maker: Owner,
    links: Links,
    given: HashMap<Birth, Owner>,
}

impl Giver<'_> {
    /// Everything in a directory that has a record itself.
    fn directory(&self, path: &TreePath) -> Result<(), StoreError> {
        let host_path = self.upper.host_path(path);
        let place = self.upper.open_directory(path).attempt("open", &host_path)?;
        let maker = self.maker_in(&place).attempt("read the owner of", &host_path)?;
        for name in names(&place).attempt("list", &host_path)? {
            let name = Path::new(&name);
            let observed = observe(&place, name).attempt("look up", host_path.join(name))?;
            let Some((status, kind)) = observed else { continue };
            if status.is_whiteout() {
                continue;
            }
            let child = path.join(name.as_os_str());
            if is_attributed(&kind) {
                record_if_new(&place, name, maker).attempt("record the owner of", host_path.join(name))?;
            } else {
                self.other(&place, &child, &(status, kind), maker)?;
            }
            if self.upper.open_directory(&child).is_ok() {
                self.directory(&child)?;
            }
        }
        Ok(())
    }

    fn maker_in(&self, directory: &OwnedFd) -> io::Result<Owner> {
        let mode = rustix::fs::fstat(directory)?.st_mode;
        let group = if mode & SET_GROUP_ID == 0 { None } else { Record::of(directory)? };
        Ok(group.map_or(self.maker, |record| Owner { gid: record.owner.gid, ..self.maker }))
    }

    /// A link, a pipe or a socket.
    fn other(
        &self,
        place: &OwnedFd,
        path: &TreePath,
        seen: &(Status, Kind),
        maker: Owner,
    ) -> Result<(), StoreError> {
        let Some(name) = path.file_name() else { return Ok(()) };
        let host_path = self.upper.host_path(path);
        let birth = Birth::of_name(place, Path::new(name)).attempt("look up", &host_path)?;
        let owner = match self.given.get(&birth) {
            Some(owner) => *owner,
            None => self.owner_below(path, seen)?.unwrap_or(maker),
        };
        self.links.set(path, owner).attempt("record the owner of", &host_path)
    }

    /// Who owns the same thing below, where overlayfs only copied it up.
    fn owner_below(
        &self,
        path: &TreePath,
        (status, kind): &(Status, Kind),
    ) -> Result<Option<Owner>, StoreError> {
        let below = self.below.get(path)?;
        let same = below.filter(|below| below.kind() == kind && below.mtime() == status.attributes.mtime);
        Ok(same.map(|below| Owner::from(&below.attributes())))
    }
}

fn record_if_new(place: impl AsFd, name: &Path, maker: Owner) -> io::Result<()> {
    match Record::of_name(&place, name)? {
        Some(_) => Ok(()),
        None => Record::from(maker).set_in(place, name),
    }
}
