//! What is printed, and what is left, when a build fails.

use testkit::command::Ran;

use crate::project::{Project, steps};

/// What is printed about the failure: without the progress of the steps, times, and names of kept steps.
pub(crate) fn complaint(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(1), "{ran}");
    let unnumbered =
        ran.stderr.lines().filter(|line| !line.starts_with('#') && !line.starts_with("warning: "));
    let nameless = unnumbered.map(|line| match line.strip_prefix("→ builder shell ") {
        Some(rest) => {
            format!("→ builder shell [STEP]{}", rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
        }
        None => line.to_owned(),
    });
    nameless.collect::<Vec<_>>().join("\n").trim_start().to_owned()
}

/// What a build that must fail prints about that, in a context with this Dockerfile.
fn complaint_about(dockerfile: &str, options: &[&str]) -> Option<String> {
    let project = Project::with_busybox(dockerfile)?;
    project.file("source.txt", "text\n");
    project.file("secret.key", "text\n");
    project.file(".dockerignore", "# keys stay here\n*.key\n");
    let text = complaint(&project.build(&[&["-t", "app"], options].concat()));
    let images = project.builder(&["images"]).success().stdout;
    assert_eq!(images.lines().count(), 2, "a failed build leaves no image, {images}");
    Some(text)
}

/// Compares what is printed about a failure.
macro_rules! assert_complaint {
    ($dockerfile:expr, $options:expr, @$expected:literal) => {
        if let Some(complaint) = complaint_about($dockerfile, $options) {
            insta::assert_snapshot!(complaint, @$expected);
        }
    };
}

#[test]
fn a_command_that_fails() {
    let text = "FROM busybox AS make\n\nRUN seq 12 && \\\n    exit 3\n\nENV A=b\nRUN true\n";
    assert_complaint!(text, &[], @r#"
    ------
     > [2/3] RUN seq 12 &&     exit 3:
    1
    2
    3
    4
    5
    6
    7
    8
    9
    10
    11
    12
    ------
    Dockerfile:3
    --------------------
       1 |     FROM busybox AS make
       2 |
       3 | >>> RUN seq 12 && \
       4 | >>>     exit 3
       5 |
       6 |     ENV A=b
       7 |     RUN true
    --------------------
    → builder shell [STEP] opens what the step left, with --before what it began with
    ERROR: failed to build: failed to solve: process "/bin/sh -c seq 12 &&     exit 3" did not complete successfully: exit code: 3
    "#);
}

#[test]
fn a_command_that_is_not_there() {
    assert_complaint!("FROM busybox\nRUN [\"no-such-command\"]\n", &[], @r#"
    Dockerfile:2
    --------------------
       1 |     FROM busybox
       2 | >>> RUN ["no-such-command"]
    --------------------
    hint: the image has no command no-such-command: install its package, or look at PATH
    → builder shell [STEP] opens what the step left, with --before what it began with
    ERROR: failed to build: failed to solve: process "no-such-command" could not be run: command not found: no-such-command
    "#);
}

#[test]
fn a_source_that_is_misspelled() {
    assert_complaint!("FROM busybox\nCOPY sorce.txt /\n", &[], @r#"
    Dockerfile:2
    --------------------
       1 |     FROM busybox
       2 | >>> COPY sorce.txt /
    --------------------
    hint: it was looked for in [DIRECTORY]/context
    hint: did you mean "source.txt"?
    ERROR: failed to build: failed to solve: source "/sorce.txt": not found
    "#);
}

#[test]
fn a_source_that_is_ignored() {
    assert_complaint!("FROM busybox\nCOPY secret.key /\n", &[], @r#"
    1 warning found:
     - CopyIgnoredFile: Attempting to Copy file "secret.key" that is excluded by .dockerignore (line 2)

    Dockerfile:2
    --------------------
       1 |     FROM busybox
       2 | >>> COPY secret.key /
    --------------------
    hint: "/secret.key" exists, and line 2 of .dockerignore excludes it: *.key
    ERROR: failed to build: failed to solve: source "/secret.key": not found
    "#);
}

#[test]
fn a_source_that_another_stage_lacks() {
    assert_complaint!("FROM busybox AS make\nFROM scratch\nCOPY --from=make /nothing /\n", &[], @r#"
    Dockerfile:3
    --------------------
       1 |     FROM busybox AS make
       2 |     FROM scratch
       3 | >>> COPY --from=make /nothing /
    --------------------
    ERROR: failed to build: failed to solve: source "/nothing": not found
    "#);
}

#[test]
fn an_instruction_that_does_not_exist() {
    assert_complaint!("FROM busybox\nRUN true\n  COPPY a b\n", &[], @r#"
    Dockerfile:3
    --------------------
       1 |     FROM busybox
       2 |     RUN true
       3 | >>>   COPPY a b
         |       ^^^^^
    --------------------
    hint: did you mean COPY?
    ERROR: failed to build: failed to solve: Dockerfile:3:3: unknown instruction: COPPY
    "#);
}

#[test]
fn a_flag_that_does_not_exist() {
    assert_complaint!("FROM busybox\nCOPY --chwon=1 \\\n  source.txt /\n", &[], @r#"
    Dockerfile:2
    --------------------
       1 |     FROM busybox
       2 | >>> COPY --chwon=1 \
         |          ^^^^^^^^^
       3 |       source.txt /
    --------------------
    hint: did you mean chown?
    ERROR: failed to build: failed to solve: Dockerfile:2:6: unknown flag: --chwon
    "#);
}

#[test]
fn a_target_that_does_not_exist() {
    assert_complaint!("FROM busybox AS build\nFROM busybox AS final\n", &["--target", "biuld"], @r#"
    ERROR: failed to build: failed to solve: target stage "biuld" could not be found (did you mean build?)
    "#);
}

#[test]
fn a_dockerfile_that_does_not_exist() {
    assert_complaint!("FROM busybox\n", &["-f", "Dockerfil"], @r#"
    ERROR: failed to build: failed to solve: failed to read dockerfile: open Dockerfil: No such file or directory (os error 2)
    "#);
}

#[test]
fn a_variable_that_does_not_exist() {
    assert_complaint!("FROM busybox\nARG NAME\nENV X=\"${NAMES?is not set}\"\n", &[], @r#"
    Dockerfile:3
    --------------------
       1 |     FROM busybox
       2 |     ARG NAME
       3 | >>> ENV X="${NAMES?is not set}"
         |           ^^^^^^^^^^^^^^^^^^^^^
    --------------------
    hint: did you mean $NAME?
    ERROR: failed to build: failed to solve: Dockerfile:3:7: failed to process "\"${NAMES?is not set}\"": NAMES: is not set
    "#);
}

#[test]
fn steps_that_were_completed_stay_in_the_cache() {
    let text = "FROM busybox\nRUN echo first > /first\nARG STATUS\nRUN exit $STATUS\n";
    let Some(project) = Project::with_busybox(text) else { return };
    let failed = project.build(&["--build-arg", "STATUS=1"]);
    assert_eq!(failed.code, Some(1), "{failed}");
    let again = project.build(&["--build-arg", "STATUS=1"]);
    insta::assert_snapshot!(steps(&again.stderr), @r#"
    [2/3] RUN echo first > /first: CACHED
    [3/3] RUN exit 1: ERROR
    "#);
    let repaired = project.build(&["--build-arg", "STATUS=0"]).success();
    insta::assert_snapshot!(steps(&repaired.stderr), @r#"
    [2/3] RUN echo first > /first: CACHED
    [3/3] RUN exit 0: DONE
    "#);
}

#[test]
fn a_failed_step_ends_those_beside_it() {
    let text = "\
FROM busybox AS long
RUN --mount=type=cache,target=/shared echo x > /shared/begun; tail -f /dev/null
FROM busybox AS short
RUN --mount=type=cache,target=/shared while ! [ -e /shared/begun ]; do usleep 10000; done; exit 7
FROM scratch
COPY --from=long / /
COPY --from=short / /
";
    let Some(project) = Project::with_busybox(text) else { return };
    let failed = project.build(&[]);
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(failed.stderr.ends_with("did not complete successfully: exit code: 7\n"), "{failed}");
}

#[test]
fn nothing_is_exported() {
    let Some(project) = Project::with_busybox("FROM busybox\nRUN false\n") else { return };
    let options = ["--output", "type=oci,dest=out.tar", "--output", "out", "--iidfile", "id"];
    assert_eq!(project.build(&options).code, Some(1));
    for path in ["out.tar", "out", "id"] {
        assert!(!project.directory().join(path).exists(), "{path}");
    }
}
