//! Random texts, made of what means something: `soundness` says what must hold for each.
//!
//! The fuzz targets in `fuzz/` have the same judge and more time.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

pub mod soundness;

/// Some of these pieces in a row, fewer than `most`.
fn pieces(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(pieces), 0..most).prop_map(|pieces| pieces.concat())
}

const KEYWORDS: &[&str] = &[
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
];

const SYNTAX: &[&str] = &[
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
];

const WORDS: &[&str] = &[
    "a", "aa", "$", "${", "}", ":", "-", "+", "?", "#", "%", "/", "*", "\\", "`", "'", "\"", "<", "<<", " ",
    "ü", "\n",
];

const JSON: &[&str] = &[
    "[", "]", "[\"", "\"]", "\"", "\"a\"", ",", " ", "\\", "\\\"", "\\n", "\\u00fc", "\\ud83d", "\\ude00",
    "ü", "1", "null", "{", "}", "'a'", "\t", "\\\n",
];

const MOUNTS: &[&str] = &[
    "--mount=",
    "type=",
    "bind",
    "cache",
    "tmpfs",
    "secret",
    "ssh",
    ",",
    "=",
    "\"",
    "target=/a",
    "source=",
    "from=b",
    "id=",
    "ro",
    "rw=false",
    "required",
    "size=",
    "1.5g",
    "9e9",
    "mode=",
    "0755",
    "uid=",
    "-1",
    "sharing=locked",
    "env=",
    "$a",
    "${b:-c}",
    " ",
    "ü",
    "\\",
    "\\\n",
    "'",
    "--network=none",
    "--device=a.b/c=d",
];

const DURATIONS: &[&str] = &[
    "--interval=",
    "--timeout=",
    "--start-period=",
    "--retries=",
    " ",
    "0",
    "1",
    "9",
    ".",
    "-",
    "+",
    "e",
    "ns",
    "us",
    "µs",
    "μs",
    "ms",
    "s",
    "m",
    "h",
    "x",
    "ü",
    "99999999999999999999",
    " CMD a",
    " NONE",
];

const PATTERNS: &[&str] = &[
    "a", "b", "*", "**", "?", "!", "/", ".", "..", "[", "]", "^", "\\", "\n", "-", "#", " ", "ü", "\u{feff}",
];

fn dockerfile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![prop::sample::select(KEYWORDS), prop::sample::select(SYNTAX)];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/parser");
    let entries = fs::read_dir(folder).expect("the corpus is a folder of this repository");
    let files = entries.map(|entry| entry.expect("its entries can be read").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "dockerfile")).collect()
}

proptest! {
    #[test]
    fn any_text_parses(text in dockerfile()) {
        soundness::check_file(&text);
        soundness::check_instruction(&text);
    }

    #[test]
    fn changed_files_of_the_corpus_parse(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        removed in 0_usize..20,
        inserted in dockerfile(),
    ) {
        let files = corpus();
        let mut characters: Vec<char> = fs::read_to_string(file.get(&files)).unwrap().chars().collect();
        let at = at.index(characters.len() + 1);
        let end = (at + removed).min(characters.len());
        characters.splice(at..end, inserted.chars());
        soundness::check_file(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn any_flag_or_array_is_read(
        text in prop_oneof![pieces(JSON, 16), pieces(MOUNTS, 16), pieces(DURATIONS, 10)],
    ) {
        soundness::check_instruction(&text);
    }

    #[test]
    fn any_word_expands_or_says_why(text in pieces(WORDS, 24), values in prop::collection::vec("[ab/\n *]{0,9}", 0..3)) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        soundness::check_word(&text, &values);
        soundness::check_heredoc(&text, &values);
    }

    #[test]
    fn any_ignore_file_judges_any_path(text in pieces(PATTERNS, 16), path in "/?[abü]{1,2}(/[ab.]{1,2}){0,4}") {
        soundness::check_ignore(&text, &path);
    }
}
