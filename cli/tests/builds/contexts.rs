//! Contexts and Dockerfiles from elsewhere: standard input, servers, repositories, other stages.
//!
//! Repositories are served as files, which git calls the dumb protocol: nothing but `git` itself is needed for that.

use testkit::files::FileServer;

use crate::project::{Project, assert_all_cached};

const DOCKERFILE: &str = "FROM scratch\nCOPY a.txt /\n";

/// What the build of `context` leaves in `out`.
fn built(project: &Project, context: &str, options: &[&str]) -> String {
    let _ = project.builder(&[&["build", "-o", "out"], options, &[context]].concat()).success();
    project.read("out/a.txt")
}

/// The files of the context as an archive.
fn archive(project: &Project, compression: &str) -> Option<Vec<u8>> {
    project.tool("tar", &["-C", "context", compression, "-cf", "context.tar", "Dockerfile", "a.txt"])?;
    Some(std::fs::read(project.directory().join("context.tar")).expect("tar has written it"))
}

/// A bare repository with the files of the context, committed at a known time and tagged `v1`, below `server`.
fn repository(project: &Project) -> Option<()> {
    let git = |arguments: &[&str]| {
        let user = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        project.tool("git", &[&["-C", "context"], &user[..], arguments].concat())
    };
    git(&["init", "--quiet"])?;
    git(&["add", "Dockerfile", "a.txt"])?;
    let date = "2001-02-03T04:05:06Z";
    let script = format!(
        "cd context && GIT_COMMITTER_DATE={date} git -c user.name=t -c user.email=t@example.com commit --quiet --date={date} -m one"
    );
    project.tool("sh", &["-c", &script])?;
    git(&["tag", "v1"])?;
    project.tool("git", &["clone", "--quiet", "--bare", "context", "server/r.git"])?;
    project.tool("git", &["-C", "server/r.git", "update-server-info"])?;
    Some(())
}

#[test]
fn an_archive_on_standard_input_is_a_context() {
    let Some(project) = Project::new(DOCKERFILE) else { return };
    project.file("a.txt", "from an archive");
    // Nothing is left out of an archive, whatever it holds.
    project.file(".dockerignore", "*");
    for compression in ["--gzip", "--xz", "--format=v7"] {
        let Some(archive) = archive(&project, compression) else { return };
        let ran = project.run_with_input(&["build", "-o", "out", "-"], &archive).expect("it can be started");
        let _ = ran.success();
        assert_eq!(project.read("out/a.txt"), "from an archive", "{compression}");
        let again =
            project.run_with_input(&["build", "-o", "out", "-"], &archive).expect("it can be started");
        assert_all_cached(&again.success(), 1);
    }
}

#[test]
fn standard_input_must_mean_something() {
    let Some(project) = Project::new(DOCKERFILE) else { return };
    let ran = |arguments: &[&str], input: &[u8]| {
        let ran = project.run_with_input(&[&["build", "--progress=none"], arguments].concat(), input);
        ran.expect("it can be started").to_string()
    };
    insta::assert_snapshot!(ran(&["-"], b"\x1f\x8b\x08 is no gzip"), @r"
    exit 1
    -- stderr
    ERROR: failed to build: failed to solve: the build context on standard input is compressed, but holds no tar archive
    ");
    insta::assert_snapshot!(ran(&["-"], b""), @r"
    exit 1
    -- stderr
    Dockerfile:1
    --------------------
       1 | >>>
         |     ^
    --------------------
    hint: a Dockerfile starts with FROM and the name of an image, or FROM scratch
    ERROR: failed to build: failed to solve: Dockerfile:1:1: the Dockerfile cannot be empty
    ");
    insta::assert_snapshot!(ran(&["-f", "x", "-"], b"FROM scratch"), @r"
    exit 2
    -- stderr
    ERROR: ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles
    ");
}

#[test]
fn a_url_is_a_context_or_a_dockerfile() {
    let Some(project) = Project::new(DOCKERFILE) else { return };
    project.file("a.txt", "from a server");
    if archive(&project, "--gzip").is_none() {
        return;
    }
    let server = FileServer::start(project.directory());
    assert_eq!(built(&project, &server.url("context.tar"), &[]), "from a server");
    let again = project.builder(&["build", "-o", "out", &server.url("context.tar")]).success();
    assert_all_cached(&again, 1);
    assert_eq!(server.requests().last().map(|request| request.status), Some(304));
    // A Dockerfile alone is a context that has nothing but itself.
    let _ = project.write("other/Dockerfile", "FROM scratch\nCOPY context /a.txt\n");
    assert_eq!(built(&project, &server.url("other/Dockerfile"), &[]), "FROM scratch\nCOPY context /a.txt\n");
    // A Dockerfile from elsewhere is for the files here.
    assert_eq!(built(&project, "context", &["-f", &server.url("context/Dockerfile")]), "from a server");
    let failed = project.builder(&["build", "--progress=none", &server.url("missing.tar")]);
    assert!(failed.stderr.contains("/missing.tar: invalid response status 404"), "{failed}");
}

#[test]
fn secrets_open_servers_and_are_not_shown() {
    let Some(project) = Project::new("FROM scratch\nCOPY . /\n") else { return };
    let server = FileServer::start(project.directory());
    let _ = project.write("private/a.txt", "private");
    project.dockerfile(&format!("FROM scratch\nADD {} /\n", server.url("private/a.txt")));
    let refused = project.build(&["-o", "out"]);
    assert!(refused.stderr.contains("invalid response status 401"), "{refused}");
    let _ = project.write("token", "abc\n");
    let ran = project.build(&["-o", "out", "--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,src=token"]).success();
    assert!(!ran.stderr.contains("abc"), "{ran}");
    assert_eq!(project.read("out/a.txt"), "private");
    let last = server.requests().pop().and_then(|request| request.authorization);
    assert_eq!(last.as_deref(), Some("Bearer abc"));
}

#[test]
fn a_repository_is_a_context() {
    let Some(project) = Project::new("FROM scratch\nARG SOURCE_DATE_EPOCH\nCOPY a.txt /\n") else { return };
    project.file("a.txt", "from a repository");
    if repository(&project).is_none() {
        return;
    }
    let server = FileServer::start(&project.directory().join("server"));
    let remote = server.url("r.git");
    assert_eq!(built(&project, &remote, &[]), "from a repository");
    assert_eq!(built(&project, &format!("{remote}?tag=v1"), &["-f", "Dockerfile"]), "from a repository");
    let failed = project.builder(&["build", "--progress=none", &format!("{remote}#v2")]);
    assert!(failed.stderr.contains("does not contain ref v2"), "{failed}");
    let failed = project.builder(&["build", "--progress=none", &format!("{remote}#v1:sub")]);
    assert!(failed.stderr.contains("/sub is no directory of commit"), "{failed}");
    // The time of the build is that of the commit.
    let epoch = ["-t", "app", "--build-arg", "SOURCE_DATE_EPOCH=context"];
    let _ = project.builder(&[&["build"], &epoch[..], &[&remote]].concat()).success();
    let image = project.builder(&["inspect", "app"]).success().stdout;
    assert!(image.contains("\"Created\": \"2001-02-03T04:05:06"), "{image}");
}

#[test]
fn tokens_open_repositories_and_are_not_shown() {
    let Some(project) = Project::new(DOCKERFILE) else { return };
    project.file("a.txt", "a");
    if repository(&project).is_none() {
        return;
    }
    let server = FileServer::start(project.directory());
    std::fs::rename(project.directory().join("server"), project.directory().join("private")).expect("ours");
    let remote = server.url("private/r.git");
    let refused = project.builder(&["build", "--progress=none", &remote]);
    assert_eq!(refused.code, Some(1), "{refused}");
    let _ = project.write("token", "abc");
    assert_eq!(built(&project, &remote, &["--secret", "id=GIT_AUTH_TOKEN,src=token"]), "a");
    // A password in the address is sent by git when it is asked for, and shown nowhere.
    let with_password = remote.replace("http://", "http://user:hunter2@");
    let ran = project.builder(&["build", &format!("{with_password}#nowhere")]);
    assert!(!ran.stderr.contains("hunter2") && ran.stderr.contains("user:xxxxx@"), "{ran}");
}

#[test]
fn named_contexts_come_from_servers_repositories_and_stages() {
    let dockerfile = "FROM scratch AS one\nCOPY a.txt /\nFROM base AS two\nCOPY --from=file context /file\n\
                      COPY --from=code a.txt /code\nFROM scratch\nCOPY --from=two / /\n";
    let Some(project) = Project::new(dockerfile) else { return };
    project.file("a.txt", "here");
    if repository(&project).is_none() {
        return;
    }
    let server = FileServer::start(project.directory());
    let file = format!("file={}", server.url("context/a.txt"));
    let code = format!("code={}#v1", server.url("server/r.git"));
    let contexts = ["--build-context", &file, "--build-context", &code, "--build-context", "base=target:one"];
    assert_eq!(built(&project, "context", &contexts), "here");
    assert_eq!((project.read("out/file"), project.read("out/code")), ("here".to_owned(), "here".to_owned()));
}
