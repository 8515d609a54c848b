//! The program as its users meet it: what it prints, and its exit codes.

use testkit::command::{CommandLine, Ran};

/// `builder` in an empty directory with an empty store.
fn builder() -> CommandLine {
    CommandLine::new(env!("CARGO_BIN_EXE_builder")).expect("a temporary directory")
}

fn run(builder: &CommandLine, arguments: &[&str]) -> Ran {
    builder.run(arguments).expect("the program can be started")
}

#[test]
fn usage_errors_have_exit_codes_of_their_own() {
    let builder = builder();
    let code = |arguments: &[&str]| run(&builder, arguments).code;
    assert_eq!(code(&["build"]), Some(2));
    assert_eq!(code(&["no-such-command"]), Some(2));
    assert_eq!(code(&["build", "-t", "Upper", "."]), Some(2));
    assert_eq!(code(&["run"]), Some(125));
    assert_eq!(code(&["run", "--nonsense", "image"]), Some(125));
    assert_eq!(code(&["--help"]), Some(0));
}

#[test]
fn a_context_that_is_not_there() {
    insta::assert_snapshot!(run(&builder(), &["build", "nowhere"]), @r#"
    exit 1
    -- stderr
    ERROR: failed to build: unable to prepare context: path "nowhere" not found
    "#);
}

#[test]
fn an_empty_store_has_a_heading_only() {
    insta::assert_snapshot!(run(&builder(), &["images"]), @r"
    exit 0
    -- stdout
    REPOSITORY   TAG       IMAGE ID   CREATED   SIZE
    ");
}

#[test]
fn images_that_do_not_exist() {
    let builder = builder();
    insta::assert_snapshot!(run(&builder, &["inspect", "missing"]), @r"
    exit 1
    -- stdout
    []
    -- stderr
    ERROR: No such image: missing
    ");
    insta::assert_snapshot!(run(&builder, &["rmi", "missing", "other:1"]), @r"
    exit 1
    -- stderr
    ERROR: No such image: missing
    ERROR: No such image: other:1
    ");
    assert_eq!(run(&builder, &["rmi", "--force", "missing"]).code, Some(0));
    insta::assert_snapshot!(run(&builder, &["tag", "missing", "new"]), @r"
    exit 1
    -- stderr
    ERROR: No such image: missing
    ");
    insta::assert_snapshot!(run(&builder, &["history", "missing"]), @r"
    exit 1
    -- stderr
    ERROR: No such image: missing
    ");
}

#[test]
fn an_image_is_imported_named_and_removed() {
    let builder = builder();
    // An archive of no files is two blocks of zeros.
    let imported = builder.run_with_input(&["import", "--change", "CMD [\"x\"]", "-", "base:1"], &[0; 1024]);
    let id = imported.expect("the program can be started").success().stdout;
    assert!(id.starts_with("sha256:") && id.ends_with('\n'), "{id}");

    let _ = run(&builder, &["tag", "base:1", "registry.example/other"]).success();
    let images = run(&builder, &["images"]).success().stdout.replace(&id[7..19], "[ID]");
    // How wide the column with the age is depends on the clock.
    let heading = images.lines().next().unwrap_or_default();
    assert_eq!(heading.split_once("CREATED").map(|(_, size)| size.trim_start()), Some("SIZE"), "{images}");
    let first_columns = images
        .lines()
        .map(|line| line.split("[ID]").next().unwrap_or_default())
        .map(|line| line.split("SIZE").next().unwrap_or_default().trim_end());
    insta::assert_snapshot!(first_columns.collect::<Vec<_>>().join("\n"), @r"
    REPOSITORY               TAG       IMAGE ID       CREATED
    base                     1
    registry.example/other   latest
    ");

    let refused = run(&builder, &["rmi", &id[7..19]]);
    insta::assert_snapshot!(refused.to_string().replace(&id[7..19], "[ID]"), @r"
    exit 1
    -- stderr
    ERROR: conflict: unable to delete [ID] (must be forced) - image is referenced in multiple repositories
    ");
    let _ = run(&builder, &["rmi", "base:1"]).success();
    let removed = run(&builder, &["rmi", "registry.example/other"]);
    insta::assert_snapshot!(removed.to_string().replace(id.trim_end(), "[ID]"), @r"
    exit 0
    -- stdout
    Untagged: registry.example/other:latest
    Deleted: [ID]
    ");
}

#[test]
fn an_archive_of_something_else_is_refused() {
    let builder = builder();
    builder.write("text", "this is no archive").expect("a file");
    assert_eq!(run(&builder, &["load", "--input", "text"]).code, Some(1));
    assert_eq!(run(&builder, &["import", "text", "name"]).code, Some(1));
    assert_eq!(run(&builder, &["images", "-q"]).success().stdout, "");
}
