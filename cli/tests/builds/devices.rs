//! `RUN --device`: devices of the machine, by the Container Device Interface.

use std::fs;
use std::process::Command;

use crate::project::{Project, steps};

/// `/dev/fuse` under another name, which no step can open by itself, and what belongs to it.
const DESCRIPTION: &str = r#"
cdiVersion: "0.6.0"
kind: vendor.com/fuse
containerEdits:
  mounts:
    - {hostPath: /etc, containerPath: /of/host, options: [ro, bind]}
devices:
  - name: one
    containerEdits:
      env: [DEVICE=one]
      deviceNodes:
        - {path: /dev/deep/fuse, hostPath: /dev/fuse, fileMode: 0640, permissions: r}
  - name: free
    annotations: {org.mobyproject.buildkit.device.autoallow: "true"}
    containerEdits:
      env: [DEVICE=free]
"#;

/// Builds with the description of the device: whether that succeeded, and what was printed.
fn build(project: &Project, dockerfile: &str, options: &[&str]) -> (bool, String) {
    project.dockerfile(&format!("FROM busybox\nENV DEVICE=none\n{dockerfile}"));
    project.write("cdi/fuse.yaml", DESCRIPTION).expect("the directory is ours");
    let mut command: Command = project.command(&[&["build"], options, &["context"]].concat());
    let output = command.env("BUILDER_CDI_SPEC_DIRS", "missing:cdi").output();
    let output = output.expect("the program can be started");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A project on a machine with the device.
fn project() -> Option<Project> {
    if fs::File::open("/dev/fuse").is_err() {
        eprintln!("SKIPPED: there is no /dev/fuse to give");
        return None;
    }
    Project::with_busybox("")
}

#[test]
fn a_step_has_the_devices_that_it_asks_for() {
    let Some(project) = project() else { return };
    let text = "\
RUN --device=vendor.com/fuse=one,required \
  : < /dev/deep/fuse && ! (: > /dev/deep/fuse) 2> /dev/null && [ $DEVICE = one ] && [ -e /of/host/passwd ]
RUN ! [ -e /dev/deep ] && ! [ -e /of ] && [ $DEVICE = none ]
RUN --device=vendor.com/fuse=one --security=insecure : < /dev/deep/fuse && [ $DEVICE = one ]
";
    let (is_built, printed) =
        build(&project, text, &["--allow", "device=vendor.com/fuse=one,security.insecure"]);
    assert!(is_built, "{printed}");
    // Devices are a part of what a step is.
    let (is_built, printed) = build(&project, "RUN true\n", &[]);
    assert!(is_built, "{printed}");
    let (is_built, printed) = build(&project, "RUN --device=vendor.com/fuse=free true\n", &[]);
    assert!(
        is_built && steps(&printed).contains("RUN --device=vendor.com/fuse=free true: DONE"),
        "{printed}"
    );
}

#[test]
fn devices_have_to_be_allowed_and_described() {
    let Some(project) = project() else { return };
    let (is_built, printed) = build(&project, "RUN --device=vendor.com/fuse=* true\n", &[]);
    assert!(!is_built, "{printed}");
    let refused = "device vendor.com/fuse=one is requested by the build but not allowed";
    assert!(printed.contains(refused), "{printed}");
    assert!(printed.contains("--allow device=vendor.com/fuse=one permits it"), "{printed}");
    assert!(printed.contains("3 | >>> RUN --device=vendor.com/fuse=* true"), "{printed}");
    let (is_built, printed) = build(&project, "RUN --device=vendor.com/fuse [ $DEVICE = free ]\n", &[]);
    assert!(is_built, "{printed}");
    let (is_built, printed) =
        build(&project, "RUN --device=a.b/c=d [ $DEVICE = none ]\n", &["--allow", "device"]);
    assert!(is_built && printed.contains(r#"optional device "a.b/c=d" is not registered"#), "{printed}");
    let (is_built, printed) = build(&project, "RUN --device=a.b/c=d,required true\n", &["--allow", "device"]);
    assert!(!is_built && printed.contains(r#"required device "a.b/c=d" is not registered"#), "{printed}");
}
