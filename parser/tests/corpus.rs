//! Every `testdata/parser/*.dockerfile` parses to the tree in the `.tree` file beside it, and stays
//! sound under random changes.
//!
//! To rewrite trees after a wanted change, delete them and run the test once: it writes those that are
//! missing, and fails, so that they are looked at.

use std::fs;
use std::path::{Path, PathBuf};

use parser::ignore::IgnoreFile;
use parser::{Parsed, Span, Word, dump, parse, parse_instruction};
use proptest::prelude::*;

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/parser");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the corpus is a folder of this repository")
        .map(|entry| entry.expect("its entries can be read").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "dockerfile"));
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", folder.display());
    files
}

#[test]
fn trees_are_as_expected() {
    let mut wrong = Vec::new();
    for path in corpus() {
        let text = fs::read_to_string(&path).unwrap();
        let tree = dump(&text, &parse(&text));
        let expected = path.with_extension("tree");
        match fs::read_to_string(&expected) {
            Ok(expected) if expected == tree => {}
            Ok(_) => wrong.push(format!("{} parses to\n{tree}", path.display())),
            Err(_) => {
                fs::write(&expected, tree).unwrap();
                wrong.push(format!("{} was missing and is written", expected.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What holds for every text.
fn check_sound(text: &str, parsed: &Parsed) {
    let inside = |span: Span| text.get(span.range()).is_some();
    for diagnostic in &parsed.diagnostics {
        assert!(inside(diagnostic.span), "{diagnostic:?} in {text:?}");
        assert!(diagnostic.labels.iter().all(|(span, _)| inside(*span)), "{diagnostic:?} in {text:?}");
        assert!(!diagnostic.message.contains('\n') || text.contains('\n'), "{diagnostic:?}");
    }
    for stage in &parsed.dockerfile.stages {
        assert!(inside(stage.from.span) && inside(stage.from.node.base.span()), "{stage:?}");
        for instruction in &stage.instructions {
            assert!(inside(instruction.span) && inside(instruction.keyword.span), "{instruction:?}");
            assert!(instruction.empty_continuations.iter().all(|span| inside(*span)));
        }
    }
    assert!(!parsed.dockerfile.stages.is_empty() || !parsed.diagnostics.is_empty(), "{text:?}");
    dump(text, parsed);
}

/// Text in which everything that means something is frequent.
fn dockerfile_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "FROM ",
            "RUN ",
            "COPY ",
            "ADD ",
            "ENV ",
            "ARG ",
            "LABEL ",
            "ONBUILD ",
            "HEALTHCHECK ",
            "CMD ",
            "EXPOSE ",
            "VOLUME ",
            "SHELL ",
            "USER ",
            "WORKDIR ",
            "ENTRYPOINT ",
            "STOPSIGNAL ",
            "MAINTAINER ",
        ]),
        prop::sample::select(vec![
            "\n",
            "\n",
            "\r\n",
            "\\\n",
            "`\n",
            "\\",
            "`",
            "'",
            "\"",
            "$",
            "${",
            "}",
            ":-",
            "##",
            "%",
            "/",
            "<<EOF",
            "<<-'E'",
            "EOF\n",
            "E\n",
            "#",
            "# escape=`\n",
            "# check=skip=all\n",
            "[",
            "]",
            ",",
            "=",
            "--mount=type=",
            "--from=",
            "--",
            "--link",
            "cache",
            "secret,id=a",
            "NONE",
            "CMD",
            " AS ",
            "a",
            "b=c",
            " ",
            "\t",
            "ü",
            "\u{2003}",
            "\u{feff}",
            "\\u0041",
            "--interval=1s",
            "\0",
        ]),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_parses(text in dockerfile_like()) {
        check_sound(&text, &parse(&text));
        for escape in ['\\', '`'] {
            let (instruction, diagnostics) = parse_instruction(&text, escape);
            prop_assert!(instruction.is_some() || diagnostics.iter().any(parser::Diagnostic::is_error));
            prop_assert!(diagnostics.iter().all(|found| text.get(found.span.range()).is_some()));
        }
    }

    #[test]
    fn changed_files_of_the_corpus_parse(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        removed in 0_usize..20,
        inserted in dockerfile_like(),
    ) {
        let files = corpus();
        let mut characters: Vec<char> = fs::read_to_string(file.get(&files)).unwrap().chars().collect();
        let at = at.index(characters.len() + 1);
        let end = (at + removed).min(characters.len());
        characters.splice(at..end, inserted.chars());
        let text: String = characters.into_iter().collect();
        check_sound(&text, &parse(&text));
    }

    #[test]
    fn any_word_expands_or_says_why(text in "[a${}:#%/*?\\\\'\"<+ -]{0,40}", value in "[ab/\n]{0,9}") {
        let word = Word::new(text.as_str(), Span::new(0, text.len()), '\\');
        let lookup = |name: &str| (name != "aa").then(|| value.clone());
        prop_assert_eq!(word.expand(lookup).is_ok(), word.expand_words(lookup).is_ok());
    }

    #[test]
    fn any_ignore_file_judges_any_path(text in "[ab*?!/.\\[\\]^\\\\\n-]{0,30}", path in "[ab]{1,2}(/[ab.]{1,2}){0,4}") {
        let (file, _) = IgnoreFile::parse(&text);
        let verdict = file.judge_path(&path);
        prop_assert_eq!(file.decided_by(&verdict).is_some_and(|rule| !rule.is_exception), verdict.is_ignored());
        // A directory that may be skipped has nothing below it that is kept.
        if let Some((parent, _)) = path.rsplit_once('/') {
            let skipped = file.judge_path(parent).is_ignored() && file.can_prune(parent);
            prop_assert!(!skipped || verdict.is_ignored(), "{:?} skips {}", text, path);
        }
    }
}
