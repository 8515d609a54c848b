//! Images that come from archives, and what is built on them.

use serde_json::{Value, json};

use crate::project::Project;

const APP: &str = "FROM busybox\nENV A=b\nRUN echo made > /file\nLABEL kind=base\nCMD [\"cat\", \"/file\"]\n";

fn inspect(project: &Project, image: &str) -> Value {
    let text = project.builder(&["inspect", image]).success().stdout;
    let mut images: Value = serde_json::from_str(&text).expect("inspect writes JSON");
    images[0].take()
}

#[test]
fn an_imported_archive_is_a_base() {
    let Some(project) = Project::with_busybox("FROM tools\nRUN echo \"$A\" > /file\n") else { return };
    let root = testkit::images::busybox_root().expect("it was there before");
    project.write("root.tar", root).expect("the directory is ours");
    let changes =
        ["--change", "ENV A=\"b c\"", "--change", "CMD [\"cat\", \"/file\"]", "--change", "USER nobody"];
    let _ = project.builder(&[&["import"], &changes[..], &["root.tar", "tools"]].concat()).success();
    assert_eq!(project.build(&["-t", "app"]).code, Some(1), "nobody may not write to /");
    project.dockerfile("FROM tools\nUSER root\nRUN echo \"$A\" > /file\n");
    let _ = project.build(&["-t", "app"]).success();
    assert_eq!(project.builder(&["run", "app"]).success().stdout, "b c\n");
}

#[test]
fn what_is_exported_can_be_loaded() {
    let Some(project) = Project::with_busybox(APP) else { return };
    for form in ["oci", "docker"] {
        let output = format!("type={form},dest={form}.tar");
        let _ = project.build(&["-t", "base:1", "-t", "also", "--output", &output]).success();
        let other = Project::new("FROM base:1\nRUN cp /file /copy && test $A = b\n");
        let Some(other) = other else { return };
        let archive = project.directory().join(format!("{form}.tar"));
        let archive = archive.to_str().expect("it is text");
        let loaded = other.builder(&["load", "--input", archive]).success();
        assert!(loaded.stdout.contains("base:1"), "{loaded}");
        let _ = other.build(&["-t", "app"]).success();
        assert_eq!(other.builder(&["run", "app", "cat", "/copy"]).success().stdout, "made\n", "{form}");
        assert_eq!(other.builder(&["run", "also"]).success().stdout, "made\n", "{form}");
    }
}

#[test]
fn an_image_is_described() {
    let Some(project) = Project::with_busybox(APP) else { return };
    let _ = project.build(&["-t", "app:1", "--label", "by=test"]).success();
    let image = inspect(&project, "app:1");
    assert_eq!(image["RepoTags"], json!(["app:1"]), "{image}");
    assert_eq!(image["Config"]["Cmd"], json!(["cat", "/file"]), "{image}");
    assert_eq!(image["Config"]["Labels"], json!({"by": "test", "kind": "base"}), "{image}");
    assert_eq!(image["RootFS"]["Layers"].as_array().map(Vec::len), Some(2), "{image}");
    assert_eq!((&image["Os"], image["Id"].as_str().map(str::len)), (&json!("linux"), Some(71)), "{image}");
}

#[test]
fn names_come_and_go_while_their_image_stays() {
    let Some(project) = Project::with_busybox(APP) else { return };
    let _ = project.build(&["-t", "app:1"]).success();
    let _ = project.builder(&["tag", "app:1", "app:2"]).success();
    assert_eq!(inspect(&project, "app:1")["Id"], inspect(&project, "app:2")["Id"]);
    let _ = project.builder(&["rmi", "app:1"]).success();
    assert_eq!(project.builder(&["run", "app:2"]).success().stdout, "made\n");
    // A name moves to what was built last.
    project.dockerfile("FROM app:2\nRUN echo again > /file\n");
    let _ = project.build(&["-t", "app:2"]).success();
    assert_eq!(project.builder(&["run", "app:2"]).success().stdout, "again\n");
    let _ = project.builder(&["rmi", "app:2", "busybox"]).success();
    assert_eq!(project.builder(&["run", "app:2"]).code, Some(125));
}
