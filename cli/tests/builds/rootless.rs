//! Builds of ordinary users.
//!
//! Root takes the part of `nobody`, who may not see the build directory: the program is copied.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::project::{BUILDER, Project};

/// An ordinary user that every distribution has.
const NOBODY: u32 = 65534;

const DOCKERFILE: &str = "\
FROM scratch
COPY busybox /bin/busybox
RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]
COPY <<EOF /etc/passwd
root:x:0:0::/root:/bin/sh
user:x:1000:1000::/home/user:/bin/sh
EOF
RUN id -u > /id && rm /bin/cat && ln -s busybox /bin/cat
";

/// A project that `nobody` owns, and a program that `nobody` may execute.
pub(crate) struct OrdinaryUser {
    pub(crate) project: Project,
    _programs: TempDir,
}

impl OrdinaryUser {
    pub(crate) fn new(dockerfile: &str) -> Option<Self> {
        if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            eprintln!("SKIPPED: only root can take the part of another user");
            return None;
        }
        let programs = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let program = programs.path().join("builder");
        fs::copy(BUILDER, &program).expect("the program is there");
        let project = Project::of_program(&program, dockerfile)?;
        give(project.directory());
        let user = Self { project, _programs: programs };
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "true"]).uid(NOBODY).gid(NOBODY);
        if !command.output().is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: ordinary users may not make user namespaces here");
            return None;
        }
        Some(user)
    }

    /// Runs `builder` as that user.
    pub(crate) fn builder(&self, arguments: &[&str]) -> Output {
        let mut command = self.project.command(arguments);
        command.uid(NOBODY).gid(NOBODY).output().expect("the program can be started")
    }

    /// The same in a mount namespace in which the user has subordinate ids.
    pub(crate) fn builder_with_ranges(&self, arguments: &[&str]) -> Output {
        self.project.write("ranges", "nobody:200000:65536\n").expect("the directory is ours");
        self.builder_after("mount --bind ranges /etc/subuid && mount --bind ranges /etc/subgid", arguments)
    }

    /// The same in a mount namespace in which root has done something before.
    pub(crate) fn builder_after(&self, preparation: &str, arguments: &[&str]) -> Output {
        let builder = self.project.command(arguments);
        let script =
            format!("{preparation} && exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, "sh"]).arg(builder.get_program()).args(arguments);
        command.env_clear().envs(builder.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.project.directory()).output().expect("the program can be started")
    }
}

/// Makes `nobody` the owner of a directory and all that is in it.
pub(crate) fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
    if path.is_dir() {
        fs::read_dir(path).expect("root may").flatten().for_each(|entry| give(&entry.path()));
    }
}

#[track_caller]
pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Owners of every kind, from every source: files of the context, an archive, and what processes make of them.
const OWNERS: &str = "\
FROM scratch AS made
COPY busybox /bin/busybox
RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]
COPY <<EOF /etc/passwd
root:x:0:0::/root:/bin/sh
user:x:1000:1000::/home/user:/bin/sh
EOF
COPY --chown=5:6 --chmod=4755 busybox /copied/
ADD owned.tar /added/
WORKDIR /home/user
RUN mkdir -m 2770 shared && chown user:50 . shared && touch shared/inherits && ln -s x link && chown -h 7:8 link
RUN su user -c 'id -u && umask 027 && mkdir own && echo x > own/file && ln -s file own/link && mknod own/pipe p' \
    && mknod /null c 1 3 && chown -R 9:9 /added && chmod u+s /added/dir/file
RUN chown -h user link /bin/cat && mv link moved && [ $(stat -c %u:%g:%a /copied/busybox) = 5:6:4755 ]
FROM scratch
COPY --from=made / /
USER user
RUN [ $(id -u):$(stat -c %u /etc/passwd):$(stat -c %u /home/user/own) = 1000:0:1000 ] \
    && cd /home/user && echo y > mine && ln -s mine to-mine
";

/// The entries of an archive without their times.
fn entries(project: &Project, archive: &str) -> Vec<String> {
    let listed = project.tool("tar", &["--numeric-owner", "-tvf", archive]).expect("tar is there");
    let without_times = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.drain(3..5);
        words.join(" ")
    };
    listed.lines().map(without_times).collect()
}

#[test]
fn without_subordinate_ids_images_are_those_of_root() {
    let Some(user) = OrdinaryUser::new(OWNERS) else { return };
    let Some(root) = Project::new(OWNERS) else { return };
    for project in [&root, &user.project] {
        fs::create_dir(project.directory().join("context/dir")).expect("the directory is ours");
        project.file("dir/file", "text");
        let owned =
            ["--owner=1234", "--group=4321", "--mode=0750", "-C", "context", "-cf", "context/owned.tar"];
        project.tool("tar", &[&owned[..], &["dir"]].concat()).expect("tar is there");
    }
    give(user.project.directory());
    let export = ["build", "--output", "type=tar,dest=app.tar", "context"];
    let _ = root.builder(&export).success();
    stdout(&user.builder(&export));
    let expected = entries(&root, "app.tar");
    assert_eq!(entries(&user.project, "app.tar"), expected);
    for entry in [
        "crw-r--r-- 0/0 1,3 null",
        "lrwxrwxrwx 1000/8 0 home/user/moved -> x",
        "-rw-r--r-- 1000/1000 2 home/user/mine",
        "-rwsr-x--- 9/9 4 added/dir/file",
        "-rw-r--r-- 0/50 0 home/user/shared/inherits",
    ] {
        assert!(expected.iter().any(|line| line == entry), "{entry}: {expected:#?}");
    }
    // What lies on the disk belongs to the user.
    let owner = fs::metadata(user.project.directory().join("store/layers")).expect("it was made").uid();
    assert_eq!(owner, NOBODY);
    // Nobody else can work with it.
    let store = user.project.directory().join("store").display().to_string();
    let refused = root.builder(&["images", "--root", &store]);
    assert!(refused.stderr.contains("hint: it was made as another user"), "{refused}");
}

#[test]
fn without_subordinate_ids_containers_have_their_users() {
    let Some(user) = OrdinaryUser::new(DOCKERFILE) else { return };
    stdout(&user.builder(&["build", "-t", "app", "context"]));
    assert_eq!(stdout(&user.builder(&["run", "app", "cat", "/id"])), "0\n");
    assert_eq!(stdout(&user.builder(&["run", "--user", "user", "app", "id", "-u"])), "1000\n");
}

#[test]
fn with_subordinate_ids_there_are_many_users() {
    if !Path::new("/usr/bin/newuidmap").exists() {
        eprintln!("SKIPPED: newuidmap is missing (package uidmap)");
        return;
    }
    let text = format!("{DOCKERFILE}WORKDIR /home/user\nRUN chown user:1000 .\nUSER user\nRUN touch mine\n");
    let Some(user) = OrdinaryUser::new(&text) else { return };
    stdout(&user.builder_with_ranges(&["build", "-t", "app", "context"]));
    assert_eq!(stdout(&user.builder_with_ranges(&["run", "app", "id", "-u"])), "1000\n");
    stdout(&user.builder_with_ranges(&["build", "--output", "type=tar,dest=app.tar", "context"]));
    let listed = user.project.tool("tar", &["--numeric-owner", "-tvf", "app.tar"]).expect("tar is there");
    let of_user: Vec<_> = listed.lines().filter(|line| line.contains(" 1000/1000 ")).collect();
    assert_eq!(of_user.len(), 2, "{listed}");
}

#[test]
fn an_ordinary_user_steps_into_a_failed_step() {
    let Some(user) = OrdinaryUser::new(&format!("{DOCKERFILE}RUN echo left > /left && exit 3\n")) else {
        return;
    };
    let failed = user.builder(&["build", "context"]);
    assert_eq!(failed.status.code(), Some(1), "{}", String::from_utf8_lossy(&failed.stderr));
    assert_eq!(stdout(&user.builder(&["shell", "--", "cat", "/left"])), "left\n");
    assert_eq!(user.builder(&["shell", "--before", "--", "cat", "/left"]).status.code(), Some(1));
    assert_eq!(stdout(&user.builder(&["diff"])), "A /left\n");
    stdout(&user.builder(&["cp", ":/left", "copied"]));
    let copied = fs::metadata(user.project.directory().join("copied")).expect("it was copied");
    assert_eq!(copied.uid(), NOBODY);
    assert_eq!(user.builder(&["rerun"]).status.code(), Some(3));
    stdout(&user.builder(&["failures", "rm", "--all"]));
}
