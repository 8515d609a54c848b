//! `builder build --call`: what is told of a Dockerfile that is not built.

use serde_json::Value;
use testkit::command::{CommandLine, Ran};

/// A base image that no registry has.
const UNREACHABLE: &str = "127.0.0.1:1/base";

/// `builder` with a context of this Dockerfile.
fn project(dockerfile: &str) -> CommandLine {
    let project = CommandLine::new(env!("CARGO_BIN_EXE_builder")).expect("a temporary directory");
    project.write("context/Dockerfile", dockerfile).expect("a file");
    project
}

fn run(project: &CommandLine, flags: &[&str]) -> Ran {
    project.run(&[&["build"], flags, &["context"]].concat()).expect("the program can be started")
}

/// What a call prints on standard output as JSON, and its exit code.
fn json(project: &CommandLine, call: &str) -> (Value, Option<i32>) {
    let ran = run(project, &["--call", call]);
    (serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}")), ran.code)
}

const WITH_FINDINGS: &str = "\
FROM scratch as base
COPY *.jss /
RUN <<EOF
make
make install
EOF
";

fn with_findings() -> CommandLine {
    let project = project(WITH_FINDINGS);
    project.write("context/main.js", "").expect("a file");
    project
}

#[test]
fn a_check_shows_warnings_and_then_notes() {
    insta::assert_snapshot!(run(&with_findings(), &["--check"]), @r#"
    exit 1
    -- stdout
    Check complete, 1 warning has been found!

    WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/
    'as' and 'FROM' keywords' casing do not match
    Dockerfile:1
    --------------------
       1 | >>> FROM scratch as base
       2 |     COPY *.jss /
       3 |     RUN <<EOF
       4 |     make
    --------------------

    NOTE: WildcardMatchesNothing
    "*.jss" matches no file of the context
    hint: did you mean "main.js"?
    Dockerfile:2
    --------------------
       1 |     FROM scratch as base
       2 | >>> COPY *.jss /
       3 |     RUN <<EOF
       4 |     make
       5 |     make install
    --------------------

    NOTE: HeredocWithoutErrexit
    The shell goes on after a command of this here-document fails
    hint: begin it with: set -e
    Dockerfile:4
    --------------------
       1 |     FROM scratch as base
       2 |     COPY *.jss /
       3 |     RUN <<EOF
       4 | >>> make
       5 | >>> make install
       6 |     EOF
    --------------------
    "#);
}

#[test]
fn warnings_make_the_exit_code_and_notes_do_not() {
    let warned = with_findings();
    assert_eq!(run(&warned, &["--check"]).code, Some(1));
    assert_eq!(run(&warned, &["--call=check,ignorestatus"]).code, Some(0));
    assert_eq!(run(&warned, &["--call=check,format=json,ignorestatus=true"]).code, Some(0));
    assert_eq!(run(&warned, &["--call=lint,format=sarif"]).code, Some(1));
    let noted = project("# check=error=true\nFROM scratch\nCOPY *.none /\n");
    let ran = run(&noted, &["--check"]).success();
    assert!(
        ran.stdout.starts_with("Check complete, no warnings found.\n\nNOTE: WildcardMatchesNothing\n"),
        "{ran}"
    );
    assert_eq!(
        run(&noted, &["--check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all"]).stdout,
        "Check complete, no warnings found.\n"
    );
}

#[test]
fn findings_as_json() {
    let (mut found, code) = json(&with_findings(), "check,format=json");
    assert_eq!(code, Some(1));
    assert_eq!(found["sources"][0]["filename"], "Dockerfile");
    found["sources"] = Value::Null;
    insta::assert_snapshot!(format!("{found:#}"), @r#"
    {
      "notes": [
        {
          "description": "A wildcard of COPY or ADD matches no file",
          "detail": "\"*.jss\" matches no file of the context",
          "hint": "did you mean \"main.js\"?",
          "location": {
            "ranges": [
              {
                "end": {
                  "line": 2
                },
                "start": {
                  "line": 2
                }
              }
            ]
          },
          "ruleName": "WildcardMatchesNothing"
        },
        {
          "description": "The commands of a here-document go on after one of them failed",
          "detail": "The shell goes on after a command of this here-document fails",
          "hint": "begin it with: set -e",
          "location": {
            "ranges": [
              {
                "end": {
                  "line": 4
                },
                "start": {
                  "line": 4
                }
              },
              {
                "end": {
                  "line": 5
                },
                "start": {
                  "line": 5
                }
              }
            ]
          },
          "ruleName": "HeredocWithoutErrexit"
        }
      ],
      "sources": null,
      "warnings": [
        {
          "description": "The 'as' keyword should match the case of the 'from' keyword",
          "detail": "'as' and 'FROM' keywords' casing do not match",
          "location": {
            "ranges": [
              {
                "end": {
                  "line": 1
                },
                "start": {
                  "line": 1
                }
              }
            ]
          },
          "ruleName": "FromAsCasing",
          "url": "https://docs.docker.com/go/dockerfile/rule/from-as-casing/"
        }
      ]
    }
    "#);
}

#[test]
fn a_dockerfile_with_errors_is_reported_in_every_form() {
    let project = project("FROM scratch as base\nCPOY a b\nFROM\n");
    insta::assert_snapshot!(run(&project, &["--check"]), @r"
    exit 1
    -- stdout
    Check complete, 1 warning has been found!

    WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/
    'as' and 'FROM' keywords' casing do not match
    Dockerfile:1
    --------------------
       1 | >>> FROM scratch as base
       2 |     CPOY a b
       3 |     FROM
    --------------------
    -- stderr
    1 more error in the same file:

    Dockerfile:3:1: FROM requires either one or three arguments
    --------------------
       2 |     CPOY a b
       3 | >>> FROM
         |     ^^^^
    --------------------
    hint: write FROM image, or FROM image AS name

    Dockerfile:2
    --------------------
       1 |     FROM scratch as base
       2 | >>> CPOY a b
         |     ^^^^
       3 |     FROM
    --------------------
    hint: did you mean COPY?
    ERROR: failed to build: failed to solve: Dockerfile:2:1: unknown instruction: CPOY
    ");
    let (found, code) = json(&project, "check,format=json,ignorestatus");
    assert_eq!(code, Some(1));
    assert_eq!(found["warnings"][0]["ruleName"], "FromAsCasing");
    insta::assert_snapshot!(found["buildError"].to_string(), @r#"{"location":{"ranges":[{"end":{"line":2},"start":{"line":2}}]},"message":"unknown instruction: CPOY"}"#);
    let (found, code) = json(&project, "check,format=sarif");
    assert_eq!(code, Some(1));
    let errors: Vec<String> = results(&found)
        .iter()
        .map(|result| format!("{} {}", result["level"], result["message"]["text"]))
        .collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    "error" "unknown instruction: CPOY\ndid you mean COPY?"
    "error" "FROM requires either one or three arguments\nwrite FROM image, or FROM image AS name"
    "warning" "'as' and 'FROM' keywords' casing do not match"
    "#);
}

#[test]
fn a_base_that_cannot_be_had_is_an_error_beside_the_warnings() {
    let project = project(&format!("FROM scratch as one\nFROM {UNREACHABLE}\n"));
    let ran = run(&project, &["--check"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.starts_with("Check complete, 1 warning has been found!\n\nWARNING: FromAsCasing - "),
        "{ran}"
    );
    assert!(
        ran.stderr.starts_with("Dockerfile:2\n") && ran.stderr.contains("\nERROR: failed to build: "),
        "{ran}"
    );
    assert!(!ran.stderr.contains("FromAsCasing"), "{ran}");
    let (found, _) = json(&project, "check,format=json");
    assert_eq!(found["warnings"][0]["ruleName"], "FromAsCasing");
    assert_eq!(found["buildError"]["location"]["ranges"][0]["start"]["line"], 2);
}

/// The findings of a check in short: rule, message, hint.
fn findings(project: &CommandLine) -> String {
    let (found, _) = json(project, "check,format=json");
    let lists = [&found["warnings"], &found["notes"]].into_iter().filter_map(Value::as_array).flatten();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let keys = ["ruleName", "detail", "hint"];
    lists.map(|finding| keys.map(|key| text(finding, key)).join("; ") + "\n").collect()
}

#[test]
fn rules_look_at_the_files_of_the_context() {
    let script = "#!/bin/sh\r\nmake\r\n";
    let project =
        project("FROM scratch\nCOPY run.sh text /\nCOPY found/*.c hidden/*.c missing/*.c sorce/*.c /\n");
    for (path, content) in [
        ("run.sh", script),
        ("text", script),
        ("found/a.c", ""),
        ("hidden/a.c", ""),
        ("source/a.c", ""),
        (".dockerignore", "# comment\nhidden/*\n!hidden/keep\n"),
    ] {
        project.write(&format!("context/{path}"), content).expect("a file");
    }
    insta::assert_snapshot!(findings(&project), @r#"
    CrlfScript; The lines of "run.sh" end in CR LF, and the CR becomes part of its interpreter's name; store it with Unix line ends; in .gitattributes: *.sh text eol=lf
    WildcardMatchesNothing; "hidden/*.c" matches no file of the context; what it matches is excluded: .dockerignore:2: hidden/*
    WildcardMatchesNothing; "missing/*.c" matches no file of the context; did you mean "found/a.c"?
    WildcardMatchesNothing; "sorce/*.c" matches no file of the context; did you mean "source/a.c"?
    "#);
}

#[test]
fn the_rule_that_excludes_a_source_is_named() {
    let project = project("FROM scratch\nCOPY secret.key /build/x /\n");
    project.write("context/Dockerfile.dockerignore", "*.key\nbuild\n").expect("a file");
    insta::assert_snapshot!(findings(&project), @r#"
    CopyIgnoredFile; Attempting to Copy file "secret.key" that is excluded by .dockerignore; Dockerfile.dockerignore:1: *.key
    ExcludedSource; The context does not have "build/x", since the ignore file excludes it; Dockerfile.dockerignore:2: build
    "#);
}

#[test]
fn a_check_downloads_nothing() {
    let text = "FROM scratch\nADD http://127.0.0.1:1/file http://127.0.0.1:1/repository.git#main /x/\n";
    let ran = run(&project(text), &["--check"]);
    assert_eq!(ran.success().stdout, "Check complete, no warnings found.\n");
}

fn results(sarif: &Value) -> &Vec<Value> {
    sarif["runs"][0]["results"].as_array().expect("results")
}

/// What the schema of SARIF 2.1.0 asks for, where this document has it.
fn assert_valid(sarif: &Value) {
    assert_eq!(sarif["version"], "2.1.0");
    assert!(sarif["$schema"].as_str().is_some_and(|schema| schema.contains("sarif")));
    let run = &sarif["runs"][0];
    let driver = &run["tool"]["driver"];
    assert!(driver["name"].is_string());
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = driver["rules"].as_array().expect("rules");
    for rule in rules {
        assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string(), "{rule}");
        assert!(
            rule.get("helpUri").is_none_or(|uri| uri.as_str().is_some_and(|uri| uri.starts_with("https://"))),
            "{rule}"
        );
    }
    for result in results(sarif) {
        assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()), "{result}");
        assert!(["error", "warning", "note"].iter().any(|level| result["level"] == *level), "{result}");
        let index =
            result["ruleIndex"].as_u64().and_then(|index| usize::try_from(index).ok()).expect("an index");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("a URI");
        assert!(!uri.starts_with('/') && !uri.contains(' '), "{uri}");
        let number = |key: &str| place["region"][key].as_u64().expect("a number");
        let (start, end) =
            ((number("startLine"), number("startColumn")), (number("endLine"), number("endColumn")));
        assert!(start.0 >= 1 && start.1 >= 1 && end >= start, "{place}");
    }
}

#[test]
fn findings_as_sarif() {
    let (found, _) = json(&with_findings(), "check,format=sarif");
    assert_valid(&found);
    let result = |result: &Value| {
        let place = &result["locations"][0]["physicalLocation"];
        let region = &place["region"];
        let position =
            |side: &str| format!("{}:{}", region[format!("{side}Line")], region[format!("{side}Column")]);
        let (rule, uri) = (
            result["ruleId"].as_str().unwrap_or_default(),
            place["artifactLocation"]["uri"].as_str().unwrap_or_default(),
        );
        format!(
            "{} {rule} {uri} {}-{} {}",
            result["level"],
            position("start"),
            position("end"),
            result["message"]["text"]
        )
    };
    insta::assert_snapshot!(results(&found).iter().map(result).collect::<Vec<_>>().join("\n"), @r#"
    "warning" FromAsCasing context/Dockerfile 1:1-1:21 "'as' and 'FROM' keywords' casing do not match"
    "note" WildcardMatchesNothing context/Dockerfile 2:1-2:13 "\"*.jss\" matches no file of the context\ndid you mean \"main.js\"?"
    "note" HeredocWithoutErrexit context/Dockerfile 4:1-5:13 "The shell goes on after a command of this here-document fails\nbegin it with: set -e"
    "#);
}

const WITH_TARGETS: &str = "\
# VERSION of the base
ARG VERSION=1
# tools are what is needed to build
FROM 127.0.0.1:1/base:$VERSION AS tools
ARG PASSWORD
RUN --mount=type=secret,id=token,required --mount=type=cache,target=/cache make
FROM --platform=$BUILDPLATFORM tools
RUN --mount=type=ssh make
";

#[test]
fn an_outline_as_text() {
    let project = project(WITH_TARGETS);
    insta::assert_snapshot!(run(&project, &["--call=outline", "--build-arg=PASSWORD=x"]), @r"
    exit 0
    -- stdout
    BUILD ARG   VALUE   DESCRIPTION
    VERSION     1       of the base
    PASSWORD    x

    SECRET   REQUIRED
    token    true

    SSH       REQUIRED
    default

    CACHE MOUNT
    /cache
    ");
    insta::assert_snapshot!(run(&project, &["--call=outline", "--target=tools"]), @r"
    exit 0
    -- stdout
    TARGET:      tools
    DESCRIPTION: are what is needed to build

    BUILD ARG   VALUE   DESCRIPTION
    VERSION     1       of the base
    PASSWORD

    SECRET   REQUIRED
    token    true

    CACHE MOUNT
    /cache
    ");
    insta::assert_snapshot!(run(&project, &["--call=outline", "--target=tolls"]), @r#"
    exit 1
    -- stderr
    ERROR: failed to build: failed to solve: target stage "tolls" could not be found (did you mean tools?)
    "#);
}

#[test]
fn an_outline_as_json() {
    let (mut outline, code) = json(&project(WITH_TARGETS), "outline,format=json");
    assert_eq!(code, Some(0));
    assert_eq!(outline["sources"].as_array().map(Vec::len), Some(1));
    outline["sources"] = Value::Null;
    insta::assert_snapshot!(outline.to_string(), @r#"{"args":[{"description":"of the base","location":{"ranges":[{"end":{"line":2},"start":{"line":2}}]},"name":"VERSION","value":"1"},{"location":{"ranges":[{"end":{"line":5},"start":{"line":5}}]},"name":"PASSWORD"}],"cache":[{"ID":"/cache","location":{"ranges":[{"end":{"line":6},"start":{"line":6}}]}}],"secrets":[{"location":{"ranges":[{"end":{"line":6},"start":{"line":6}}]},"name":"token","required":true}],"sources":null,"ssh":[{"location":{"ranges":[{"end":{"line":8},"start":{"line":8}}]},"name":"default"}]}"#);
}

#[test]
fn targets_as_text_and_json() {
    let project = project(WITH_TARGETS);
    insta::assert_snapshot!(run(&project, &["--call=targets"]), @r"
    exit 0
    -- stdout
    TARGET    DESCRIPTION
    tools     are what is needed to build
    (default)
    ");
    let (mut targets, code) = json(&project, "targets,format=json");
    assert_eq!(code, Some(0));
    targets["sources"] = Value::Null;
    insta::assert_snapshot!(targets.to_string(), @r#"{"sources":null,"targets":[{"base":"127.0.0.1:1/base:$VERSION","description":"are what is needed to build","location":{"ranges":[{"end":{"line":4},"start":{"line":4}}]},"name":"tools"},{"base":"tools","default":true,"location":{"ranges":[{"end":{"line":7},"start":{"line":7}}]},"platform":"$BUILDPLATFORM"}]}"#);
}

#[test]
fn methods_describe_themselves() {
    let project = project("FROM scratch\n");
    insta::assert_snapshot!(run(&project, &["--call=subrequests.describe"]), @r"
    exit 0
    -- stdout
    NAME                 VERSION DESCRIPTION
    lint                 1.0.0   Check a Dockerfile by the rules for Dockerfiles
    outline              1.0.0   List what the target can be given
    targets              1.0.0   List the stages that can be built
    subrequests.describe 1.0.0   List what can be called
    ");
    let (methods, _) = json(&project, "subrequests.describe,format=json");
    let names: Vec<_> =
        methods.as_array().into_iter().flatten().filter_map(|method| method["name"].as_str()).collect();
    assert_eq!(
        names,
        ["frontend.lint", "frontend.outline", "frontend.targets", "frontend.subrequests.describe"]
    );
}

#[test]
fn the_later_flag_counts() {
    let project = project("FROM scratch AS only\n");
    assert!(run(&project, &["--check", "--call=targets"]).stdout.starts_with("TARGET"));
    assert!(run(&project, &["--call=targets", "--check"]).stdout.starts_with("Check complete"));
    assert!(run(&project, &["--check=false", "--print=targets"]).stdout.starts_with("TARGET"));
    assert_eq!(run(&project, &["--call=tragets"]).code, Some(2));
    assert_eq!(run(&project, &["--check=perhaps"]).code, Some(2));
}

#[test]
fn a_build_lists_notes_behind_its_warnings() {
    let project = project("FROM scratch as base\nCOPY main.js *.jss /\n");
    project.write("context/main.js", "").expect("a file");
    let built = run(&project, &[]).success();
    let remarks = built.stderr.split_once("\n 1 warning").map(|(_, rest)| rest);
    insta::assert_snapshot!(remarks.unwrap_or(&built.stderr), @r#"
    found:
    - FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)

    1 note (builder build --check explains):
    - Dockerfile:2: "*.jss" matches no file of the context [WildcardMatchesNothing]
    "#);
}
