//! Programs that do not run, and what is said about that.

use crate::project::Project;

/// The hints about a build that fails.
fn hints(project: &Project, dockerfile: &str) -> String {
    project.dockerfile(dockerfile);
    let failed = project.build(&[]);
    assert_eq!(failed.code, Some(1), "{failed}");
    let hints: Vec<&str> = failed.stderr.lines().filter_map(|line| line.strip_prefix("hint: ")).collect();
    hints.join("\n")
}

/// An executable file of the context.
const COPY: &str = "FROM busybox\nCOPY --chmod=755 run /\n";

#[test]
fn what_the_kernel_does_not_run() {
    let Some(project) = Project::with_busybox("FROM busybox\n") else { return };
    let direct = format!("{COPY}RUN [\"/run\"]\n");
    project.file("run", "echo no interpreter\n");
    insta::assert_snapshot!(hints(&project, &direct), @"/run is a text: the first line of a script says what runs it, as in #!/bin/sh");
    project.file("run", "#!/bin/sh\r\necho\r\n");
    insta::assert_snapshot!(hints(&project, &direct), @r#"the lines of /run end as on Windows, with CR LF: dos2unix changes them, and a line "*.sh text eol=lf" in .gitattributes keeps git from it"#);
    project.file("run", "#!/bin/bash\n");
    insta::assert_snapshot!(hints(&project, &direct), @"/run is a script for /bin/bash, which the image does not have");
    let no_shell = "FROM scratch\nCOPY run /\nRUN echo\n";
    insta::assert_snapshot!(hints(&project, no_shell), @r#"the image has no /bin/sh, which runs the shell form of RUN: name a program, as in RUN ["/program", "argument"], or use a base image with a shell"#);
    let not_executable = "FROM busybox\nCOPY --chmod=644 run /\nRUN [\"/run\"]\n";
    insta::assert_snapshot!(hints(&project, not_executable), @"/run may not be executed: COPY --chmod=755 or chmod +x allows it");
}

#[test]
fn what_a_shell_does_not_find() {
    let Some(project) = Project::with_busybox("FROM busybox\n") else { return };
    let by_shell = format!("{COPY}WORKDIR /\nRUN ./run\n");
    insta::assert_snapshot!(hints(&project, "FROM busybox\nRUN no-such-command\n"), @"the image has no command no-such-command: install its package, or look at PATH");
    project.file("run", "#!/bin/sh\r\necho\r\n");
    insta::assert_snapshot!(hints(&project, &by_shell), @r#"the lines of ./run end as on Windows, with CR LF: dos2unix changes them, and a line "*.sh text eol=lf" in .gitattributes keeps git from it"#);
    project.file("run", "#!/usr/bin/python3\n");
    insta::assert_snapshot!(hints(&project, &by_shell), @"./run is a script for /usr/bin/python3, which the image does not have");
    let not_executable = "FROM busybox\nCOPY --chmod=644 run /\nRUN /run\n";
    insta::assert_snapshot!(hints(&project, not_executable), @"/run may not be executed: COPY --chmod=755 or chmod +x allows it");
}

#[test]
fn a_process_that_was_killed() {
    let Some(project) = Project::with_busybox("FROM busybox\n") else { return };
    project.dockerfile("FROM busybox\nRUN ulimit -c 0; sh -c 'kill -SEGV $$'; exit $?\n");
    let failed = project.build(&[]);
    assert!(failed.stderr.contains("exit code: 139"), "{failed}");
    assert!(failed.stderr.contains("SIGSEGV (segmentation fault)"), "{failed}");
}
