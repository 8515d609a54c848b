//! How fast Dockerfiles are planned, and whether the time is linear in their length.
//!
//! `cargo bench -p planner` works like `cargo bench -p parser`; the time for the parser is not counted.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;

use graph::Pins;
use parser::{Diagnostic, Dockerfile};
use planner::{PlanOptions, plan};
use shapes::{Shape, compare, shape};

#[path = "../../parser/benches/shapes/mod.rs"]
pub mod shapes;

const SHAPES: &[Shape] = &[
    shape("one-line ENVs", "FROM scratch\n", "ENV VARIABLE_@=value-@\n", ""),
    shape("ENVs of one variable", "FROM scratch\n", "ENV A=$B-@\n", ""),
    shape("one ENV of many variables", "FROM scratch\nENV A=b", " \\\n  V@=value", "\n"),
    shape("ARGs", "FROM scratch\n", "ARG A@=b\n", ""),
    shape("global ARGs", "", "ARG A@=b\n", "FROM scratch\n"),
    shape("LABELs", "FROM scratch\n", "LABEL l@=b\n", ""),
    shape("EXPOSEs", "FROM scratch\n", "EXPOSE 80 443/udp\n", ""),
    shape("VOLUMEs", "FROM scratch\n", "VOLUME /v@\n", ""),
    shape("USERs and WORKDIRs", "FROM scratch\n", "USER u@\nWORKDIR /w@\n", ""),
    shape("COPYs", "FROM scratch\n", "COPY a@ b/\n", ""),
    shape("COPYs of one file", "FROM scratch\n", "COPY a /b\n", ""),
    shape("sources of one COPY", "FROM scratch\nCOPY", " \\\n  a@", " b/\n"),
    shape("COPYs of heredocs", "FROM scratch\n", "COPY <<E /b@\n$A\nE\n", ""),
    shape("ADDs of URLs", "FROM scratch\n", "ADD https://a.b/c@ /d/\n", ""),
    shape("RUNs", "FROM scratch\n", "RUN echo @\n", ""),
    shape(
        "RUNs with mounts",
        "FROM scratch\n",
        "RUN --mount=type=cache,target=/c@ --mount=target=/a true\n",
        "",
    ),
    shape("CMDs", "FROM scratch\n", "CMD a@\n", ""),
    shape("ONBUILDs", "FROM scratch\n", "ONBUILD RUN echo @\n", ""),
    shape("undefined variables", "FROM scratch\nENV HOUSE=a\n", "WORKDIR /$HOUSES@\n", ""),
    shape("empty continuations", "FROM scratch\n", "USER \\\n\n  a\n", ""),
    shape("relative directories", "FROM scratch\nWORKDIR /\n", "WORKDIR ./.\n", ""),
    shape("unused stages", "", "FROM scratch AS s@\nCOPY a b\n", "FROM scratch\n"),
    shape("images of unused stages", "", "FROM image@ AS s@\n", "FROM scratch\n"),
    shape(
        "images of stages",
        "FROM scratch AS s\n",
        "FROM image@\nCOPY --from=s a b\n",
        "COPY --from=0 a b\n",
    ),
    shape("stages of one name", "", "FROM scratch AS s\nUSER @\n", ""),
    shape("stages on one stage", "FROM scratch AS base\nENV A=b\n", "FROM base\n", "COPY a b\n"),
    shape("copies of stages", "FROM scratch AS s\nCOPY a b\nFROM scratch\n", "COPY --from=s a b@\n", ""),
    shape("images to copy from", "FROM scratch\n", "COPY --from=image@ a b\n", ""),
    shape("undefined among many", "FROM scratch\n", "ENV A@=b\nUSER $B@\n", ""),
    shape("errors", "FROM scratch\n", "EXPOSE x@\n", ""),
    shape("bad stages", "", "FROM $A\n", ""),
];

fn main() {
    let options = PlanOptions::new("linux/amd64".parse().expect("a platform"));
    let pins = Pins::default();
    compare(SHAPES, 200_000, parsed, |dockerfile| _ = black_box(plan(dockerfile, &options, &pins)));
}

fn parsed(text: &str) -> Dockerfile {
    let parsed = parser::parse(text);
    let error = parsed.diagnostics.iter().find(|diagnostic: &&Diagnostic| diagnostic.is_error());
    assert!(error.is_none(), "{error:?}");
    parsed.dockerfile
}
