//! Build arguments, users, ignored files, and secrets, which leave no trace.

use std::fs;
use std::path::Path;

use crate::project::{Project, assert_all_cached, steps};

#[test]
fn build_arguments_reach_those_who_declare_them() {
    let text = "\
ARG BASE=nothing
FROM ${BASE}
RUN echo \"before: $NAME\" > /values
ARG NAME=default
ARG OTHER=other
ENV JOINED=$NAME-${OTHER:-unset}
RUN echo \"after: $NAME $OTHER $JOINED $HTTP_PROXY\" >> /values
CMD [\"cat\", \"/values\"]
";
    let Some(project) = Project::with_busybox(text) else { return };
    let options = ["--build-arg", "BASE=busybox", "--build-arg", "NAME=given", "-t", "app"];
    let _ = project.build(&options).success();
    let values = project.builder(&["run", "app"]).success().stdout;
    assert_eq!(values, "before: \nafter: given other given-other \n");
    let environment = project.builder(&["run", "app", "env"]).success().stdout;
    assert!(
        environment.contains("JOINED=given-other\n") && !environment.contains("NAME=given\n"),
        "{environment}"
    );
    // Another value runs again what comes after its declaration.
    let changed = project.build(&["--build-arg", "BASE=busybox", "--build-arg", "NAME=new"]).success();
    insta::assert_snapshot!(steps(&changed.stderr), @r#"
    [2/3] RUN echo "before: $NAME" > /values: CACHED
    [3/3] RUN echo "after: new other new-other $HTTP_PROXY" >> /values: DONE
    "#);
}

#[test]
fn files_belong_to_whom_they_are_given() {
    let text = "\
FROM busybox
RUN echo 'user:x:1000:1001::/home/user:/bin/sh' >> /etc/passwd && echo 'team:x:1002:' >> /etc/group
USER user
WORKDIR /work
RUN id -u > /tmp/id && id -g >> /tmp/id && pwd >> /tmp/id
COPY --chmod=640 file plain
COPY --chown=user:team --chmod=u+x,go= file given
ADD --chown=7 file number
";
    let Some(project) = Project::with_busybox(text) else { return };
    project.file("file", "text\n");
    let _ = project.build(&["-t", "app"]).success();
    let list = "cat /tmp/id; stat -c '%n %u:%g %a' . plain given number";
    let listed = project.builder(&["run", "--user", "root", "app", "sh", "-c", list]).success();
    insta::assert_snapshot!(listed.stdout, @r"
    1000
    1001
    /work
    . 1000:1001 755
    plain 0:0 640
    given 1000:1002 700
    number 7:7 644
    ");
}

#[test]
fn ignored_files_stay_outside() {
    let text = "FROM scratch\nCOPY . /\n";
    let Some(project) = Project::new(text) else { return };
    for path in ["a.log", "keep.log", "src/a.log", "src/a.rs", "target/debug/a", "target/keep/b"] {
        project.file(path, path);
    }
    let ignored =
        "# a comment\nbusybox\nDockerfile\n.dockerignore\n**/*.log\n!keep.log\ntarget\n!target/keep\n";
    project.file(".dockerignore", ignored);
    let _ = project.build(&["--output", "out"]).success();
    let found = project.tool("find", &["out", "-type", "f"]).expect("every system has it");
    let mut found: Vec<_> = found.lines().collect();
    found.sort_unstable();
    assert_eq!(found, ["out/keep.log", "out/src/a.rs", "out/target/keep/b"]);
    // What is ignored does not matter to the cache.
    project.file("a.log", "changed");
    let again = project.build(&[]).success();
    assert_all_cached(&again, 1);
}

/// Whether a file under the directory has these bytes.
fn occurs(bytes: &[u8], directory: &Path) -> bool {
    let entries = fs::read_dir(directory).expect("it is ours").flatten();
    entries.into_iter().any(|entry| {
        let kind = entry.file_type().expect("it is there");
        if kind.is_dir() {
            return occurs(bytes, &entry.path());
        }
        kind.is_file()
            && fs::read(entry.path()).expect("root may").windows(bytes.len()).any(|window| window == bytes)
    })
}

const SECRETS: &str = "\
FROM busybox
RUN --mount=type=secret,id=file --mount=type=secret,id=variable,env=TOKEN \\
    (cat /run/secrets/file; printf %s \"$TOKEN\") | md5sum > /sum && stat -c %a /run/secrets/file > /mode
RUN test ! -s /run/secrets/file && test -z \"$TOKEN\"
";

#[test]
fn secrets_leave_no_trace() {
    let Some(project) = Project::with_busybox(SECRETS) else { return };
    let (in_file, in_variable) = ("swordfish-in-a-file", "swordfish-in-a-variable");
    fs::create_dir(project.directory().join("outside")).expect("the directory is ours");
    project.write("outside/secret", in_file).expect("the directory is ours");
    let mut command = project.command(&["build", "-t", "app", "--progress=plain", "--output=type=image"]);
    command.args(["--output=type=tar,dest=app.tar", "--secret=id=file,src=outside/secret"]);
    command.args(["--secret=id=variable,env=SECRET_VARIABLE", "context"]).env("SECRET_VARIABLE", in_variable);
    let output = command.output().expect("the program can be started");
    let progress = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{progress}");
    assert!(!progress.contains("swordfish"), "{progress}");

    let expected = project.tool("sh", &["-c", &format!("printf %s {in_file}{in_variable} | md5sum")]);
    assert_eq!(Some(project.builder(&["run", "app", "cat", "/sum"]).success().stdout), expected);
    assert_eq!(project.builder(&["run", "app", "cat", "/mode"]).success().stdout, "400\n");
    assert!(occurs(b"swordfish", project.directory()), "it is in the file that is given");
    fs::remove_dir_all(project.directory().join("outside")).expect("the directory is ours");
    assert!(!occurs(b"swordfish", project.directory()), "a secret is in the store or in an archive");
    // Another value is no reason to run the step again.
    project.write("outside/secret", "other").expect("the directory is ours");
    let again = project.build(&["--secret=id=file,src=outside/secret"]).success();
    assert!(steps(&again.stderr).contains("/run/secrets/file > /mode: CACHED\n"), "{again}");
}

#[test]
fn a_secret_that_must_be_given() {
    let text = "FROM busybox\nRUN --mount=type=secret,id=key,required true\n";
    let Some(project) = Project::with_busybox(text) else { return };
    let failed = project.build(&[]);
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(failed.stderr.contains("secret key: not found"), "{failed}");
}
