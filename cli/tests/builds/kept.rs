//! Failed steps: what is kept of them, and stepping into that.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::command::Ran;

use crate::project::Project;
use crate::terminal::Terminal;

/// A step with everything around it, which fails.
const FAILING: &str = "\
FROM busybox AS other
RUN echo 'from the stage' > /file
FROM busybox
RUN echo 'user:x:1000:1001::/home/user:/bin/sh' >> /etc/passwd && mkdir -m 777 /work && echo old > /work/old
ENV NAME=value
USER user
WORKDIR /work
RUN --mount=type=bind,target=/context --mount=type=bind,from=other,source=/file,target=/of-stage \\
    --mount=type=cache,target=/cache,uid=1000 --mount=type=tmpfs,target=/memory --network=none \\
    echo kept > /cache/file; echo lost > /memory/file; rm old; echo new > new; mkdir made; exit 3
";

/// A project whose build has failed with that exit code of the step.
fn failed(dockerfile: &str, options: &[&str]) -> Option<Project> {
    let project = Project::with_busybox(dockerfile)?;
    project.file("source", "from the context\n");
    project.file("ignored", "nobody sees it\n");
    project.file(".dockerignore", "ignored\n");
    let ran = project.build(options);
    assert_eq!(ran.code, Some(1), "{ran}");
    Some(project)
}

/// The failed steps that are listed, as JSON.
fn listed(project: &Project) -> Vec<Value> {
    let ran = project.builder(&["failures", "--format", "json"]).success();
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

/// `builder shell OPTIONS -- sh -c SCRIPT`.
fn shell(project: &Project, options: &[&str], script: &str) -> Ran {
    project.builder(&[&["shell"], options, &["--", "sh", "-c", script]].concat())
}

#[test]
fn the_surroundings_of_a_failed_step_are_there_again() {
    let Some(project) = failed(FAILING, &["-t", "app"]) else { return };
    let script = "pwd; id -u; id -g; echo $NAME $HOME; ls; cat new /context/source /of-stage /cache/file; \
                  ls /context /memory; ls /sys/class/net; echo x > /of-stage; echo mine > more; exit 7";
    insta::assert_snapshot!(shell(&project, &[], script), @r"
    exit 7
    -- stdout
    /work
    1000
    1001
    value /home/user
    made
    new
    new
    from the context
    from the stage
    kept
    /context:
    Dockerfile
    busybox
    source

    /memory:
    lo
    -- stderr
    sh: can't create /of-stage: Read-only file system
    ");
    // What the process wrote is gone, and the state before the step is as it was.
    assert_eq!(shell(&project, &[], "ls").success().stdout, "made\nnew\n");
    assert_eq!(shell(&project, &["--before"], "ls; cat old").success().stdout, "old\nold\n");
    assert_eq!(fs::read_dir(project.directory().join("store/drafts")).expect("it is there").count(), 0);
}

#[test]
fn a_failed_step_says_what_it_was() {
    let Some(project) =
        failed("FROM busybox AS make\nRUN echo told; echo aloud >&2; exit 3\n", &["-t", "app"])
    else {
        return;
    };
    let listed = listed(&project);
    let [step] = listed.as_slice() else { panic!("{listed:?}") };
    let field = |name: &str| &step[name];
    assert_eq!(field("step"), "[2/2] RUN echo told; echo aloud >&2; exit 3");
    assert_eq!((field("dockerfile"), field("line")), (&"Dockerfile".into(), &2.into()));
    assert_eq!((field("stage"), field("exit")), (&"make".into(), &3.into()));
    assert_eq!(field("images"), &serde_json::json!(["app:latest"]));
    let mut output: Vec<_> = field("output").as_array().expect("lines").iter().collect();
    output.sort_by_key(ToString::to_string);
    assert_eq!(output, ["aloud", "told"]);
    let id = field("id").as_str().expect("text");
    assert_eq!(project.builder(&["shell", id, "--", "true"]).code, Some(0));
    let table = project.builder(&["failures"]).success().stdout;
    assert!(table.contains(id) && table.contains("Dockerfile:2   [2/2] RUN echo told;"), "{table}");
}

#[test]
fn what_a_step_changed_is_listed_and_copied_out() {
    let text = "FROM busybox\nRUN mkdir -p /d/deep && echo one > /d/one && echo two > /d/deep/two && chmod 600 /d/one \
                && ln -s one /d/link && ln -s /d /ln && rm /etc/group && echo x >> /etc/passwd && exit 1\n";
    let Some(project) = failed(text, &[]) else { return };
    insta::assert_snapshot!(project.builder(&["diff"]).success().stdout, @r"
    A /d
    A /d/deep
    A /d/deep/two
    A /d/link
    A /d/one
    C /etc
    D /etc/group
    C /etc/passwd
    A /ln
    ");
    let copy = |source: &str, destination: &str| project.builder(&["cp", source, destination]);
    let _ = copy(":/d/one", "file").success();
    assert_eq!(project.read("file"), "one\n");
    let mode = fs::metadata(project.directory().join("file")).expect("it was copied").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A directory becomes the destination, or goes into it, or its content does.
    for (source, path) in
        [(":/d", "out/one"), (":d", "out/d/one"), (":/d/deep/.", "out/two"), (":/ln/.", "out/link")]
    {
        let _ = copy(source, "out").success();
        assert!(project.directory().join(path).symlink_metadata().is_ok(), "{source} gives {path}");
    }
    let _ = project.builder(&["cp", "-L", ":/d/link", "followed"]).success();
    assert!(fs::symlink_metadata(project.directory().join("followed")).expect("it was copied").is_file());

    let refused = |source: &str, destination: &str| {
        let ran = copy(source, destination);
        assert_ne!(ran.code, Some(0), "{ran}");
        ran.stderr
    };
    assert_eq!(refused(":/nothing", "x"), "ERROR: could not find /nothing\n");
    assert_eq!(refused(":/d", "file"), "ERROR: cannot copy a directory to the file [DIRECTORY]/file\n");
    assert_eq!(refused(":/d/one", "no/"), "ERROR: no such directory: [DIRECTORY]/no/\n");
    assert_eq!(refused(":/d/one/", "x"), "ERROR: /d/one/ is not a directory\n");
    project.write("taken/one/file", "").expect("the directory is ours");
    assert_eq!(
        refused(":/d/one", "taken"),
        "ERROR: cannot copy a file to the directory [DIRECTORY]/taken/one\n"
    );
}

#[test]
fn files_are_copied_out_as_an_archive() {
    let Some(project) = failed("FROM busybox\nRUN mkdir /d && echo one > /d/one && exit 1\n", &[]) else {
        return;
    };
    let names = |source: &str| {
        let output = project.command(&["cp", source, "-"]).output().expect("the program can be started");
        assert!(output.status.success());
        let mut archive = tar::Archive::new(output.stdout.as_slice());
        let entries = archive.entries().expect("it is an archive");
        let paths =
            entries.map(|entry| entry.expect("it is whole").path().expect("a path").display().to_string());
        paths.collect::<Vec<_>>()
    };
    assert_eq!(names(":/d"), ["d/", "d/one"]);
    assert_eq!(names(":/d/."), ["one"]);
    assert_eq!(names(":/d/one"), ["one"]);
}

#[test]
fn secrets_are_asked_for_anew_and_never_kept() {
    let text = "FROM busybox\n\
                RUN --mount=type=secret,id=needed,required --mount=type=secret,id=other,env=OTHER \
                cp /run/secrets/needed /dev/shm/; test -n \"$OTHER\" && exit 4\n";
    let Some(project) = Project::with_busybox(text) else { return };
    let (needed, other) = ("the-needed-one-7f3a", "the-other-one-9c2b");
    project.file("../needed", needed);
    project.file("../other", other);
    let ran = project.build(&["--secret", "id=needed,src=needed", "--secret", "id=other,src=other"]);
    assert!(ran.stderr.contains("exit code: 4\n"), "{ran}");

    insta::assert_snapshot!(shell(&project, &[], "true"), @r"
    exit 125
    -- stderr
    note: without secret other (--secret id=other)
    hint: no secret is kept with a step: give it anew, --secret id=needed,src=FILE
    ERROR: secret needed: not found
    ");
    let script = "cat /run/secrets/needed; echo; echo \"other: $OTHER\"";
    let given = shell(&project, &["--secret", "id=needed,src=needed"], script).success();
    assert_eq!(given.stdout, format!("{needed}\nother: \n"));
    let both = ["--secret", "id=needed,src=needed", "--secret", "id=other,src=other"];
    assert_eq!(shell(&project, &both, script).success().stdout, format!("{needed}\nother: {other}\n"));
    for value in [needed, other] {
        let found = std::process::Command::new("grep")
            .args(["-r", "-l", value, "store"])
            .current_dir(project.directory())
            .output()
            .expect("every system has grep");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    }
}

#[test]
fn the_last_few_are_kept() {
    let Some(project) = failed("FROM busybox\nARG N\nRUN echo $N > /n; false\n", &["--build-arg", "N=0"])
    else {
        return;
    };
    let build = |options: &[&str]| assert_eq!(project.build(options).code, Some(1));
    for argument in ["N=1", "N=2", "N=3"] {
        build(&["--build-arg", argument]);
    }
    let numbers = || {
        let ids = listed(&project)
            .iter()
            .map(|step| step["id"].as_str().expect("text").to_owned())
            .collect::<Vec<_>>();
        let number = |id: &String| project.builder(&["shell", id, "--", "cat", "/n"]).success().stdout;
        ids.iter().map(number).collect::<String>()
    };
    assert_eq!(numbers(), "3\n2\n1\n");
    // They need neither the tag of their base nor the image.
    let _ = project.builder(&["rmi", "busybox"]).success();
    assert_eq!(numbers(), "3\n2\n1\n");
    let _ = project
        .run_with_input(&["import", "-", "busybox"], testkit::images::busybox_root().expect("it was made"));
    build(&["--build-arg", "N=4", "--on-fail=drop"]);
    assert_eq!(numbers(), "3\n2\n1\n");
    build(&["--build-arg", "N=5", "--keep-failures=2"]);
    assert_eq!(numbers(), "5\n3\n");
    let id = listed(&project)[1]["id"].as_str().expect("text").to_owned();
    assert_eq!(project.builder(&["failures", "rm", &id]).success().stdout, format!("{id}\n"));
    assert_eq!(numbers(), "5\n");
    let _ = project.builder(&["failures", "rm", "--all"]).success();
    insta::assert_snapshot!(project.builder(&["diff"]), @r"
    exit 1
    -- stderr
    hint: the last steps that failed are kept, unless the build has --on-fail=drop
    ERROR: no failed step is kept
    ");
    assert_eq!(shell(&project, &["beef"], "true").code, Some(125));
}

#[test]
fn a_step_that_somebody_looks_into_stays() {
    let Some(project) = failed("FROM busybox\nARG N\nRUN echo $N > /n; false\n", &["--build-arg", "N=0"])
    else {
        return;
    };
    let mut command = project.command(&["shell"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it can be started");
    let mut input = child.stdin.take().expect("it is piped");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    input.write_all(b"echo ready\n").expect("the shell reads");
    output.read_line(&mut line).expect("the shell writes");
    assert_eq!(line, "ready\n");
    let id = listed(&project)[0]["id"].as_str().expect("text").to_owned();
    let removed = project.builder(&["failures", "rm", &id]);
    assert_eq!(removed.stderr, format!("ERROR: the failed step {id} is in use\n"));
    for argument in ["N=1", "N=2"] {
        assert_eq!(project.build(&["--build-arg", argument, "--keep-failures=1"]).code, Some(1));
    }
    line.clear();
    input.write_all(b"cat /n; exit 6\n").expect("the shell reads");
    output.read_line(&mut line).expect("the shell writes");
    assert_eq!(line, "0\n");
    assert_eq!(child.wait().expect("it ends").code(), Some(6));
    assert_eq!(listed(&project).len(), 2, "the latest, and the one that was in use");
}

#[test]
fn a_step_can_be_run_again_after_an_edit() {
    let text = "FROM busybox\nRUN --mount=type=bind,target=/c grep good /c/source && echo done > /result\n";
    let Some(project) = failed(text, &[]) else { return };
    let again = project.builder(&["rerun"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(1), ""), "{again}");
    project.file("source", "good\n");
    insta::assert_snapshot!(project.builder(&["rerun"]), @r"
    exit 0
    -- stdout
    good
    -- stderr
    [2/2] RUN --mount=type=bind,target=/c grep good /c/source && echo done > /result succeeds now: the next build runs it
    ");
    let _ = project.build(&["-t", "app"]).success();
}

#[test]
fn reports_are_saved_from_a_failed_step() {
    let text = "FROM busybox\nARG N\nRUN mkdir /reports && echo $N > /reports/n && false\n";
    let options = [
        "--export-on-failure",
        "/reports:saved/here",
        "--export-on-failure",
        "/reports/n:saved/",
        "--export-on-failure",
        "/nope:x",
    ];
    let Some(project) = Project::with_busybox(text) else { return };
    for (number, flag) in [("1", "--on-fail=keep"), ("2", "--on-fail=drop")] {
        let argument = format!("N={number}");
        let ran = project.build(&[&options[..], &["--build-arg", &argument, flag]].concat());
        assert_eq!(ran.code, Some(1), "{ran}");
        let note = "note: /nope of the failed step was not copied to [DIRECTORY]/x: could not find /nope\n";
        assert!(ran.stderr.contains(note), "{ran}");
        assert!(ran.stderr.ends_with("exit code: 1\n"), "{ran}");
        assert_eq!(project.read("saved/here/n"), format!("{number}\n"));
        assert_eq!(project.read("saved/n"), format!("{number}\n"));
    }
    assert_eq!(listed(&project).len(), 1);
}

#[test]
fn an_image_without_a_shell_can_be_given_one() {
    let text = "FROM scratch\nCOPY busybox /b/busybox\nRUN [\"/b/busybox\", \"sh\", \"-c\", \"echo x > /left; exit 5\"]\n";
    let Some(project) = failed(text, &[]) else { return };
    insta::assert_snapshot!(project.builder(&["shell"]), @r"
    exit 125
    -- stderr
    hint: -- COMMAND runs a program that is there; --with FILE brings one along that needs no libraries, such as the busybox of package busybox-static
    ERROR: there is no shell in the image of the step: none of /bin/bash, /bin/sh, /bin/busybox is there
    ");
    let typed = |arguments: &[&str]| {
        let ran =
            project.run_with_input(arguments, b"busybox cat /left; exit 8\n").expect("it can be started");
        assert_eq!(ran.stdout, "x\n", "{ran}");
        ran.code
    };
    assert_eq!(typed(&["shell", "--with", "/bin/busybox"]), Some(8));
    assert_eq!(project.builder(&["shell", "--", "/b/busybox", "cat", "/left"]).success().stdout, "x\n");
    assert_eq!(project.builder(&["shell", "--", "/nothing"]).code, Some(127));
    assert_eq!(project.builder(&["shell", "--with", "/nothing"]).code, Some(125));
    assert_eq!(project.builder(&["diff"]).success().stdout, "A /left\n");
}

#[test]
fn the_shell_is_the_one_of_the_step() {
    let text = "FROM busybox\nRUN ln /bin/busybox /bin/ash2 && printf '#!/bin/sh\\necho special\\n' > /bin/special \
                && chmod +x /bin/special\nSHELL [\"special\", \"-c\"]\nRUN [\"false\"]\n";
    let Some(project) = failed(text, &[]) else { return };
    assert_eq!(project.builder(&["shell"]).success().stdout, "special\n");
}

#[test]
fn a_shell_has_the_terminal() {
    let Some(project) = failed(FAILING, &[]) else { return };
    let mut terminal = Terminal::start(project.command(&["shell"]));
    terminal.wait_for("/work $ ");
    terminal.enter("cat new; stty size; echo $((6 * 7))-$TERM");
    terminal.wait_for("new\r\n40 100\r\n42-dumb\r\n");
    terminal.enter("exit 9");
    assert_eq!(terminal.end(), Some(9));
}

#[test]
fn a_shell_opens_when_a_build_fails() {
    let text = "FROM busybox\nRUN --mount=type=secret,id=token,required echo left > /left && exit 3\n";
    let Some(project) = Project::with_busybox(text) else { return };
    project.file("../token", "of the build");
    let arguments =
        ["build", "--on-fail=shell", "--progress=plain", "--secret", "id=token,src=token", "context"];
    let mut terminal = Terminal::start(project.command(&arguments));
    terminal.wait_for("ERROR: failed to build: ");
    terminal.wait_for("/ # ");
    terminal.enter("cat /left /run/secrets/token; echo");
    terminal.wait_for("left\r\nof the build\r\n");
    terminal.enter("exit 0");
    assert_eq!(terminal.end(), Some(1));
    // Where nobody can type, the step is kept and nothing else happens.
    assert_eq!(project.builder(&arguments).code, Some(1));
    assert_eq!(listed(&project).len(), 2);
}

#[test]
fn other_failures_keep_nothing() {
    let Some(project) = failed("FROM busybox\nCOPY nothing /\n", &[]) else { return };
    project.dockerfile("FROM busybox\nUSER nobody-here\nRUN true\n");
    assert_eq!(project.build(&[]).code, Some(1));
    assert_eq!(listed(&project), [] as [Value; 0]);
}

#[test]
fn a_builder_that_is_killed_keeps_a_step_whole_or_not_at_all() {
    let text = "FROM busybox\nRUN head -c 300000 /dev/urandom > /left; echo ended; exit 1\n";
    let Some(project) = Project::with_busybox(text) else { return };
    for _ in 0..8 {
        let mut command = project.command(&["build", "--progress=plain", "context"]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program can be started");
        let mut progress = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        while !line.ends_with(" ended\n") {
            line.clear();
            assert_ne!(progress.read_line(&mut line).expect("a pipe can be read"), 0, "the build ended");
        }
        // From here on it waits for the process, keeps the step, and reports: it dies somewhere in that.
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        child.wait().expect("it ends");
        let steps = listed(&project);
        assert!(steps.len() <= 4, "{steps:?}");
        for step in &steps {
            let id = step["id"].as_str().expect("text");
            let size = project.builder(&["shell", id, "--", "stat", "-c", "%s", "/left"]).success().stdout;
            assert_eq!((size.as_str(), &step["exit"]), ("300000\n", &1.into()));
        }
    }
    assert_eq!(fs::read_dir(project.directory().join("store/drafts")).expect("it is there").count(), 0);
}

#[test]
fn steps_that_run_on_copies_are_kept_alike() {
    let text = "FROM busybox\nRUN echo old > /old; echo same > /same\nRUN rm /old; echo new > /new; exit 3\n";
    let options = ["--snapshotter=copy", "--export-on-failure=/new:new", "--export-on-failure=/old:old"];
    let Some(project) = failed(text, &options) else { return };
    assert_eq!(project.read("new"), "new\n");
    assert!(!project.directory().join("old").exists());
    assert_eq!(project.builder(&["diff"]).success().stdout, "A /new\nD /old\n");
    for snapshotter in ["copy", "overlay"] {
        let shell = |arguments: &[&str]| {
            project.builder(&[&["--snapshotter", snapshotter, "shell"], arguments].concat()).success().stdout
        };
        assert_eq!(shell(&["--", "cat", "/new", "/same"]), "new\nsame\n");
        assert_eq!(shell(&["--before", "--", "cat", "/old"]), "old\n");
    }
}
