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

/// A store whose file system is an overlay, as in a container.
pub(crate) struct OnOverlay(Project);

impl OnOverlay {
    pub(crate) fn new(dockerfile: &str) -> Option<Self> {
        let project = Project::new(dockerfile)?;
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir(project.directory().join(name)).expect("the directory is ours");
        }
        Some(Self(project))
    }

    /// Runs `builder`: its exit code, output and errors.
    pub(crate) fn builder(&self, arguments: &[&str], input: Option<&str>) -> (Option<i32>, String, String) {
        let script = "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && \
                      exec \"$@\"";
        let directory = self.0.directory();
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh", BUILDER, "--root", "merged/store"]);
        command.args(arguments).current_dir(directory).env("HOME", directory);
        if let Some(input) = input {
            command.stdin(fs::File::open(directory.join(input)).expect("it was written"));
        }
        let output = command.output().expect("unshare is there");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn a_store_on_an_overlay_gets_copies() {
    let Some(machine) = OnOverlay::new(DOCKERFILE) else { return };
    let Some(root) = testkit::images::busybox_root() else { return };
    machine.0.write("busybox.tar", root).expect("the directory is ours");
    let imported = machine.builder(&["import", "-", "busybox"], Some("busybox.tar"));
    assert_eq!(imported.0, Some(0), "{imported:?}");
    let built = machine.builder(&["build", "-t", "app", "context"], None);
    assert_eq!(built.0, Some(0), "{built:?}");
    let ran = machine.builder(&["run", "app", "sh", "-c", "ls /d/e; cat /d/two"], None);
    assert_eq!((ran.0, ran.1.as_str()), (Some(0), "new\n1\n3\n"), "{ran:?}");
    let refused = machine.builder(&["--snapshotter=overlay", "images"], None);
    assert_eq!(refused.0, Some(1), "{refused:?}");
    assert!(refused.2.contains("can only be copied"), "{refused:?}");
}
