//! Overlay mounts.
//!
//! All of overlayfs' optional features that would leave marks in the upper directory (index, metacopy,
//! redirects, xino) are off: an upper directory has to be a plain, portable change set. In a user namespace
//! overlayfs keeps its own marks in `user.overlay.*` instead of `trusted.overlay.*` attributes.
//!
//! A writable overlay is `volatile`: without that, unmounting it, which is the end of every sandbox, would write
//! back everything that is dirty on the file system of the upper directory, whoever wrote it, and so would every
//! fsync inside (a package manager makes thousands). So what the process wrote survives its death, but not a
//! power failure, until somebody has synced that file system. A work directory can be used once that way.
//!
//! Layers are added one by one (`lowerdir+`, Linux 6.7), up to the kernel's limit of 500. Older kernels take
//! them as one string, see [`legacy`].

use std::fmt::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags, UnmountFlags};

use super::{FileSystem, Refusal, Tree, in_user_namespace};
use crate::spec::Overlay;

/// Options that keep an upper directory portable. `nofollow`: redirects in a layer are not obeyed either.
const PORTABLE: [(&str, &str); 4] =
    [("redirect_dir", "nofollow"), ("index", "off"), ("metacopy", "off"), ("xino", "off")];

/// Leaves writing back to whoever wants to keep the upper directory.
const VOLATILE: &str = "volatile";

/// Longest value that `fsconfig` takes as a string.
const STRING_LIMIT: usize = 255;

/// A writable union.
pub(crate) fn overlay(directories: &Overlay) -> Result<Tree, Refusal> {
    mount(&directories.lowers, Some((&directories.upper, &directories.work)))
}

/// A read-only union.
pub(crate) fn read_only_overlay(lowers: &[PathBuf]) -> Result<Tree, Refusal> {
    if let [only] = lowers {
        // Overlayfs refuses to show one directory alone.
        let tree = Tree::copy_of(only, false)?;
        tree.make_read_only()?;
        return Ok(tree);
    }
    mount(lowers, None)
}

fn mount(lowers: &[PathBuf], writable: Option<(&Path, &Path)>) -> Result<Tree, Refusal> {
    let private_marks = in_user_namespace()?;
    if !takes_layers_one_by_one() {
        return legacy(lowers, writable, private_marks);
    }
    let overlay = FileSystem::open("overlay")?;
    overlay.set("source", "overlay")?;
    // Descriptors that stand for long paths, open until the mount is made.
    let mut open = Vec::new();
    for lower in lowers {
        overlay.set("lowerdir+", short(lower, &mut open)?)?;
    }
    if let Some((upper, work)) = writable {
        overlay.set("upperdir", short(upper, &mut open)?)?;
        overlay.set("workdir", short(work, &mut open)?)?;
        overlay.set_flag(VOLATILE)?;
    }
    for (option, value) in PORTABLE {
        overlay.set(option, value)?;
    }
    if private_marks {
        overlay.set_flag("userxattr")?;
    }
    overlay.mount(MountAttrFlags::empty())
}

/// `path`, or where it is too long for `fsconfig` or has a character that overlayfs takes for its own, a
/// link to it.
fn short(path: &Path, open: &mut Vec<OwnedFd>) -> Result<PathBuf, Refusal> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() <= STRING_LIMIT && !bytes.contains(&b'\\') {
        return Ok(path.to_owned());
    }
    let descriptor = open_directory(path)?;
    let link = PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
    open.push(descriptor);
    Ok(link)
}

fn open_directory(path: &Path) -> Result<OwnedFd, Refusal> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
        .map_err(|errno| Refusal { errno, detail: Some(path.display().to_string()) })
}

/// Whether this kernel is Linux 6.7 or newer, the first with `lowerdir+`.
fn takes_layers_one_by_one() -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (6, 7),
        _ => true,
    }
}

/// Mounts with mount(2), whose options are one string of at most a page. The layers are opened and named
/// relative to `/proc/self/fd`, four or five bytes each, so that hundreds of them fit.
fn legacy(
    lowers: &[PathBuf],
    writable: Option<(&Path, &Path)>,
    private_marks: bool,
) -> Result<Tree, Refusal> {
    let open: Vec<OwnedFd> = lowers.iter().map(|lower| open_directory(lower)).collect::<Result<_, _>>()?;
    let names: Vec<String> = open.iter().map(|descriptor| descriptor.as_raw_fd().to_string()).collect();
    let mut options = format!("lowerdir={}", names.join(":"));
    let mut kept = Vec::new();
    if let Some((upper, work)) = writable {
        for (option, path) in [("upperdir", upper), ("workdir", work)] {
            let descriptor = open_directory(path)?;
            let _ = write!(options, ",{option}={}", descriptor.as_raw_fd());
            kept.push(descriptor);
        }
        options.push(',');
        options.push_str(VOLATILE);
    }
    for (option, value) in PORTABLE {
        let _ = write!(options, ",{option}={value}");
    }
    if private_marks {
        options.push_str(",userxattr");
    }
    // Mounted for a moment over its own first layer, in a mount namespace that nobody else uses, and taken
    // from there.
    let place =
        lowers.first().ok_or(Refusal { errno: Errno::INVAL, detail: Some("no layers".to_owned()) })?;
    let options = std::ffi::CString::new(options).map_err(|_| Errno::INVAL)?;
    rustix::process::chdir("/proc/self/fd")?;
    let mounted = rustix::mount::mount("overlay", place, "overlay", MountFlags::empty(), options.as_c_str());
    rustix::process::chdir("/")?;
    mounted?;
    let tree = Tree::copy_of(place, false);
    rustix::mount::unmount(place, UnmountFlags::DETACH)?;
    Ok(tree?)
}

#[cfg(test)]
#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use rustix::mount::{MountPropagationFlags, mount_change};
    use rustix::thread::UnshareFlags;

    use super::*;

    /// What older kernels get, on the kernel of this machine, which knows both ways.
    #[test]
    fn legacy_mounts_show_hundreds_of_layers() {
        if fs::metadata("/proc/self").map(|own| own.uid()).unwrap() != 0 {
            eprintln!("SKIPPED: legacy_mounts_show_hundreds_of_layers: needs root");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let make = |name: String| {
            let path = directory.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let lowers: Vec<PathBuf> = (0..200).map(|number| make(format!("layer{number}"))).collect();
        for (number, lower) in lowers.iter().enumerate() {
            fs::write(lower.join("same"), number.to_string()).unwrap();
            fs::write(lower.join(format!("own{number}")), "").unwrap();
        }
        let (upper, work) = (make("upper".to_owned()), make("work".to_owned()));
        // The mount namespace and the working directory of this thread only.
        let thread = std::thread::spawn(move || {
            crate::sys::unshare(UnshareFlags::NEWNS).unwrap();
            mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).unwrap();
            let tree = legacy(&lowers, Some((&upper, &work)), false).unwrap();
            let read = |name: &str| {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&tree, name, flags, Mode::empty()).unwrap();
                std::io::read_to_string(fs::File::from(file)).unwrap()
            };
            assert_eq!(read("same"), "0");
            assert_eq!(read("own199"), "");
            assert!(fs::metadata(lowers[0].join("own1")).is_err(), "the first layer is not covered any more");
        });
        thread.join().unwrap();
    }
}
