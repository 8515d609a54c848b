//! How fast texts are parsed, and whether the time is linear in their length.
//!
//! `cargo bench -p parser` parses texts of many shapes at two lengths and prints the speed of each, and
//! how much longer a byte takes in the long one: about 1 where the time is linear, about the ratio of the
//! lengths where it is quadratic. `cargo bench -p parser -- heredoc` does that for the shapes that have
//! `heredoc` in their name.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;

use shapes::{Shape, compare, shape};

pub mod shapes;

const SHAPES: &[Shape] = &[
    shape("one-line ENVs", "FROM a\n", "ENV VARIABLE_@=value-@\n", ""),
    shape("quoted ENVs", "FROM a\n", "ENV V@=\"a b\" W@='c d'\n", ""),
    shape("one ENV over many lines", "FROM a\nENV A=b", " \\\n  V@=value", "\n"),
    shape("one RUN over many lines", "FROM a\nRUN true", " \\\n && echo @", "\n"),
    shape(
        "ordinary instructions",
        "",
        "FROM a AS b@\nWORKDIR /w\nCOPY --from=b@ --chown=1 x y /z/\nRUN make\nCMD [\"a\"]\n",
        "",
    ),
    shape("comment lines", "FROM a\n", "# a comment\n", "RUN b\n"),
    shape("comments inside a continuation", "FROM a\nRUN b \\\n", "# a comment\n", "c\n"),
    shape("empty lines inside a continuation", "FROM a\nRUN b \\\n", "\n", "c\n"),
    shape("empty continuations", "FROM a\nRUN b \\\n", "\\\n", "c\n"),
    shape("blank lines", "FROM a\n", "\n", "RUN b\n"),
    shape("carriage returns", "FROM a\r\n", "\r", "\r\nRUN b\r\n"),
    shape("CRLF", "\u{feff}FROM a\r\n", "ENV V@=b \\\r\n W@=c\r\n", ""),
    shape("heredocs", "FROM a\n", "RUN <<E\necho @\nE\n", ""),
    shape("one long heredoc", "FROM a\nCOPY <<E /b\n", "line @\n", "E\n"),
    shape("a heredoc without end", "FROM a\nRUN <<E\n", "line @\n", ""),
    shape("heredocs without end", "FROM a\n", "RUN <<E@\n", ""),
    shape("heredoc markers on one line", "FROM a\nCOPY", " <<E@", " /b/\n"),
    shape("COPY of many heredocs", "FROM a\nCOPY", " \\\n<<E@", " /b/\nE0\nE1\n"),
    shape("redirections", "FROM a\nRUN", " \\\n <<", "\n"),
    shape("open double quotes", "FROM a\nENV A=\"", "b \\\n", ""),
    shape("open single quotes", "FROM a\n", "ENV A='b\n", ""),
    shape("many quotes", "FROM a\nENV A=", "\"b\"'c' \\\n", "\n"),
    shape("nested substitutions", "FROM a\nRUN --mount=target=", "${a:-", "\n"),
    shape("substitutions in a mount", "FROM a\nRUN --mount=target=", "${a@}", " b\n"),
    shape("patterns in a mount", "FROM a\nRUN --mount=target=${a//", "x*?", "/y} b\n"),
    shape("substitutions in --from", "FROM a\nCOPY --from=", "${a/b/c}", " b c\n"),
    shape("options of a mount", "FROM a\nRUN --mount=type=cache", ",target=/a@", " b\n"),
    shape("flags of one RUN", "FROM a\nRUN", " --mount=target=/a@", " b\n"),
    shape("repeated flags", "FROM a\nRUN", " --mount=target=/a --network=none", " b\n"),
    shape("unknown flags", "FROM a\n", "COPY --form=@ a b\n", ""),
    shape("unknown flags of one COPY", "FROM a\nCOPY", " --form=@", " a b\n"),
    shape("JSON arrays", "FROM a\n", "RUN [\"a\", \"b\\n\", \"\\u00fc\"]\n", ""),
    shape("one JSON array", "FROM a\nCMD [\"a\"", ", \"b@\"", "]\n"),
    shape("a nearly valid JSON array", "FROM a\nCMD [\"a\"", ", \"b@\"", ",]\n"),
    shape("a JSON array of a number", "FROM a\nCMD [1", ", \"b@\"", "]\n"),
    shape("open brackets", "FROM a\nCMD ", "[", "\n"),
    shape("lines of open brackets", "FROM a\n", "VOLUME [[[[[[[[[[[[[[[[[[[[[[[[\n", ""),
    shape("backslashes", "FROM a\nENV A=", "\\\\", "\n"),
    shape("words of a COPY", "FROM a\nCOPY", " b@", " /c/\n"),
    shape("ports", "FROM a\nEXPOSE", " @ \\\n", "\n"),
    shape("arguments of an ARG", "ARG", " A@=b", "\nFROM a\n"),
    shape("unknown instructions", "FROM a\n", "RNU b\n", ""),
    shape("unknown instructions with a heredoc", "FROM a\n", "CPY <<E b\nE\n", ""),
    shape("a long unknown instruction", "FROM a\n", "x", ""),
    shape("instructions without arguments", "FROM a\n", "RUN\nENV\nCOPY a\nLABEL b\n", ""),
    shape("ENV without equals signs", "FROM a\nENV A=b", " c@", "\n"),
    shape("instructions before FROM", "", "RUN b\n", ""),
    shape("stages", "", "FROM a AS b@\n", ""),
    shape("ONBUILDs", "FROM a\n", "ONBUILD RUN echo @\n", ""),
    shape("ONBUILD ONBUILD", "FROM a\n", "ONBUILD ", "RUN b\n"),
    shape("health checks", "FROM a\n", "HEALTHCHECK --interval=1m30s --retries=3 CMD a\n", ""),
    shape("a long time", "FROM a\nHEALTHCHECK --interval=", "1s", " CMD a\n"),
    shape("directives", "", "# check=skip=all\n", "FROM a\n"),
    shape("letters of two bytes", "FROM a\nENV A=b", " \\\n ü@=ö", "\n"),
];

fn main() {
    compare(SHAPES, 1_000_000, str::to_owned, |text| _ = black_box(parser::parse(text)));
}
