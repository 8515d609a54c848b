//! Steps on overlays and on copies of the tree.

use std::fs;
use std::process::Command;

use crate::project::{BUILDER, Project};

/// Steps that change the tree in every way, and end with one time for all they touched.
const DOCKERFILE: &str = r#"
FROM busybox AS first
ENV STOP_THE_CLOCK="find / -xdev -newer /bin/busybox -exec touch -hd @9 {} + 2>/dev/null || true"
RUN mkdir -p /d/e && echo 1 > /d/e/one && ln /d/e/one /d/two && ln -s one /d/e/link && mkfifo /d/pipe \
    && chown 3:4 /d/two && chmod 4711 /d/e/one && eval "$STOP_THE_CLOCK"
FROM first
RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/memory --mount=type=bind,target=/context \
    rm -r /d/e && mkdir /d/e && echo 2 > /d/e/new && echo 3 >> /d/two && cp /context/Dockerfile /cache/ \
    && eval "$STOP_THE_CLOCK"
RUN --mount=from=first,target=/first,rw cat /first/d/e/one && rm -r /first/d && mkdir /first/d \
    && eval "$STOP_THE_CLOCK"
RUN --mount=from=first,source=/d,target=/first ! touch /first/e/x && cat /first/e/link
"#;

fn built(project: &Project, snapshotter: &str) -> Vec<u8> {
    let dest = format!("type=oci,dest={snapshotter}.tar");
    let epoch = ["--build-arg", "SOURCE_DATE_EPOCH=9", "--no-cache"];
    let options = [&["--snapshotter", snapshotter, "--output", &dest], &epoch[..]].concat();
    let _ = project.build(&options).success();
    fs::read(project.directory().join(format!("{snapshotter}.tar"))).expect("it was written")
}

#[test]
fn images_are_the_same_byte_for_byte() {
    let Some(project) = Project::with_busybox(DOCKERFILE) else { return };
    assert!(built(&project, "overlay") == built(&project, "copy"));
    let ran = project.builder(&["--snapshotter=copy", "run", "busybox", "sh", "-c", "echo x > /x && cat /x"]);
    assert_eq!(ran.success().stdout, "x\n");
    assert_eq!(fs::read_dir(project.directory().join("store/drafts")).expect("it is there").count(), 0);
}

#[test]
fn a_snapshotter_is_one_of_three() {
    let Some(project) = Project::new("FROM scratch") else { return };
    let ran = project.builder(&["--snapshotter", "zfs", "images"]);
    insta::assert_snapshot!(ran, @r#"
    exit 2
    -- stderr
    ERROR: unknown snapshotter "zfs": it is auto, overlay or copy
    "#);
}

/// As in a container, whose files are an overlay.
#[test]
fn a_store_on_an_overlay_gets_copies() {
    let Some(project) = Project::new(DOCKERFILE) else { return };
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir(project.directory().join(name)).expect("the directory is ours");
    }
    let script =
        "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && exec \"$@\"";
    let inside = |arguments: &[&str], input: Option<&str>| {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", script, "sh", BUILDER, "--root", "merged/store"])
            .args(arguments);
        command.current_dir(project.directory()).env("HOME", project.directory());
        if let Some(input) = input {
            command.stdin(fs::File::open(project.directory().join(input)).expect("it was written"));
        }
        let output = command.output().expect("unshare is there");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), errors)
    };
    let root = testkit::images::busybox_root().expect("it was there before");
    project.write("busybox.tar", root).expect("the directory is ours");
    let imported = inside(&["import", "-", "busybox"], Some("busybox.tar"));
    assert_eq!(imported.0, Some(0), "{imported:?}");
    let built = inside(&["build", "-t", "app", "context"], None);
    assert_eq!(built.0, Some(0), "{built:?}");
    let ran = inside(&["run", "app", "sh", "-c", "ls /d/e; cat /d/two"], None);
    assert_eq!((ran.0, ran.1.as_str()), (Some(0), "new\n1\n3\n"), "{ran:?}");
    let refused = inside(&["--snapshotter=overlay", "images"], None);
    assert_eq!(refused.0, Some(1), "{refused:?}");
    assert!(refused.2.contains("can only be copied"), "{refused:?}");
}
