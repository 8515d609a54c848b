//! The ids that a process believes to have, and the rules by which it may change them (credentials(7)).
//!
//! A process is privileged when its effective user is root: capabilities are those of the real process, which is
//! always root of its user namespace.

use rustix::io::Errno;

/// The four ids of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) real: u32,
    pub(super) effective: u32,
    pub(super) saved: u32,
    /// What files are made with.
    pub(super) file_system: u32,
}

/// What a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) users: Ids,
    pub(super) groups: Ids,
    /// Supplementary groups.
    pub(super) others: Vec<u32>,
}

/// Which of the two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
}

/// A call that changes ids. `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// `setuid`, `setgid`
    One(u32),
    /// `setreuid`, `setregid`
    RealAndEffective(Option<u32>, Option<u32>),
    /// `setresuid`, `setresgid`
    Three(Option<u32>, Option<u32>, Option<u32>),
    /// `setfsuid`, `setfsgid`: cannot fail
    FileSystem(u32),
}

impl Ids {
    fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id, file_system: id }
    }

    /// The ids after a change, if the process may make it.
    fn changed(self, change: Change, privileged: bool) -> Result<Self, Errno> {
        let among = |id: Option<u32>, allowed: &[u32]| match id {
            Some(id) if !privileged && !allowed.contains(&id) => Err(Errno::PERM),
            _ => Ok(()),
        };
        let Self { real, effective, saved, file_system } = self;
        match change {
            Change::One(id) if privileged => Ok(Self::all(id)),
            Change::One(id) => {
                among(Some(id), &[real, saved])?;
                Ok(Self { effective: id, file_system: id, ..self })
            }
            Change::RealAndEffective(new_real, new_effective) => {
                among(new_real, &[real, effective])?;
                among(new_effective, &[real, effective, saved])?;
                let now = new_effective.unwrap_or(effective);
                let moves = new_real.is_some() || new_effective.is_some_and(|id| id != real);
                Ok(Self {
                    real: new_real.unwrap_or(real),
                    effective: now,
                    saved: if moves { now } else { saved },
                    file_system: now,
                })
            }
            Change::Three(new_real, new_effective, new_saved) => {
                for id in [new_real, new_effective, new_saved] {
                    among(id, &[real, effective, saved])?;
                }
                let now = new_effective.unwrap_or(effective);
                Ok(Self {
                    real: new_real.unwrap_or(real),
                    effective: now,
                    saved: new_saved.unwrap_or(saved),
                    file_system: now,
                })
            }
            Change::FileSystem(id) => {
                let allowed = among(Some(id), &[real, effective, saved, file_system]).is_ok();
                Ok(Self { file_system: if allowed { id } else { file_system }, ..self })
            }
        }
    }
}

impl Credentials {
    pub(super) fn new(uid: u32, gid: u32, others: Vec<u32>) -> Self {
        Self { users: Ids::all(uid), groups: Ids::all(gid), others }
    }

    pub(super) fn is_privileged(&self) -> bool {
        self.users.effective == 0
    }

    pub(super) fn ids(&self, kind: Kind) -> Ids {
        match kind {
            Kind::User => self.users,
            Kind::Group => self.groups,
        }
    }

    /// What the process is after such a call.
    pub(super) fn changed(&self, kind: Kind, change: Change) -> Result<Self, Errno> {
        let ids = self.ids(kind).changed(change, self.is_privileged())?;
        Ok(match kind {
            Kind::User => Self { users: ids, ..self.clone() },
            Kind::Group => Self { groups: ids, ..self.clone() },
        })
    }

    /// What the process is after `setgroups`.
    pub(super) fn with_others(&self, others: Vec<u32>) -> Result<Self, Errno> {
        if self.is_privileged() { Ok(Self { others, ..self.clone() }) } else { Err(Errno::PERM) }
    }

    /// What the process is after executing a program; set-id programs come with the ids of their owner.
    pub(super) fn executing(&self, user: Option<u32>, group: Option<u32>) -> Self {
        let execute = |ids: Ids, set: Option<u32>| {
            let effective = set.unwrap_or(ids.effective);
            Ids { effective, saved: effective, file_system: effective, ..ids }
        };
        Self {
            users: execute(self.users, user),
            groups: execute(self.groups, group),
            others: self.others.clone(),
        }
    }

    /// Whether the process may give a file of that owner to another (chown(2)).
    pub(super) fn may_give(&self, owner: u32, user: Option<u32>, group: Option<u32>) -> bool {
        let is_owner = owner == self.users.file_system;
        let keeps_user = user.is_none_or(|user| user == owner);
        let knows_group =
            group.is_none_or(|group| group == self.groups.file_system || self.others.contains(&group));
        self.is_privileged() || (is_owner && keeps_user && knows_group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(credentials: &Credentials) -> [u32; 4] {
        let Ids { real, effective, saved, file_system } = credentials.users;
        [real, effective, saved, file_system]
    }

    #[test]
    fn root_becomes_anybody_and_does_not_come_back() {
        let root = Credentials::new(0, 0, vec![]);
        let user = root.changed(Kind::User, Change::One(1000)).unwrap();
        assert_eq!(users(&user), [1000; 4]);
        assert_eq!(user.changed(Kind::User, Change::One(0)), Err(Errno::PERM));
        assert_eq!(user.changed(Kind::Group, Change::One(5)), Err(Errno::PERM));
        assert_eq!(user.with_others(vec![1]), Err(Errno::PERM));
        assert_eq!(root.with_others(vec![1]).unwrap().others, [1]);
    }

    #[test]
    fn a_saved_id_is_a_way_back() {
        let root = Credentials::new(0, 0, vec![]);
        let away = root.changed(Kind::User, Change::Three(None, Some(7), None)).unwrap();
        assert_eq!(users(&away), [0, 7, 0, 7]);
        assert!(!away.is_privileged());
        assert_eq!(users(&away.changed(Kind::User, Change::One(0)).unwrap()), [0; 4]);
        let swapped = root.changed(Kind::User, Change::RealAndEffective(Some(7), Some(0))).unwrap();
        assert_eq!(users(&swapped), [7, 0, 0, 0]);
        let given_up = root.changed(Kind::User, Change::RealAndEffective(None, Some(7))).unwrap();
        assert_eq!(users(&given_up), [0, 7, 7, 7]);
        let same = away.changed(Kind::User, Change::RealAndEffective(None, Some(0))).unwrap();
        assert_eq!(users(&same), [0, 0, 0, 0]);
    }

    #[test]
    fn file_system_ids_fail_without_a_word() {
        let user = Credentials::new(1000, 1000, vec![]);
        assert_eq!(user.changed(Kind::User, Change::FileSystem(5)).unwrap(), user);
        let root = Credentials::new(0, 0, vec![]);
        assert_eq!(users(&root.changed(Kind::User, Change::FileSystem(5)).unwrap()), [0, 0, 0, 5]);
    }

    #[test]
    fn set_id_programs_come_with_their_owner() {
        let user = Credentials::new(1000, 1000, vec![4]);
        let root = user.executing(Some(0), None);
        assert_eq!(users(&root), [1000, 0, 0, 0]);
        assert_eq!(root.groups, user.groups);
        let away =
            Credentials::new(0, 0, vec![]).changed(Kind::User, Change::Three(None, Some(7), None)).unwrap();
        assert_eq!(users(&away.executing(None, None)), [0, 7, 7, 7], "what is saved is what is effective");
    }

    #[test]
    fn files_are_given_away_by_root_only() {
        let user = Credentials::new(1000, 1000, vec![4]);
        assert!(user.may_give(1000, None, Some(4)) && user.may_give(1000, Some(1000), Some(1000)));
        assert!(!user.may_give(1000, Some(1001), None) && !user.may_give(1000, None, Some(5)));
        assert!(!user.may_give(0, None, Some(4)));
        assert!(Credentials::new(0, 0, vec![]).may_give(5, Some(6), Some(7)));
    }
}
