//! What the processes of a step gave away: links, pipes and sockets, by inode.
//!
//! A process may rename or remove what it has given away, so a path would not do. Who runs the processes adds lines
//! to `ROOT/drafts/<id>/given` meanwhile: `inode seconds nanoseconds uid gid`, in decimal, where the time is that of
//! the inode's birth, since a number is used again when its inode is gone. The file is read once, when the draft is
//! committed, and goes with the draft.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, StatxFlags};

use super::Owner;

/// The name of the file.
pub(crate) const GIVEN: &str = "given";

/// An inode of the upper directory, and when it was born.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Birth {
    number: u64,
    seconds: i64,
    nanoseconds: u32,
}

impl Birth {
    /// Of a name in an open directory, which is not followed.
    pub(super) fn of_name(directory: impl AsFd, name: &Path) -> io::Result<Self> {
        let mask = StatxFlags::INO | StatxFlags::BTIME;
        let status = rustix::fs::statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, mask)?;
        let time = status.stx_btime;
        Ok(Self { number: status.stx_ino, seconds: time.tv_sec, nanoseconds: time.tv_nsec })
    }
}

/// All lines; none where no process gave anything away.
pub(super) fn read(file: &Path) -> io::Result<HashMap<Birth, Owner>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(error),
    };
    text.lines().map(|line| parse(line).ok_or_else(|| io::ErrorKind::InvalidData.into())).collect()
}

fn parse(line: &str) -> Option<(Birth, Owner)> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [number, seconds, nanoseconds, uid, gid] = fields[..] else { return None };
    let birth = Birth {
        number: number.parse().ok()?,
        seconds: seconds.parse().ok()?,
        nanoseconds: nanoseconds.parse().ok()?,
    };
    Some((birth, Owner { uid: uid.parse().ok()?, gid: gid.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_an_inode_counts() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(GIVEN);
        assert!(read(&file).unwrap().is_empty());
        std::fs::write(&file, "7 -1 5 1 2\n7 -1 5 3 4\n8 0 0 5 6\n").unwrap();
        let birth = Birth { number: 7, seconds: -1, nanoseconds: 5 };
        let given = read(&file).unwrap();
        assert_eq!((given.len(), given.get(&birth)), (2, Some(&Owner { uid: 3, gid: 4 })));
        std::fs::write(&file, "7 -1 5 1\n").unwrap();
        assert!(read(&file).is_err());
    }
}
