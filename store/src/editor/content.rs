//! Moving the bytes of one file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// Copies a whole file into an empty one: by sharing its blocks where the file system can (`FICLONE`), else
/// range by range, in the kernel where it can. Holes stay holes.
pub(super) fn copy(source: &File, target: &File) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(target, source).is_ok() {
        return Ok(());
    }
    let size = source.metadata()?.len();
    target.set_len(size)?;
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(source, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break, // a hole up to the end
            Err(Errno::INVAL) => at,   // a file system that does not know holes
            Err(errno) => return Err(errno.into()),
        };
        let end = rustix::fs::seek(source, SeekFrom::Hole(start)).unwrap_or(size);
        copy_range(source, target, start, end)?;
        at = end;
    }
    Ok(())
}

fn copy_range(source: &File, target: &File, start: u64, end: u64) -> io::Result<()> {
    let mut at = start;
    while at < end {
        let (mut from, mut to) = (at, at);
        let length = usize::try_from(end - at).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(source, Some(&mut from), target, Some(&mut to), length) {
            Ok(0) => return Ok(()), // the file became shorter
            Ok(_) => at = from,
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                return copy_through_memory(source, target, at, end);
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn copy_through_memory(source: &File, target: &File, start: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut at = start;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
        let read = match source.read_at(buffer.get_mut(..wanted).unwrap_or_default(), at) {
            Ok(0) => return Ok(()), // the file became shorter
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        target.write_all_at(buffer.get(..read).unwrap_or_default(), at)?;
        at += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn holes_stay_holes_and_bytes_stay_bytes() {
        for copier in [copy as fn(&File, &File) -> io::Result<()>, |source, target| {
            copy_through_memory(source, target, 0, source.metadata()?.len())
        }] {
            let (source, target) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
            source.set_len(8 << 20).unwrap();
            source.write_all_at(b"middle", 4 << 20).unwrap();
            copier(&source, &target).unwrap();
            let mut content = vec![1; 8 << 20];
            target.read_exact_at(&mut content, 0).unwrap();
            assert_eq!(&content[4 << 20..(4 << 20) + 6], b"middle");
            assert_eq!(content.iter().filter(|&&byte| byte != 0).count(), 6);
        }
        let (source, target) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        source.set_len(8 << 20).unwrap();
        source.write_all_at(b"x", 1 << 20).unwrap();
        copy(&source, &target).unwrap();
        assert!(target.metadata().unwrap().blocks() <= source.metadata().unwrap().blocks() + 8);
    }
}
