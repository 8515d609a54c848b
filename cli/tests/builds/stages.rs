//! What is built, what is cached, what runs at the same time.

use std::process::Stdio;

use crate::project::{Project, assert_all_cached, steps};

const STAGES: &str = r#"
FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]

FROM base AS make
WORKDIR /work
ADD input.txt .
RUN tr a-z A-Z < input.txt > output.txt && echo "translated $(wc -c < output.txt) bytes"

FROM base
ENV GREETING=hello
COPY --from=make /work/output.txt /output.txt
CMD ["sh", "-c", "echo $GREETING; cat /output.txt"]
"#;

#[test]
fn an_image_is_built_from_nothing_and_then_cached() {
    let Some(project) = Project::new(STAGES) else { return };
    project.file("input.txt", "some text\n");
    let built = project.build(&["-t", "app:1"]).success();
    assert!(built.stderr.contains(" translated 10 bytes\n"), "{built}");
    insta::assert_snapshot!(steps(&built.stderr), @r#"
    [base 1/2] COPY busybox /bin/busybox: DONE
    [base 2/2] RUN ["/bin/busybox", "--install", "-s", "/bin"]: DONE
    [make 1/3] WORKDIR /work: DONE
    [make 2/3] ADD input.txt .: DONE
    [make 3/3] RUN tr a-z A-Z < input.txt > output.txt && echo "translated $(wc -c < output.txt) bytes": DONE
    [stage-2 1/1] COPY --from=make /work/output.txt /output.txt: DONE
    "#);
    assert_eq!(project.builder(&["run", "app:1"]).success().stdout, "hello\nSOME TEXT\n");
    let id = project.builder(&["images", "-q", "--no-trunc"]).success().stdout;

    let again = project.build(&["-t", "app:1"]).success();
    assert_all_cached(&again, 6);
    assert!(!again.stderr.contains("translated 10"), "{again}");
    assert_eq!(project.builder(&["images", "-q", "--no-trunc"]).success().stdout, id);

    let history = project.builder(&["history", "--no-trunc", "app:1"]).success().stdout;
    let columns = |line: &str| {
        line.split("   ").filter(|word| !word.is_empty()).map(str::trim).nth(2).map(str::to_owned)
    };
    insta::assert_snapshot!(history.lines().filter_map(columns).collect::<Vec<_>>().join("\n"), @r#"
    CREATED BY
    CMD ["sh" "-c" "echo $GREETING; cat /output.txt"]
    COPY /work/output.txt /output.txt # buildkit
    ENV GREETING=hello
    RUN /bin/busybox --install -s /bin # buildkit
    COPY busybox /bin/busybox # buildkit
    "#);
}

#[test]
fn a_changed_file_runs_what_reads_it_and_no_more() {
    let Some(project) = Project::new(STAGES) else { return };
    project.file("input.txt", "some text\n");
    let _ = project.build(&["-t", "app"]).success();
    project.file("input.txt", "other text\n");
    let changed = project.build(&["-t", "app"]).success();
    insta::assert_snapshot!(steps(&changed.stderr), @r#"
    [base 1/2] COPY busybox /bin/busybox: CACHED
    [base 2/2] RUN ["/bin/busybox", "--install", "-s", "/bin"]: CACHED
    [make 1/3] WORKDIR /work: CACHED
    [make 2/3] ADD input.txt .: DONE
    [make 3/3] RUN tr a-z A-Z < input.txt > output.txt && echo "translated $(wc -c < output.txt) bytes": DONE
    [stage-2 1/1] COPY --from=make /work/output.txt /output.txt: DONE
    "#);
    assert!(changed.stderr.contains("not cached: input.txt changed"), "{changed}");
    assert_eq!(project.builder(&["run", "app"]).success().stdout, "hello\nOTHER TEXT\n");
    // What was built first is still there.
    project.file("input.txt", "some text\n");
    let back = project.build(&["-t", "app"]).success();
    assert_all_cached(&back, 6);
}

/// Each of two stages waits for a file of the other, for about a minute.
const TOGETHER: &str = r#"
FROM busybox AS meet
COPY --chmod=755 <<'EOF' /bin/meet
#!/bin/sh
touch /shared/$1
for attempt in $(seq 6000); do
  if [ -e /shared/$2 ]; then echo "$1 met $2" > /$1; exit; fi
  usleep 10000
done
echo "$1 was alone"
exit 1
EOF

FROM meet AS one
RUN --mount=type=cache,id=meeting,target=/shared,sharing=shared meet one other

FROM meet AS other
RUN --mount=type=cache,id=meeting,target=/shared,sharing=shared meet other one

FROM scratch
COPY --from=one /one /
COPY --from=other /other /
"#;

#[test]
fn stages_that_need_not_wait_run_at_the_same_time() {
    let Some(project) = Project::with_busybox(TOGETHER) else { return };
    let _ = project.build(&["--output", "out"]).success();
    assert_eq!(
        (project.read("out/one"), project.read("out/other")),
        ("one met other\n".into(), "other met one\n".into())
    );
}

#[test]
fn a_step_may_mount_a_cache_twice() {
    for sharing in ["shared", "private", "locked"] {
        let mount = |target| format!("--mount=type=cache,id=twice,sharing={sharing},target={target}");
        let text = format!("FROM busybox\nRUN {} {} touch /a/x && ls /b/x\n", mount("/a"), mount("/b"));
        let Some(project) = Project::with_busybox(&text) else { return };
        let _ = project.build(&[]).success();
    }
}

#[test]
fn stages_that_nobody_needs_are_not_built() {
    let text = "FROM busybox AS broken\nRUN false\nFROM busybox AS good\nRUN true\nFROM broken\n";
    let Some(project) = Project::with_busybox(text) else { return };
    let built = project.build(&["--target", "good", "-t", "good"]).success();
    assert!(!built.stderr.contains("RUN false"), "{built}");
}

#[test]
fn builds_at_the_same_time_share_a_store() {
    let Some(project) = Project::new(STAGES) else { return };
    project.file("input.txt", "some text\n");
    let builders: Vec<_> = (0..3)
        .map(|_| {
            let mut command = project.command(&["build", "-t", "app", "context"]);
            command.stderr(Stdio::piped()).spawn().expect("the program can be started")
        })
        .collect();
    for builder in builders {
        let output = builder.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(project.builder(&["run", "app"]).success().stdout, "hello\nSOME TEXT\n");
}
