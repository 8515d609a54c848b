//! A place of the host that no build may read or change, and archives that try.
//!
//! ```text
//! [DIRECTORY]/outside/file    what every attempt is aimed at
//! ```
//!
//! Attempts name it by its path, `[OUTSIDE]`, so one that succeeds changes just this directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use tar::{Builder, EntryType, Header};
use testkit::command::Ran;

use crate::project::Project;

/// More steps up than any path here has components.
const TO_THE_ROOT: &str = "../../../../../../../../../..";

const CONTENT: &str = "of the host";

/// A project, and the place beside its context.
pub(crate) struct Target {
    project: Project,
    /// The absolute path of the place.
    pub(crate) path: String,
    before: Vec<String>,
}

impl Deref for Target {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

impl Target {
    /// In a Dockerfile `[OUTSIDE]` is the absolute path of the place, and `[UP]` the same by way of `..`.
    pub(crate) fn new(dockerfile: &str) -> Option<Self> {
        let project = Project::with_busybox("")?;
        project.write("outside/file", CONTENT).expect("the directory is ours");
        let path = project.directory().join("outside").display().to_string();
        let before = observe(Path::new(&path));
        let target = Self { project, path, before };
        target.dockerfile(&target.aimed(dockerfile));
        Some(target)
    }

    /// A text with the paths in it.
    pub(crate) fn aimed(&self, text: &str) -> String {
        text.replace("[OUTSIDE]", &self.path).replace("[UP]", &format!("{TO_THE_ROOT}{}", self.path))
    }

    /// Makes a symbolic link of the context, or of another directory of the project.
    pub(crate) fn link(&self, path: &str, target: &str) {
        let path = self.directory().join(path);
        fs::create_dir_all(path.parent().expect("it is in the project")).expect("the directory is ours");
        symlink(self.aimed(target), path).expect("the directory is ours");
    }

    /// Builds, with the files of the result in `image.tar`. Whether that works or not, nothing outside has changed.
    #[track_caller]
    pub(crate) fn attempt(&self, options: &[&str]) -> Ran {
        if let Err(error) = fs::remove_file(self.directory().join("image.tar")) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
        }
        let ran = self.build(&[&["--output", "type=tar,dest=image.tar"], options].concat());
        self.assert_untouched(&ran.to_string());
        let image = fs::read(self.directory().join("image.tar")).unwrap_or_default();
        for seen in [&image[..], ran.stdout.as_bytes(), ran.stderr.as_bytes()] {
            let is_read = seen.windows(CONTENT.len()).any(|part| part == CONTENT.as_bytes());
            assert!(!is_read, "what is outside was read: {ran}");
        }
        ran
    }

    /// What is outside is what it was.
    #[track_caller]
    pub(crate) fn assert_untouched(&self, attempt: &str) {
        assert_eq!(observe(Path::new(&self.path)), self.before, "{attempt}");
    }

    /// The files and links that `image.tar` has, sorted, without those of the base image: `path = content`, `path -> target`,
    /// `path == other name`; other things with their type.
    pub(crate) fn image(&self) -> Vec<String> {
        let bytes = fs::read(self.directory().join("image.tar")).expect("it was exported");
        let mut found: BTreeMap<String, String> = entries(&bytes).into_iter().collect();
        found.retain(|name, _| !["bin/", "etc/"].iter().any(|base| name.starts_with(base)));
        // A directory in which something is need not be named.
        let names: Vec<String> = found.keys().cloned().collect();
        let is_needed = |name: &str| {
            let has_more = names.iter().any(|other| other.len() > name.len() && other.starts_with(name));
            !name.ends_with('/') || (!has_more && !["dev/", "proc/", "root/", "tmp/"].contains(&name))
        };
        let shown = found.into_iter().filter(|(name, _)| is_needed(name));
        let inside = self.path.trim_start_matches('/');
        let lines = shown.map(|(name, kind)| name + &kind);
        let lines = lines.map(|line| line.replace(&self.path, "[OUTSIDE]").replace(inside, "[INSIDE]"));
        // The place of the path in the order depends on where the machine has its temporary files.
        lines.collect::<BTreeSet<String>>().into_iter().collect()
    }
}

/// What a directory has: names, kinds, sizes, times and contents.
fn observe(path: &Path) -> Vec<String> {
    let metadata = fs::symlink_metadata(path).expect("it is there");
    let (mode, owner) = (metadata.mode(), (metadata.uid(), metadata.gid()));
    let (inode, changed) = (metadata.ino(), (metadata.ctime(), metadata.ctime_nsec()));
    let content = if metadata.is_file() { fs::read(path).expect("it is ours") } else { Vec::new() };
    let own = format!("{} {mode:o} {owner:?} {inode} {changed:?} {content:?}", path.display());
    let mut found = vec![own];
    if metadata.is_dir() {
        let mut entries: Vec<_> =
            fs::read_dir(path).expect("it is ours").map(|entry| entry.expect("it is ours").path()).collect();
        entries.sort();
        found.extend(entries.iter().flat_map(|entry| observe(entry)));
    }
    found
}

/// The entries of an archive: each name, and what it is.
fn entries(archive: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let describe = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.expect("an archive");
        let link = entry.link_name_bytes().map(|link| text(&link)).unwrap_or_default();
        let kind = match entry.header().entry_type() {
            EntryType::Directory => String::new(),
            EntryType::Symlink => format!(" -> {link}"),
            EntryType::Link => format!(" == {link}"),
            EntryType::Regular => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).expect("an archive");
                format!(" = {}", text(&content))
            }
            other => format!(" {other:?}"),
        };
        (text(&entry.path_bytes()), kind)
    };
    tar::Archive::new(archive).entries().expect("an archive").map(describe).collect()
}

/// An archive built entry by entry, with names and targets exactly as given.
pub(crate) struct Archive(Builder<Vec<u8>>);

impl Archive {
    pub(crate) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub(crate) fn file(self, name: &str) -> Self {
        self.text(name, "new")
    }

    pub(crate) fn text(self, name: &str, content: &str) -> Self {
        self.add(header(EntryType::Regular, name, ""), [("path", name)], content)
    }

    pub(crate) fn directory(self, name: &str) -> Self {
        self.add(header(EntryType::Directory, name, ""), [("path", name)], "")
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.add(header(EntryType::Symlink, name, target), [("path", name), ("linkpath", target)], "")
    }

    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.add(header(EntryType::Link, name, target), [("path", name), ("linkpath", target)], "")
    }

    /// A character device. 1 stands for the memory of the machine, 0 for what overlays take as deleted.
    pub(crate) fn device(self, name: &str, number: u32) -> Self {
        let mut header = header(EntryType::Char, name, "");
        header.set_device_major(number).expect("ustar has it");
        header.set_device_minor(number).expect("ustar has it");
        self.add(header, [("path", name)], "")
    }

    /// Adds an entry, with a record before it for each text that its header has no place for.
    fn add<const N: usize>(mut self, mut header: Header, texts: [(&str, &str); N], content: &str) -> Self {
        let long = texts.into_iter().filter(|(_, text)| text.len() > SHORT);
        let records: Vec<_> = long.map(|(key, text)| (key, text.as_bytes())).collect();
        if !records.is_empty() {
            self.0.append_pax_extensions(records).expect("memory takes everything");
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content.as_bytes()).expect("memory takes everything");
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.into_inner().expect("memory takes everything")
    }
}

/// The longest text of a header.
const SHORT: usize = 99;

fn header(kind: EntryType, name: &str, link: &str) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1000);
    // Not by the functions for paths, which refuse what this is about.
    let fields = header.as_old_mut();
    for (field, text) in [(&mut fields.name, name), (&mut fields.linkname, link)] {
        for (byte, value) in field.iter_mut().zip(text.bytes().take(SHORT)) {
            *byte = value;
        }
    }
    header
}
