//! Other programs accept what is exported.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use crate::project::Project;

const TWO_LAYERS: &str = "\
FROM busybox
COPY greeting /etc/greeting
RUN rm /etc/group && mkdir -m 700 /data && touch /data/a && ln /data/a /data/b && chown -R 7:8 /data
ENV A=b
CMD [\"cat\", \"/etc/greeting\"]
";

fn project() -> Option<Project> {
    let project = Project::with_busybox(TWO_LAYERS)?;
    project.file("greeting", "hello\n");
    Some(project)
}

#[test]
fn skopeo_and_umoci_accept_an_oci_archive() {
    let Some(project) = project() else { return };
    let _ = project.build(&["-t", "app:1", "--output", "type=oci,dest=app.tar"]).success();
    let Some(described) = project.tool("skopeo", &["inspect", "oci-archive:app.tar:1"]) else { return };
    let described: serde_json::Value = serde_json::from_str(&described).expect("skopeo writes JSON");
    assert_eq!(described["Layers"].as_array().map(Vec::len), Some(3), "{described}");
    let _ = project.tool("skopeo", &["copy", "--insecure-policy", "oci-archive:app.tar:1", "dir:copied"]);
    assert!(project.read("copied/manifest.json").contains("vnd.oci.image.layer.v1.tar+gzip"));

    fs::create_dir(project.directory().join("layout")).expect("the directory is ours");
    let _ = project.tool("tar", &["-xf", "app.tar", "-C", "layout"]);
    let Some(_) = project.tool("umoci", &["unpack", "--image", "layout:1", "bundle"]) else { return };
    assert_eq!(project.read("bundle/rootfs/etc/greeting"), "hello\n");
    let root = project.directory().join("bundle/rootfs");
    assert!(!root.join("etc/group").exists(), "the whiteout is applied");
    let data = fs::metadata(root.join("data")).expect("it was made");
    assert_eq!((data.mode() & 0o7777, data.uid(), data.gid()), (0o700, 7, 8));
    let (a, b) = (fs::metadata(root.join("data/a")), fs::metadata(root.join("data/b")));
    assert_eq!(a.expect("it was made").ino(), b.expect("it was made").ino());
    let config: serde_json::Value =
        serde_json::from_str(&project.read("bundle/config.json")).expect("umoci writes JSON");
    assert_eq!(config["process"]["args"], serde_json::json!(["cat", "/etc/greeting"]));
}

#[test]
fn podman_loads_a_docker_archive() {
    let Some(project) = project() else { return };
    let _ = project.build(&["-t", "app:1", "--output", "type=docker,dest=app.tar"]).success();
    let podman = |arguments: &[&str]| {
        let storage = ["--root", "podman", "--runroot", "podman-run", "--storage-driver", "vfs"];
        project.tool("podman", &[&storage, arguments].concat())
    };
    let Some(_) = podman(&["load", "--input", "app.tar"]) else { return };
    let images = podman(&["images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]);
    let id = project.build(&["-q"]).success().stdout;
    assert_eq!(images, Some(format!("docker.io/library/app:1 {id}")));
}

#[test]
fn a_tar_and_a_directory_have_the_files() {
    let Some(project) = project() else { return };
    let _ =
        project.build(&["--output", "type=tar,dest=root.tar", "--output", "type=local,dest=root"]).success();
    assert_eq!(project.read("root/etc/greeting"), "hello\n");
    assert!(!project.directory().join("root/etc/group").exists());
    let listed = project.tool("tar", &["--numeric-owner", "-tvf", "root.tar"]).expect("every system has tar");
    let of_data: Vec<_> = listed.lines().filter(|line| line.contains(" data/")).collect();
    assert_eq!(of_data.len(), 3, "{listed}");
    assert!(of_data[0].starts_with("drwx------ 7/8 "), "{listed}");
    assert!(of_data[2].ends_with(" data/b link to data/a"), "{listed}");
    assert!(listed.contains(" etc/greeting\n") && !listed.contains("etc/group"), "{listed}");
    // `dest` may be left out for a directory, and `-` is an archive on standard output.
    let _ = project.build(&["--output", "other"]).success();
    assert_eq!(project.read("other/etc/greeting"), "hello\n");
    let output = project.command(&["build", "--output", "-", "context"]).output().expect("it can be started");
    assert!(output.status.success());
    let archive = fs::read(project.directory().join("root.tar")).expect("it was written");
    assert!(output.stdout == archive, "standard output and file differ");
}

#[test]
fn the_same_build_is_exported_the_same() {
    let Some(project) = project() else { return };
    for form in ["oci", "docker", "tar"] {
        let export = |name: &str| {
            let _ = project.build(&["-t", "app", "--output", &format!("type={form},dest={name}")]).success();
            fs::read(project.directory().join(name)).expect("it was written")
        };
        assert!(export("first") == export("second"), "{form}");
    }
}

#[test]
fn builds_of_other_stores_with_a_fixed_time_are_the_same() {
    let export = || {
        let project = Project::new("FROM scratch\nCOPY greeting /\nENV A=b\n")?;
        project.file("greeting", "hello\n");
        let greeting = File::options().write(true).open(project.directory().join("context/greeting"));
        greeting.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH)).expect("the file is ours");
        let options = ["--build-arg", "SOURCE_DATE_EPOCH=1", "--output", "type=oci,dest=app.tar"];
        let _ = project.build(&options).success();
        Some(fs::read(project.directory().join("app.tar")).expect("it was written"))
    };
    assert!(export() == export());
}

#[test]
fn files_describe_the_result() {
    let Some(project) = project() else { return };
    let options = ["-t", "app:1", "--iidfile", "id", "--metadata-file", "metadata.json"];
    let _ = project.build(&options).success();
    let id = project.builder(&["images", "-q", "--no-trunc", "app:1"]).success().stdout;
    assert_eq!(project.read("id").trim(), id.trim());
    let metadata: serde_json::Value =
        serde_json::from_str(&project.read("metadata.json")).expect("builder writes JSON");
    assert_eq!(metadata["containerimage.config.digest"], id.trim(), "{metadata}");
    assert_eq!(metadata["image.name"], "docker.io/library/app:1", "{metadata}");
}
