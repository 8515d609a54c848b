//! Owners and users in a user namespace with a single id.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, chown, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use sandbox::{Mount, MountKind, Overlay, Owner, Ownership, Process, Spec, Stdio, Stream};

use crate::rootless::{NOBODY, lines, own_copy, root_of_nobody};
use crate::{Root, pipe, sandbox, spawn_in};

/// Started again as an ordinary user: runs a script in a sandbox that records owners.
pub(crate) const SINGLE_ID: &str = "__single_id";

const ATTRIBUTE: &str = "user.test.owner";

pub(crate) fn be_a_single_id(root: &str, uid: &str, script: &str) -> ! {
    sandbox::rootless::enter().unwrap();
    let root = Path::new(root);
    let overlay =
        Overlay { lowers: vec![root.join("base")], upper: root.join("upper"), work: root.join("work") };
    let mut process = Process::new(["/bin/sh", "-c", script]);
    process.env.push(("PATH".into(), "/bin".into()));
    process.uid = uid.parse().unwrap();
    process.gid = process.uid;
    process.cwd = "/tmp".into();
    process.additional_gids = vec![process.gid, 77];
    let mut spec = Spec::new(overlay, process);
    let link = fs::symlink_metadata(root.join("base/etc/link")).unwrap().ino();
    let links = vec![(link, Owner { uid: 21, gid: 22 })];
    spec.ownership = Some(Ownership { attribute: ATTRIBUTE.to_owned(), given: root.join("given"), links });
    let secret = MountKind::File { content: b"text".to_vec(), mode: 0o400, uid: 41, gid: 42 };
    spec.mounts.push(Mount { target: "/tmp/secret".into(), kind: secret });
    let (mut out, stdout) = pipe();
    let stdio = Stdio { stdout: Stream::Descriptor(stdout), stderr: Stream::Inherit, ..Stdio::default() };
    let mut running = spawn_in(&sandbox(), &spec, stdio).unwrap();
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    println!("{text}{:?}", running.wait().unwrap());
    std::process::exit(0)
}

/// A root in which all files are recorded to be root's, a link is not, and a user `app` is known.
fn prepared() -> Root {
    let root = root_of_nobody();
    let base = root.path("base");
    fs::write(base.join("etc/passwd"), "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/tmp:/bin/sh\n").unwrap();
    fs::write(base.join("etc/group"), "app:x:1001:\nextra:x:1002:app\n").unwrap();
    std::os::unix::fs::symlink("passwd", base.join("etc/link")).unwrap();
    for name in ["chown", "mkdir", "touch", "ln", "su", "mknod", "mv", "cd", "chmod"] {
        std::os::unix::fs::symlink("busybox", base.join("bin").join(name)).unwrap();
    }
    for name in ["", "bin", "bin/busybox", "etc", "etc/gone", "etc/passwd", "etc/group", "tmp"] {
        chown(base.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
        rustix::fs::setxattr(base.join(name), ATTRIBUTE, b"0:0", rustix::fs::XattrFlags::empty()).unwrap();
    }
    lchown(base.join("etc/link"), Some(NOBODY), Some(NOBODY)).unwrap();
    root
}

/// What the script prints, line by line, without the exit code, which is 0.
fn output(root: &Root, uid: &str, script: &str) -> Vec<String> {
    let mut command = Command::new(own_copy(root));
    command.arg(SINGLE_ID).arg(root.directory.path()).args([uid, script]).uid(NOBODY).gid(NOBODY);
    let mut text = lines(&mut command);
    assert_eq!(text.pop().as_deref(), Some("Code(0)"), "{text:?}");
    text
}

fn record(root: &Root, path: &str) -> String {
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(root.path("upper").join(path), ATTRIBUTE, &mut value[..]).unwrap();
    String::from_utf8(value[..length].to_vec()).unwrap()
}

pub(crate) fn owners_are_recorded_and_shown() {
    let root = prepared();
    let script = "mkdir d && touch d/f && ln -s f d/l && chown -hR 5:6 d && stat -c %u:%g d d/f d/l; \
                  chown 7 d/l; stat -c %u:%g d/f d/l; chmod 4755 d/f; chown :8 d/f; stat -c %u:%g:%a d/f; \
                  stat -c %u:%g /etc/link /etc/gone; chown 9 /etc/gone; stat -c %u:%g /etc/gone; \
                  chown -h 31:32 /etc/link && mv /etc/link renamed && stat -c %u:%g renamed; \
                  mknod null c 1 3 && chown 1:2 null && stat -c %u:%g:%t:%T:%F null; \
                  chown 5 missing 2> /dev/null || echo missing; chown 5 /dev/stdout && echo stdout; id -G; \
                  stat -c %u:%g /tmp/secret";
    let text = output(&root, "0", script);
    let expected = [
        "5:6",
        "5:6",
        "5:6",
        "7:6",
        "5:6",
        "7:8:755",
        "21:22",
        "0:0",
        "9:0",
        "31:32",
        "1:2:1:3:character special file",
        "missing",
        "stdout",
        "0 77",
        "41:42",
    ];
    assert_eq!(text, expected);
    assert_eq!((record(&root, "tmp/d/f"), record(&root, "etc/gone")), ("7:8".into(), "9:0".into()));
    assert_eq!(record(&root, "tmp/null"), "1:2:char:1:3");
    let given = fs::read_to_string(root.path("given")).unwrap();
    let inode = fs::symlink_metadata(root.path("upper/tmp/renamed")).unwrap().ino();
    let last = given.lines().last().unwrap();
    assert!(last.starts_with(&format!("{inode} ")) && last.ends_with(" 31 32"), "{given}");
    // The files themselves belong to the user who ran it.
    assert_eq!(fs::metadata(root.path("upper/tmp/d/f")).unwrap().uid(), NOBODY);
}

pub(crate) fn paths_stay_in_the_root() {
    let root = prepared();
    let outside = root.path("outside");
    File::create(&outside).unwrap();
    chown(&outside, Some(NOBODY), Some(NOBODY)).unwrap();
    let script = "chown 5 ../../../../../../etc/gone; ln -s /etc/passwd absolute; chown 6 absolute; \
                  ln -s ../../../../../../../../etc/group up; chown 7 up; mkdir in; cd in; chown 8 ../up; \
                  chown 9 /../../../etc; chown 5 \"$(cat /tmp/outside)\" 2> /dev/null || echo refused";
    let inside = root.path("base/tmp/outside");
    fs::write(&inside, outside.as_os_str().as_encoded_bytes()).unwrap();
    assert_eq!(output(&root, "0", script), ["refused"]);
    let records = ["etc/gone", "etc/passwd", "etc/group", "etc"].map(|path| record(&root, path));
    assert_eq!(records, ["5:0", "6:0", "8:0", "9:0"]);
    assert!(rustix::fs::getxattr(&outside, ATTRIBUTE, &mut [0; 8][..]).is_err());
}

pub(crate) fn processes_become_other_users() {
    let root = prepared();
    let script = "su app -c 'id; (id -u; (id -u)); touch mine; mkdir dir; ln -s x link; echo > opened; \
                  mknod pipe p; stat -c %u:%g mine dir link opened pipe; chown 0 mine 2> /dev/null || echo refused; \
                  chown :1002 mine && stat -c %u:%g mine; umask 077; echo > private; stat -c %a private'; \
                  id -u; touch of-root; stat -c %u of-root";
    let text = output(&root, "0", script);
    let expected = [
        "uid=1000(app) gid=1001(app) groups=1001(app),1002(extra)",
        "1000",
        "1000",
        "1000:1001",
        "1000:1001",
        "1000:1001",
        "1000:1001",
        "1000:1001",
        "refused",
        "1000:1002",
        "600",
        "0",
        "0",
    ];
    assert_eq!(text, expected);
    assert_eq!(
        (record(&root, "tmp/mine"), record(&root, "tmp/dir")),
        ("1000:1002".into(), "1000:1001".into())
    );
    let unrecorded = rustix::fs::getxattr(root.path("upper/tmp/of-root"), ATTRIBUTE, &mut [0; 8][..]);
    assert!(unrecorded.is_err(), "what is new is the first process's without a record");
}

pub(crate) fn the_first_process_can_be_anybody() {
    let root = prepared();
    let script = "id -u; id -g; id -G; touch new; ln -s x link; stat -c %u:%g new link /etc/gone /etc/link; \
                  chown 5 new 2> /dev/null || echo refused; id -u > /dev/stdout";
    let text = output(&root, "1000", script);
    assert_eq!(
        text,
        ["1000", "1000", "1000 77", "1000:1000", "1000:1000", "0:0", "21:22", "refused", "1000"]
    );
}
