//! Images that try to reach files of the host, as bases and as archives, and what is exported onto links.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use image::{Compression, Descriptor, DiffId, Digest, ImageConfig, Index, Manifest, MediaType, Platform};

use crate::outside::{Archive, Target};

/// Writes an image of these layers as an OCI layout with one image, called `1`.
fn write_layout(directory: &Path, layers: &[Vec<u8>]) {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("the directory is ours");
    let put = |media_type: MediaType, bytes: &[u8]| {
        let descriptor = Descriptor::of(media_type, bytes);
        let name = descriptor.digest.to_string().replace("sha256:", "");
        fs::write(blobs.join(name), bytes).expect("the directory is ours");
        descriptor
    };
    let mut config = ImageConfig::for_platform(&Platform::host());
    config.rootfs.diff_ids = layers.iter().map(|layer| DiffId(Digest::of(layer))).collect();
    let config = put(MediaType::OciConfig, &config.to_bytes());
    let layers = layers.iter().map(|layer| put(MediaType::OciLayer(Compression::None), layer)).collect();
    let mut manifest = put(MediaType::OciManifest, &Manifest::oci(config, layers).to_bytes());
    manifest.annotations.insert("org.opencontainers.image.ref.name".to_owned(), "1".to_owned());
    fs::write(directory.join("index.json"), Index::oci(vec![manifest]).to_bytes()).expect("it is ours");
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("it is ours");
}

/// What becomes of an image.
struct Attempt {
    layers: Vec<Archive>,
    /// Its files, or what is wrong with it.
    expected: Result<&'static [&'static str], &'static str>,
}

const NAME_OUTSIDE: &str = "its name leads outside the root";
const TARGET_OUTSIDE: &str = "its link target leads outside the root";
const TARGET_MISSING: &str = "its hard link target does not exist";
const REPLACES_ROOT: &str = "it would replace the root directory";
const NO_NAME: &str = "it is a whiteout without a name";

fn refused<const N: usize>(layers: [Archive; N], problem: &'static str) -> Attempt {
    Attempt { layers: layers.into(), expected: Err(problem) }
}

fn taken<const N: usize>(layers: [Archive; N], files: &'static [&'static str]) -> Attempt {
    Attempt { layers: layers.into(), expected: Ok(files) }
}

fn refused_images(target: &Target) -> Vec<Attempt> {
    let outside = target.path.as_str();
    let up = target.aimed("[UP]");
    let new = Archive::new;
    vec![
        refused([new().file(&format!("{up}/x"))], NAME_OUTSIDE),
        refused([new().file("../x")], NAME_OUTSIDE),
        refused([new().file("a/../../x")], NAME_OUTSIDE),
        refused([new().file("../.wh.outside")], NAME_OUTSIDE),
        refused([new().file("../.wh..wh..opq")], NAME_OUTSIDE),
        refused([new().hard_link("l", &format!("{up}/file"))], TARGET_OUTSIDE),
        refused([new().hard_link("l", &format!("{outside}/file"))], TARGET_MISSING),
        refused([new().symlink("l", outside), new().hard_link("x", "l/file")], TARGET_MISSING),
        refused([new().symlink("/", outside).file("x")], REPLACES_ROOT),
        refused([new().symlink("./", outside).file("x")], REPLACES_ROOT),
        refused([new().hard_link("a/..", "b")], REPLACES_ROOT),
        refused([new().file("d/.wh...")], NO_NAME),
        refused([new().file("d/.wh..")], NO_NAME),
        refused([new().file(".wh.")], NO_NAME),
        refused([new().file(&"n".repeat(256))], "File name too long"),
    ]
}

fn taken_images(target: &Target) -> Vec<Attempt> {
    let outside = target.path.as_str();
    let file = format!("{outside}/file");
    let new = Archive::new;
    vec![
        taken([new().file(&format!("{outside}/x"))], &["[INSIDE]/x = new"]),
        taken([new().symlink("l", outside).file("l/x")], &["[INSIDE]/x = new", "l -> [OUTSIDE]"]),
        taken(
            [new().symlink("l", &target.aimed("[UP]")), new().file("l/x")],
            &["[INSIDE]/x = new", "l -> ../../../../../../../../../..[OUTSIDE]"],
        ),
        taken(
            [new().directory("l/").file("l/a"), new().symlink("l", outside).file("l/x")],
            &["[INSIDE]/x = new", "l -> [OUTSIDE]"],
        ),
        taken([new().symlink("l", &file), new().file("l")], &["l = new"]),
        // A directory's mode and time are not those of what a link leads to.
        taken([new().symlink("l", outside), new().directory("l/")], &["l/"]),
        taken(
            [new().symlink("l", &file), new().hard_link("x", "l").file("x")],
            &["l -> [OUTSIDE]/file", "x = new"],
        ),
        taken([new().symlink("l", outside), new().file("l/.wh.file")], &["[INSIDE]/", "l -> [OUTSIDE]"]),
        taken([new().symlink("l", outside), new().file("l/.wh..wh..opq")], &["[INSIDE]/", "l -> [OUTSIDE]"]),
        taken([new().file("a"), new().file(".wh..wh..opq").file("b")], &["b = new"]),
        taken([new().file("a/b"), new().file(".wh.a").file("a/c")], &["a/c = new"]),
        taken([new().device("memory", 1)], &["memory Char"]),
        // Overlays take this device as deleted, and so it counts.
        taken([new().file("a"), new().device("a", 0)], &[]),
    ]
}

#[test]
fn layers_stay_in_their_image() {
    let Some(target) = Target::new("FROM base\nCOPY new /\n") else { return };
    target.file("new", "new");
    let attempts = refused_images(&target).into_iter().chain(taken_images(&target));
    for (number, Attempt { layers, expected }) in attempts.enumerate() {
        let layers: Vec<Vec<u8>> = layers.into_iter().map(Archive::finish).collect();
        let layout = format!("layout{number}");
        write_layout(&target.directory().join(&layout), &layers);
        let built = target.attempt(&["--build-context", &format!("base=oci-layout://{layout}:1")]);
        // The same image from an archive, and its last layer as the archive of a root, where no name deletes.
        let archive = format!("{layout}.tar");
        let _ = target.tool("tar", &["-C", &layout, "-cf", &archive, "."]).expect("every system has tar");
        let loaded = target.builder(&["load", "--input", &archive]);
        target.assert_untouched(&loaded.to_string());
        target.write("root.tar", layers.last().expect("there is one")).expect("the directory is ours");
        let imported = target.builder(&["import", "root.tar", "root"]);
        target.assert_untouched(&imported.to_string());
        match expected {
            Err(problem) => {
                for ran in [built, loaded] {
                    assert!(ran.code == Some(1) && ran.stderr.contains(problem), "{problem}: {ran}");
                }
            }
            Ok(files) => {
                let (built, _) = (built.success(), loaded.success());
                let mut found = target.image();
                found.retain(|line| line != "new = new");
                assert_eq!(found, files, "{built}");
            }
        }
    }
}

#[test]
fn parts_of_an_archive_are_no_paths_of_the_host() {
    let Some(target) = Target::new("") else { return };
    let up = target.aimed("[UP]");
    let outside = target.path.as_str();
    let new = Archive::new;
    let no_format = "unrecognized image format";
    let docker = format!(r#"[{{"Config":"{outside}/file","Layers":["{up}/file"]}}]"#);
    let oci = r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",
        "digest":"sha256:../../../file","size":1}]}"#;
    for (archive, problem) in [
        (new().file(&format!("{up}/x")).file(&format!("{outside}/y")).device("d", 1), no_format),
        (new().symlink("manifest.json", &format!("{outside}/file")), no_format),
        (new().hard_link("manifest.json", &format!("{outside}/file")), no_format),
        (new().symlink("blobs", outside).file("blobs/x").symlink("index.json", "blobs/file"), no_format),
        (new().symlink("index.json", &format!("{up}/file")).file("index.json/x"), no_format),
        (new().text("manifest.json", &docker), "the archive lacks [DIRECTORY]/outside/file"),
        (new().text("index.json", oci), "invalid digest"),
    ] {
        target.write("archive.tar", archive.finish()).expect("the directory is ours");
        let ran = target.builder(&["load", "--input", "archive.tar"]);
        target.assert_untouched(&ran.to_string());
        assert!(ran.code == Some(1) && ran.stderr.contains(problem), "{problem}: {ran}");
        let left = fs::read_dir(target.directory().join("store/tmp")).expect("it is there").count();
        assert_eq!(left, 0, "{ran}");
    }
}

#[test]
fn what_is_exported_stays_in_its_directory() {
    let Some(target) = Target::new("FROM scratch\nCOPY files/ /\n") else { return };
    for (path, to) in [("link", "[OUTSIDE]"), ("up", "[UP]"), ("file", "[OUTSIDE]/file")] {
        target.link(&format!("context/files/{path}"), to);
    }
    let root = target.directory().join("root");
    let export = ["--output", "type=local,dest=root"];
    let _ = target.build(&export).success();
    target.assert_untouched("an image with links");
    assert_eq!(fs::read_link(root.join("file")).expect("it is a link"), Path::new(&target.path).join("file"));
    // An image with files and directories where the one before had links.
    fs::remove_dir_all(target.directory().join("context/files")).expect("it is ours");
    for path in ["link/file", "link/more", "up/file", "file"] {
        target.file(&format!("files/{path}"), "new");
    }
    // Links that the export itself could make use of.
    for name in ["file.incomplete", ".incomplete"] {
        symlink(Path::new(&target.path).join("file"), root.join(name)).expect("it is ours");
    }
    symlink(&target.path, root.join("kept")).expect("it is ours");
    let _ = target.build(&export).success();
    target.assert_untouched("an export onto links");
    for path in ["link/file", "link/more", "up/file", "file"] {
        assert_eq!(target.read(&format!("root/{path}")), "new");
        assert!(!fs::symlink_metadata(root.join(path)).expect("it is there").is_symlink(), "{path}");
    }
    assert_eq!(fs::read_link(root.join("kept")).expect("it stays"), Path::new(&target.path));
}
