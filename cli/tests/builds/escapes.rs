//! Attempts of Dockerfiles, contexts and archives for `ADD` to reach files of the host.
//!
//! Each is aimed at a directory beside the context, which has to stay as it is. What is attempted lands inside the
//! image instead, as it does with `BuildKit`, or is refused.

use std::fs;

use testkit::command::Ran;

use crate::outside::{Archive, Target};

/// A project whose context has `links/`: every kind of link that could lead out of an image.
fn target(dockerfile: &str) -> Option<Target> {
    let target = Target::new(dockerfile)?;
    target.file("new", "new");
    for (name, to) in [
        ("absolute", "[OUTSIDE]"),
        ("relative", "[UP]"),
        ("down/relative", "../../..[OUTSIDE]"),
        ("working", "/proc/self/cwd"),
        ("process", "/proc/self/root"),
        ("file", "[OUTSIDE]/file"),
    ] {
        target.link(&format!("context/links/{name}"), to);
    }
    Some(target)
}

/// The links of `links/` in the root of an image.
const LINKS: &[&str] = &[
    "absolute -> [OUTSIDE]",
    "down/relative -> ../../..[OUTSIDE]",
    "file -> [OUTSIDE]/file",
    "process -> /proc/self/root",
    "relative -> ../../../../../../../../../..[OUTSIDE]",
    "working -> /proc/self/cwd",
];

/// What an image has besides the links.
fn besides(target: &Target) -> Vec<String> {
    let mut found = target.image();
    found.retain(|line| !LINKS.contains(&line.as_str()));
    found
}

#[track_caller]
fn assert_fails(ran: &Ran, message: &str) {
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains(message), "{message}: {ran}");
}

#[test]
fn destinations_through_links_of_the_image_are_in_the_image() {
    let Some(target) = target(
        "\
FROM scratch
COPY links/ /
COPY new /absolute/a
COPY new /relative/b
COPY new /down/relative/c
COPY new /working/d
COPY new /process/e
COPY new /file
COPY new /../../../../../../..[OUTSIDE]/f
COPY new /absolute/../../../../../g
ADD --chown=1:1 new /absolute/deep/h
COPY <<inline /relative/
text
inline
WORKDIR /absolute/work
COPY new ../i
WORKDIR /relative
COPY new ./
",
    ) else {
        return;
    };
    let _ = target.attempt(&[]).success();
    let expected = [
        "[INSIDE]/a = new",
        "[INSIDE]/b = new",
        "[INSIDE]/c = new",
        "[INSIDE]/deep/h = new",
        "[INSIDE]/f = new",
        "[INSIDE]/file = new",
        "[INSIDE]/i = new",
        "[INSIDE]/inline = text\n",
        "[INSIDE]/new = new",
        "[INSIDE]/work/",
        "g = new",
        "proc/self/cwd/d = new",
        "proc/self/root/e = new",
    ];
    assert_eq!(besides(&target), expected);
}

#[test]
fn links_that_a_step_plants_do_not_lead_later_steps_out() {
    let Some(target) = target(
        "\
FROM busybox
RUN ln -s [OUTSIDE] /out && ln -s [UP] /up && ln -s /proc/1/root/..[OUTSIDE] /process && mkdir /becomes-link
COPY new /out/a
COPY new /up/b
COPY new /process/c
RUN rmdir /becomes-link && ln -s [OUTSIDE] /becomes-link
COPY new /becomes-link/d
RUN cd [OUTSIDE] && test -f a && test -f b && test -f d && rm a && ln -s [UP]/file a
COPY new /out/a
WORKDIR /out/work
RUN test $(pwd) = [OUTSIDE]/work && touch made
",
    ) else {
        return;
    };
    let _ = target.attempt(&[]).success();
    let expected = [
        "[INSIDE]/a -> ../../../../../../../../../..[OUTSIDE]/file",
        "[INSIDE]/b = new",
        "[INSIDE]/d = new",
        "[INSIDE]/file = new",
        "[INSIDE]/work/made = ",
        "becomes-link -> [OUTSIDE]",
        "out -> [OUTSIDE]",
        "proc/1[OUTSIDE]/c = new",
        "process -> /proc/1/root/..[OUTSIDE]",
        "up -> ../../../../../../../../../..[OUTSIDE]",
    ];
    assert_eq!(besides(&target), expected);
}

#[test]
fn links_below_a_destination_are_not_followed() {
    let Some(target) = target("FROM scratch\nCOPY links/ /at/\nCOPY tree/ /at/\n") else { return };
    // A directory that is copied onto a link: it would have to be followed, or replaced.
    target.file("tree/absolute/file", "new");
    assert_fails(&target.attempt(&[]), "cannot copy to non-directory");
    // A file that is copied onto one replaces it.
    fs::remove_dir_all(target.directory().join("context/tree")).expect("it is ours");
    target.file("tree/absolute", "new");
    target.link("context/tree/relative", "[OUTSIDE]");
    let _ = target.attempt(&[]).success();
    let expected = [
        "at/absolute = new",
        "at/down/relative -> ../../..[OUTSIDE]",
        "at/file -> [OUTSIDE]/file",
        "at/process -> /proc/self/root",
        "at/relative -> [OUTSIDE]",
        "at/working -> /proc/self/cwd",
    ];
    assert_eq!(target.image(), expected);
    // With `--link` nothing of the image is looked at.
    target
        .dockerfile("FROM scratch\nCOPY links/ /\nCOPY --link new /absolute/a\nADD --link new /relative/b\n");
    let _ = target.attempt(&[]).success();
    assert_eq!(besides(&target), ["absolute/a = new", "relative/b = new"]);
}

#[test]
fn sources_are_of_their_context_or_stage() {
    let Some(target) = target("") else { return };
    target.link("context/leak", "../outside/file");
    target.link("context/leaks/absolute", "[OUTSIDE]");
    target.link("context/leaks/process", "/proc/self/root[OUTSIDE]");
    target.link("context/leaks/up", "../../outside");
    let build = |instruction: &str| {
        let text =
            format!("FROM scratch AS links\nCOPY links/ /\nCOPY new /new\nFROM scratch\n{instruction}\n");
        target.dockerfile(&target.aimed(&text));
        target.attempt(&[])
    };
    for source in [
        "leak",
        "leaks/absolute/file",
        "leaks/up/file",
        "leaks/up/",
        "leaks/process/file",
        "leaks/../../outside/file",
        "../outside/file",
        "[OUTSIDE]/file",
    ] {
        for instruction in ["COPY", "COPY --parents", "COPY --link", "ADD"] {
            assert_fails(&build(&format!("{instruction} {source} /copied/")), ": not found");
        }
    }
    for source in
        ["/file", "/relative/file", "/down/relative/", "/process[OUTSIDE]/file", "/../..[OUTSIDE]/file"]
    {
        assert_fails(&build(&format!("COPY --from=links {source} /copied/")), ": not found");
    }
    // A wildcard that leads into a link matches nothing.
    let _ = build("COPY leaks/abs*/file /copied/").success();
    assert_eq!(target.image(), Vec::<String>::new());
    // Links below a source are copied as what they are.
    let _ = build("COPY leaks/ /").success();
    let expected = ["absolute -> [OUTSIDE]", "process -> /proc/self/root[OUTSIDE]", "up -> ../../outside"];
    assert_eq!(target.image(), expected);
    // What links of a stage lead to is what the stage itself has there.
    let stage = "FROM links AS inside\nCOPY new [OUTSIDE]/file\nFROM scratch\n";
    let _ = build(&format!("{stage}COPY --from=inside /file /relative/ /copied/")).success();
    assert_eq!(target.image(), ["copied/file = new"]);
}

#[test]
fn mounts_through_links_are_in_the_image() {
    let Some(target) = target(
        "\
FROM scratch AS inside
COPY new [OUTSIDE]/file
COPY links/ /
FROM busybox
COPY links/ /
RUN --mount=type=tmpfs,target=/absolute/t touch [OUTSIDE]/t/x
RUN --mount=type=cache,target=/relative/cache touch [OUTSIDE]/cache/x
RUN --mount=type=secret,id=s,target=/down/relative/secret grep -q secret [OUTSIDE]/secret
RUN --mount=type=bind,target=/absolute,rw test -f [OUTSIDE]/new && touch [OUTSIDE]/x && rm [OUTSIDE]/new
RUN --mount=type=bind,from=inside,source=/relative,target=/m,rw test $(cat /m/file) = new && echo x > /m/file
RUN --mount=type=bind,target=/m,rw ! cat /m/links/file && ! touch /m/links/absolute/x
",
    ) else {
        return;
    };
    target.write("secret", "secret").expect("the directory is ours");
    let _ = target.attempt(&["--secret", "id=s,src=secret"]).success();
    assert_eq!(besides(&target), Vec::<String>::new());
    assert_eq!(target.read("context/new"), "new");
    target.link("context/leak", "../outside");
    for source in ["leak", "/leak", "links/absolute", "links/file", "../outside", "links/process[OUTSIDE]"] {
        let mount = format!("--mount=type=bind,source={source},target=/m,rw");
        target.dockerfile(&target.aimed(&format!("FROM busybox\nRUN {mount} cat /m/file; touch /m/x\n")));
        assert_fails(&target.attempt(&[]), ": not found");
    }
}

/// What becomes of an archive that is added.
struct Added {
    archive: Archive,
    /// What it leaves when its destination is the root, or what is wrong with it.
    expected: Result<&'static [&'static str], &'static str>,
}

const NAME_OUTSIDE: &str = "its name leads outside the root";
const TARGET_OUTSIDE: &str = "its link target leads outside the root";
const TARGET_MISSING: &str = "its hard link target does not exist";

fn archives(target: &Target) -> Vec<Added> {
    let outside = target.path.as_str();
    let file = format!("{outside}/file");
    let up = target.aimed("[UP]");
    let long = "long/".repeat(300);
    let new = Archive::new;
    let refused = |archive, problem| Added { archive, expected: Err(problem) };
    let taken = |archive, files| Added { archive, expected: Ok(files) };
    vec![
        refused(new().file(&format!("{up}/x")), NAME_OUTSIDE),
        refused(new().file("../x"), NAME_OUTSIDE),
        refused(new().file("a/../../x"), NAME_OUTSIDE),
        refused(new().file(&format!("{long}{}x", "../".repeat(310))), NAME_OUTSIDE),
        refused(new().file("../.wh.outside"), NAME_OUTSIDE),
        refused(new().file(&"n".repeat(256)), "File name too long"),
        refused(new().hard_link("l", &format!("{up}/file")).file("l"), TARGET_OUTSIDE),
        refused(new().hard_link("l", &file).file("l"), TARGET_MISSING),
        refused(new().symlink("d", outside).hard_link("l", "d/file").file("l"), TARGET_MISSING),
        taken(new().file(&format!("{outside}/x")), &["[INSIDE]/x = new"]),
        taken(new().symlink("l", outside).file("l/x"), &["[INSIDE]/x = new", "l -> [OUTSIDE]"]),
        taken(
            new().symlink("l", &up).file("l/x"),
            &["[INSIDE]/x = new", "l -> ../../../../../../../../../..[OUTSIDE]"],
        ),
        taken(
            new().symlink("l", "m").symlink("m", outside).file("l/x"),
            &["[INSIDE]/x = new", "l -> m", "m -> [OUTSIDE]"],
        ),
        // Through links that the image has.
        taken(new().file("absolute/x").file("relative/y"), &["[INSIDE]/x = new", "[INSIDE]/y = new"]),
        // One name for several things, in both orders.
        taken(new().symlink("l", &file).file("l"), &["l = new"]),
        taken(new().symlink("l", outside).directory("l/").file("l/x"), &["l/x = new"]),
        taken(
            new().directory("l/").file("l/in").symlink("l", outside).file("l/x"),
            &["[INSIDE]/x = new", "l -> [OUTSIDE]"],
        ),
        taken(new().symlink("s", &file).hard_link("l", "s").file("l"), &["l = new", "s -> [OUTSIDE]/file"]),
        taken(new().device("memory", 1), &["memory Char"]),
        // Nothing is deleted by what is added.
        taken(
            new().file("d/.wh.x").file(".wh.absolute").file(".wh..wh..opq"),
            &[".wh..wh..opq = new", ".wh.absolute = new", "d/.wh.x = new"],
        ),
    ]
}

#[test]
fn archives_that_are_added_stay_in_the_image() {
    let Some(target) = target("") else { return };
    for Added { archive, expected } in archives(&target) {
        target.write("context/a.tar", archive.finish()).expect("the directory is ours");
        for destination in ["/", "/absolute/", "/down/relative/"] {
            target.dockerfile(&format!("FROM scratch\nCOPY links/ /\nADD a.tar {destination}\n"));
            let ran = target.attempt(&[]);
            match expected {
                Err(problem) => assert_fails(&ran, problem),
                Ok(files) => {
                    let ran = ran.success();
                    if destination == "/" {
                        assert_eq!(besides(&target), files, "{ran}");
                    }
                }
            }
        }
    }
}
