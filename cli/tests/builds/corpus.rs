//! One corpus of Dockerfiles, built as root, as an ordinary user with subordinate ids, and as one without: the images
//! are the same, byte for byte. So they are where steps run on copies.
//!
//! Only the clock is kept out: steps give one time to whatever they touch, the files of the context have one as well,
//! and the epoch is set. What cannot be the same is listed in [`EXCEPTIONS`], and has to be different.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Mutex;
use std::thread;

use crate::project::Project;
use crate::rootless::{OrdinaryUser, give, stdout};

/// What every case is based on. `timeless` is the shell of its steps.
const BASE: &str = r#"
FROM busybox AS base
COPY --chmod=755 timeless /bin/timeless
COPY passwd group /etc/
SHELL ["/bin/timeless"]
"#;

/// Runs its argument, then gives one time to everything that is not as old as the image.
const TIMELESS: &str = "#!/bin/sh\n\
    sh -ec \"$1\"; code=$?\n\
    find / -xdev -newer /bin/busybox -exec touch -hd @9 {} + 2>/dev/null\n\
    exit $code\n";

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1001:user:/home/user:/bin/sh\n";
const GROUP: &str = "root:x:0:\nuser:x:1001:\nextra:x:1002:user\n";

/// Names and instructions. Each is a stage of its own on [`BASE`].
const CASES: &[(&str, &str)] = &[
    ("copy", "COPY tree /tree"),
    ("copy-into-root", "COPY tree /"),
    ("copy-owner-by-number", "COPY --chown=7:8 tree /tree"),
    ("copy-owner-by-name", "COPY --chown=user:extra tree /tree"),
    ("copy-mode", "COPY --chmod=4750 tree/file /file"),
    ("copy-linked", "COPY --link --chown=1000 tree /linked"),
    (
        "copy-over",
        "RUN mkdir -p /tree/directory && echo old > /tree/file && chown -R 5:5 /tree\nCOPY tree /tree",
    ),
    ("copy-from-stage", "COPY --from=made /made /copied"),
    ("copy-from-stage-with-owner", "COPY --from=made --chown=9:9 /made /copied"),
    ("add-archive", "RUN mkdir /unpacked\nADD archive.tar /unpacked"),
    ("add-archive-with-owner", "RUN mkdir /unpacked\nADD --chown=3:4 archive.tar /unpacked"),
    ("working-directory", "RUN mkdir -p /a && chown 7 /a\nWORKDIR /a\nRUN echo 1 > b"),
    (
        "user",
        "RUN mkdir /mine && chown user /mine\nUSER user\nRUN id > /mine/id && umask 077 && echo 1 > /mine/b",
    ),
    (
        "user-by-number",
        "RUN mkdir /m && chown 12:34 /m\nUSER 12:34\nRUN id -u > /m/u; id -g > /m/g; mkdir /m/d",
    ),
    (
        "groups",
        "RUN mkdir /d && chown user:extra /d && chmod 2775 /d\nUSER user\nRUN echo 1 > /d/file; mkdir /d/e",
    ),
    ("su", "RUN mkdir /mine && chown user /mine && su user -c 'id -u > /mine/id; mkdir /mine/d'"),
    ("owners", "RUN mkdir /d && for id in 1 2 300 65533; do echo $id > /d/$id; chown $id:$id /d/$id; done"),
    ("owner-of-link", "RUN ln -s target /link && chown -h 5:6 /link"),
    ("owner-again", "RUN echo 1 > /file && chown 5 /file\nRUN chown 6 /file\nRUN chown 0 /file"),
    ("owner-and-content", "RUN echo 1 > /file && chown 5:6 /file\nRUN echo 2 >> /file"),
    (
        "owner-seen",
        "RUN echo 1 > /file && chown 5:6 /file\nRUN stat -c %u:%g /file /etc /bin/busybox > /seen",
    ),
    ("owner-of-everything", "RUN chown -R 0:0 /bin /root"),
    ("modes", "RUN for mode in 0 111 644 1777 2755 4755 6755; do echo > /$mode; chmod $mode /$mode; done"),
    ("set-id-lost", "RUN echo > /file && chmod 6755 /file && chown 5:5 /file"),
    ("removed", "RUN mkdir /d && echo 1 > /d/1 && echo 2 > /d/2\nRUN rm /d/1 /etc/group\nRUN rm -r /d"),
    ("replaced", "RUN mkdir -p /d/e && echo > /d/e/old\nRUN rm -r /d && mkdir /d && echo > /d/new"),
    ("replaced-by-file", "RUN mkdir -p /d/e\nRUN rm -r /d && echo > /d\nRUN rm /d && mkdir /d"),
    ("renamed", "RUN mkdir -p /d/e && echo 1 > /d/e/file && chown -R 4:5 /d\nRUN mv /d /moved"),
    (
        "hard-links",
        "RUN echo 1 > /one && ln /one /two && chown 5 /two\nRUN ln /one /three && echo 2 >> /three",
    ),
    ("symbolic-links", "RUN ln -s /bin/sh /link && mkdir /d && ln -s ../link /d/up\nCOPY tree/file /d/up2"),
    ("pipes", "RUN mkfifo -m 640 /pipe && chown 3:4 /pipe"),
    ("devices", "RUN mknod /null c 1 3 && chmod 666 /null"),
    ("many-ids", "RUN echo > /file && chown 100000:200000 /file"),
    (
        "names",
        "RUN mkdir '/with blank' && echo > '/with blank/$x' && echo > /ünïcode && echo > /$(printf %0150d 1)",
    ),
    ("sparse", "RUN dd if=/dev/zero of=/sparse bs=1 count=1 seek=1000000 2>/dev/null"),
    ("unchanged", "RUN true\nRUN echo > /file && rm /file\nRUN chmod 755 /bin"),
    ("exec-form", "RUN [\"/bin/timeless\", \"echo 1 > /file\"]"),
    ("here-document", "RUN <<end\necho 1 > /file\nchown 2 /file\nend"),
    ("without-network", "RUN --network=none ip link | grep -c lo: > /count"),
    ("mount-stage", "RUN --mount=from=made,source=/made,target=/m cp -a /m /copied"),
    (
        "mount-stage-writable",
        "RUN --mount=from=made,target=/m,rw rm -r /m/made && echo > /m/x && ls /m > /seen",
    ),
    (
        "mount-context",
        "RUN --mount=target=/context cp /context/tree/file /file && stat -c %u /context/tree > /owner",
    ),
    (
        "mount-cache",
        "RUN --mount=type=cache,id=a,target=/cache,uid=5,mode=750 stat -c '%u %a' /cache > /seen; echo > /cache/x",
    ),
    (
        "mount-cache-from-stage",
        "RUN --mount=type=cache,id=b,target=/cache,from=made,source=/made cp -a /cache /copied",
    ),
    (
        "mount-memory",
        "RUN --mount=type=tmpfs,target=/memory echo > /memory/x && stat -c '%u %a' /memory > /seen",
    ),
    (
        "mount-secret",
        "RUN --mount=type=secret,id=s,uid=1000,mode=440 stat -c '%u %a' /run/secrets/s > /seen && cat /run/secrets/s",
    ),
    ("mount-on-missing-directory", "RUN --mount=type=tmpfs,target=/not/there echo > /file"),
    (
        "configuration",
        "ENV A=1\nLABEL l=2\nEXPOSE 80\nVOLUME /v\nCMD [\"x\"]\nENTRYPOINT [\"y\"]\nSTOPSIGNAL 9\nUSER 5:6\nHEALTHCHECK CMD z",
    ),
];

/// A stage that cases take files from: owners, modes, links.
const MADE: &str = "FROM base AS made\nRUN mkdir -p /made/d && echo 1 > /made/d/file && ln -s d/file /made/link && \
                    ln /made/d/file /made/hard && chmod 4711 /made/d/file && chown 5:6 /made/d && chown -h 7 /made/link\n";

/// Who builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Builder {
    Root,
    RootOnCopies,
    WithRanges,
    WithoutRanges,
    WithoutRangesOnCopies,
}

impl Builder {
    /// The same user, where overlays can be mounted.
    fn user(self) -> Self {
        match self {
            Self::Root | Self::RootOnCopies => Self::Root,
            Self::WithRanges => Self::WithRanges,
            Self::WithoutRanges | Self::WithoutRangesOnCopies => Self::WithoutRanges,
        }
    }
}

/// What these users cannot do, and why.
const EXCEPTIONS: &[(&str, Builder, &str)] = &[
    ("devices", Builder::WithRanges, "the kernel lets nobody in a user namespace make device nodes"),
    ("many-ids", Builder::WithRanges, "a range of 65536 ids has no id 100000"),
    (
        "mount-stage",
        Builder::WithoutRanges,
        "links of other trees show no recorded owner: they belong to root",
    ),
    (
        "mount-cache-from-stage",
        Builder::WithoutRanges,
        "links of other trees show no recorded owner: they belong to root",
    ),
];

impl fmt::Display for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::RootOnCopies => "root-on-copies",
            Self::WithRanges => "with-ranges",
            Self::WithoutRanges => "without-ranges",
            Self::WithoutRangesOnCopies => "without-ranges-on-copies",
        })
    }
}

/// What came of each case for each user: the image, or the errors.
type Results = BTreeMap<(&'static str, Builder), Result<Vec<u8>, String>>;

fn dockerfile() -> String {
    let mut text = format!("FROM busybox AS exported\n{BASE}\n{MADE}\n");
    for (name, instructions) in CASES {
        let _ = writeln!(text, "FROM base AS {name}\n{instructions}");
    }
    text
}

/// Writes the context, with one time for all of it.
fn write_context(project: &Project) {
    for (path, content) in [
        ("timeless", TIMELESS),
        ("passwd", PASSWD),
        ("group", GROUP),
        ("tree/file", "file\n"),
        ("tree/directory/deep", "deep\n"),
    ] {
        project.file(path, content);
    }
    project.write("secret", "secret").expect("the directory is ours");
    fs::write(project.directory().join("context/archive.tar"), archive()).expect("the directory is ours");
    let all = "find context -exec touch -hd @0 {} +";
    let _ = project.tool("sh", &["-c", all]).expect("a shell is there");
}

/// An archive with owners, a link, a hard link, a pipe and a device.
fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, target: &str, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).expect("it is short");
        header.set_entry_type(kind);
        header.set_mode(0o2751);
        header.set_uid(11);
        header.set_gid(12);
        header.set_mtime(1);
        header.set_size(content.len() as u64);
        if !target.is_empty() {
            header.set_link_name(target).expect("it is short");
        }
        header.set_cksum();
        archive.append(&header, content).expect("memory takes everything");
    };
    add("d/", tar::EntryType::Directory, "", b"");
    add("d/file", tar::EntryType::Regular, "", b"content");
    add("d/link", tar::EntryType::Symlink, "file", b"");
    add("d/hard", tar::EntryType::Link, "d/file", b"");
    add("d/pipe", tar::EntryType::Fifo, "", b"");
    archive.into_inner().expect("memory takes everything")
}

fn run(user: &OrdinaryUser, builder: Builder, arguments: &[&str]) -> Output {
    let store = format!("store-{builder}");
    let view = if builder == builder.user() { "overlay" } else { "copy" };
    let arguments = [&["--root", &store, "--snapshotter", view], arguments].concat();
    match builder.user() {
        Builder::WithRanges => user.builder_with_ranges(&arguments),
        Builder::WithoutRanges => user.builder(&arguments),
        _ => user.project.command(&arguments).output().expect("the program can be started"),
    }
}

/// Builds every case as one user.
fn build_all(user: &OrdinaryUser, builder: Builder, results: &Mutex<Results>) {
    let layout = "--build-context=busybox=oci-layout://bases";
    for (name, _) in CASES {
        let image = format!("out-{builder}/{name}.tar");
        let output = format!("--output=type=oci,dest={image}");
        let secret = "--secret=id=s,src=secret";
        let epoch = "--build-arg=SOURCE_DATE_EPOCH=9";
        let built =
            run(user, builder, &["build", "--target", name, layout, &output, secret, epoch, "context"]);
        let result = if built.status.success() {
            Ok(fs::read(user.project.directory().join(image)).expect("it was written"))
        } else {
            Err(String::from_utf8_lossy(&built.stderr).into_owned())
        };
        results.lock().expect("no thread panicked").insert((name, builder), result);
    }
}

#[test]
fn every_user_builds_the_same_images() {
    let Some(user) = OrdinaryUser::new(&dockerfile()) else { return };
    let Some(root) = testkit::images::busybox_root() else { return };
    write_context(&user.project);
    user.project.write("busybox.tar", root).expect("the directory is ours");
    let mut builders = vec![Builder::Root, Builder::RootOnCopies];
    builders.extend([Builder::WithoutRanges, Builder::WithoutRangesOnCopies]);
    if Path::new("/usr/bin/newuidmap").exists() {
        builders.push(Builder::WithRanges);
    } else {
        eprintln!("SKIPPED: newuidmap is missing (package uidmap): nobody has subordinate ids");
    }
    for builder in &builders {
        fs::create_dir(user.project.directory().join(format!("out-{builder}")))
            .expect("the directory is ours");
        give(&user.project.directory().join(format!("out-{builder}")));
    }
    stdout(&run(&user, Builder::Root, &["import", "busybox.tar", "busybox"]));
    let export = "--output=type=oci,tar=false,dest=bases";
    stdout(&run(&user, Builder::Root, &["build", "--target=exported", export, "context"]));
    give(&user.project.directory().join("bases"));
    let results = Mutex::default();
    thread::scope(|scope| {
        for builder in &builders {
            scope.spawn(|| build_all(&user, *builder, &results));
        }
    });
    let results = results.into_inner().expect("no thread panicked");
    compare(&user.project, &results, &builders);
}

/// Panics with everything that is not as it should be.
fn compare(project: &Project, results: &Results, builders: &[Builder]) {
    let mut wrong = Vec::new();
    for (name, _) in CASES {
        let expected = match &results[&(*name, Builder::Root)] {
            Ok(image) => image,
            Err(errors) => {
                wrong.push(format!("{name} as root: {errors}"));
                continue;
            }
        };
        for builder in builders.iter().copied().filter(|builder| *builder != Builder::Root) {
            let exception = EXCEPTIONS.iter().find(|(case, who, _)| case == name && *who == builder.user());
            match (&results[&(*name, builder)], exception) {
                (Ok(image), None) if image == expected => {}
                (Ok(image), None) => {
                    let (one, other) = (listing(project, expected), listing(project, image));
                    wrong.push(format!("{name} {builder}:\n{}", difference(&one, &other)));
                }
                (Err(errors), None) => wrong.push(format!("{name} {builder}: {errors}")),
                (Ok(image), Some((.., reason))) if image == expected => {
                    wrong.push(format!("{name} {builder} is no exception any more: {reason}"));
                }
                (_, Some(_)) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is in an image archive: its documents, and the entries of its layers.
fn listing(project: &Project, image: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in tar::Archive::new(image).entries().expect("an archive") {
        let mut entry = entry.expect("an archive");
        let mut blob = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut blob).expect("an archive");
        if blob.starts_with(b"{\"") {
            // A config; what else is there are digests.
            lines.push(String::from_utf8_lossy(&blob).into_owned());
        } else if blob.starts_with(&[0x1f, 0x8b]) {
            project.write("layer", &blob).expect("the directory is ours");
            let entries = project.tool("tar", &["--numeric-owner", "--full-time", "-tvzf", "layer"]);
            lines.extend(entries.expect("tar is there").lines().map(str::to_owned));
        }
    }
    lines
}

fn difference(expected: &[String], found: &[String]) -> String {
    let mut text = String::new();
    for (these, those, sign) in [(expected, found, '-'), (found, expected, '+')] {
        for line in these.iter().filter(|line| !those.contains(line)) {
            let _ = writeln!(text, "  {sign} {line}");
        }
    }
    text
}
