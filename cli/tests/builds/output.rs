//! What steps write: in its order, however much it is, and without secrets.

use std::process::Stdio;

use crate::project::Project;

/// What a step wrote, from plain progress: without numbers and times.
fn written(progress: &str) -> Vec<&str> {
    let timed =
        progress.lines().filter_map(|line| line.strip_prefix('#')?.split_once(' ')?.1.split_once(' '));
    let is_time = |word: &str| word.contains('.') && word.parse::<f64>().is_ok();
    timed.filter(|(time, _)| is_time(time)).map(|(_, text)| text).collect()
}

#[test]
fn both_streams_keep_their_order() {
    let text =
        "FROM busybox\nRUN i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done\n";
    let Some(project) = Project::with_busybox(text) else { return };
    let built = project.build(&["--progress=plain"]).success();
    let expected: Vec<String> =
        (0..500).flat_map(|number| [format!("out {number}"), format!("err {number}")]).collect();
    assert_eq!(written(&built.stderr), expected);
}

#[test]
fn a_last_line_without_an_end_is_shown() {
    let Some(project) = Project::with_busybox("FROM busybox\nRUN printf 'no end'\n") else { return };
    let built = project.build(&["--progress=plain"]).success();
    assert_eq!(written(&built.stderr), ["no end"]);
}

#[test]
fn very_much_output_stalls_nothing() {
    let text = "FROM busybox\nRUN dd if=/dev/zero bs=1M count=200 && yes line | head -n 200000 >&2\n";
    let Some(project) = Project::with_busybox(text) else { return };
    for progress in ["plain", "tty", "rawjson", "quiet"] {
        let progress = format!("--progress={progress}");
        let mut command = project.command(&["build", "--no-cache", &progress, "context"]);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.expect("the program can be started").success(), "{progress}");
    }
}

#[test]
fn a_step_may_close_its_streams_and_leave_processes_with_them() {
    let text =
        "FROM busybox\nRUN sleep 1000 & exec >&- 2>&-; test -d /proc\nRUN (sleep 1000 &) ; echo done\n";
    let Some(project) = Project::with_busybox(text) else { return };
    let built = project.build(&["--progress=plain"]).success();
    assert_eq!(written(&built.stderr), ["done"]);
}

#[test]
fn secrets_are_not_shown() {
    let text = "\
FROM busybox
RUN --mount=type=secret,id=file --mount=type=secret,id=variable,env=TOKEN \\
    echo token $TOKEN; cat /run/secrets/file >&2; printf sword; echo fish; exit 3
";
    let Some(project) = Project::with_busybox(text) else { return };
    project.write("secret", "first line of a key\nxyz\nlast line of a key\n").expect("the directory is ours");
    let secrets = ["--secret=id=file,src=secret", "--secret=id=variable,env=SECRET_VARIABLE"];
    for progress in ["plain", "rawjson"] {
        let progress = format!("--progress={progress}");
        let mut command = project.command(&[&["build", &progress][..], &secrets, &["context"]].concat());
        let output =
            command.env("SECRET_VARIABLE", "swordfish").output().expect("the program can be started");
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{shown}");
        assert!(!shown.contains("swordfish") && !shown.contains("line of a key"), "{shown}");
        if progress.ends_with("plain") {
            assert_eq!(written(&shown), ["token ****", "****", "****"], "{shown}");
        }
    }
}
