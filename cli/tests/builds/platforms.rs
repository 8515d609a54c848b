//! Builds for several platforms, and for machines that this one is not.

use serde_json::Value;

use crate::project::{Project, steps};

#[test]
fn steps_that_are_the_same_for_all_platforms_run_once() {
    let dockerfile = "FROM --platform=$BUILDPLATFORM busybox AS build\nRUN echo common > /common\n\
                      FROM build AS cross\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\n\
                      FROM scratch\nCOPY --from=build /common /\nCOPY --from=cross /arch /\n";
    let Some(project) = Project::with_busybox(dockerfile) else { return };
    let output = "type=oci,tar=false,dest=layout";
    let platforms = ["--progress=plain", "--platform=linux/arm64,linux/s390x", "-o", output];
    let built = project.build(&platforms).success();
    let steps = steps(&built.stderr);
    assert_eq!(steps.matches("RUN echo common").count(), 1, "{steps}");
    assert_eq!(steps.matches("RUN echo $TARGETARCH").count(), 0, "the label has the value: {steps}");
    assert!(steps.contains("RUN echo arm64") && steps.contains("RUN echo s390x"), "{steps}");
    let json = |path: &str| -> Value { serde_json::from_str(&project.read(path)).expect("JSON") };
    let index = &json("layout/index.json")["manifests"][0];
    let digest =
        index["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest");
    let manifests = json(&format!("layout/blobs/sha256/{digest}"))["manifests"].take();
    let found = manifests.as_array().expect("an array").iter();
    let found: Vec<_> = found.map(|manifest| manifest["platform"]["architecture"].as_str()).collect();
    assert_eq!(found, [Some("arm64"), Some("s390x")]);
}

#[test]
fn an_image_for_another_machine_needs_an_emulator() {
    let Some(project) = Project::new("FROM foreign\nRUN true\n") else { return };
    // No emulator takes this for a program.
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(1);
    archive.append_data(&mut header, "bin/sh", &b"?"[..]).expect("memory is enough");
    let archive = archive.into_inner().expect("memory is enough");
    let import = ["import", "--platform", "linux/s390x", "-", "foreign"];
    let _ = project.run_with_input(&import, &archive).expect("it can be started").success();
    let failed = project.build(&["--progress=none", "--platform", "linux/s390x"]).to_string();
    insta::assert_snapshot!(failed.replace(&image::Platform::host().to_string(), "[MACHINE]"), @r#"
    exit 1
    -- stderr
    Dockerfile:2
    --------------------
       1 |     FROM foreign
       2 | >>> RUN true
    --------------------
    hint: programs for linux/s390x can be emulated: apt-get install qemu-user-static, or register another emulator for s390x with binfmt_misc
    ERROR: failed to build: failed to solve: process "/bin/sh -c true" could not be run: exec format error: the image is for linux/s390x, this machine is [MACHINE]
    "#);
}
