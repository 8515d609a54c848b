//! An ARG above a RUN that does not mention it. Every RUN below an ARG sees it as a variable, so all
//! of them run again when the value changes.
//!
//! A value that is written in the file changes with the file, for everyone to see. So the rule looks
//! at values that come from outside: those that `--build-arg` gives, and those without a default, that
//! are there to be given. What a program reads from the environment cannot be seen here: an argument
//! that nothing mentions counts unless its name is one that programs are known to read, or says that
//! the cache is what it is for.

use std::collections::{BTreeMap, HashMap};

use parser::Stage;
use parser::ast::{Arg, CopySource, Instruction, Spanned};
use parser::heredoc::Heredoc;

use super::{Linter, Rule};
use crate::environment::Environment;
use crate::options::is_proxy_variable;

/// Variables that common programs read.
const READ_BY_PROGRAMS: &[&str] = &[
    "CC",
    "CFLAGS",
    "CI",
    "CXX",
    "CXXFLAGS",
    "DEBIAN_FRONTEND",
    "LANG",
    "LDFLAGS",
    "MAKEFLAGS",
    "PATH",
    "RUSTFLAGS",
    "SOURCE_DATE_EPOCH",
    "TZ",
];
/// What names begin with that common programs read.
const PREFIXES_READ_BY_PROGRAMS: &[&str] = &[
    "AWS_",
    "BUILDKIT_",
    "BUILDX_",
    "BUNDLE_",
    "CARGO_",
    "CGO_",
    "CMAKE_",
    "COMPOSER_",
    "DOCKER_",
    "GO",
    "GRADLE_",
    "JAVA_",
    "LC_",
    "MAVEN_",
    "NODE_",
    "NPM_",
    "NUGET_",
    "PIP_",
    "POETRY_",
    "PYTHON",
    "UV_",
    "YARN_",
];
/// How much of a RUN is quoted.
const LONGEST_QUOTE: usize = 40;

/// Where the arguments of all stages are mentioned.
#[derive(Debug)]
pub(crate) struct Mentions<'a> {
    stages: &'a [Stage],
    /// The stage that each stage is built on.
    parents: Vec<Option<usize>>,
    /// The number of the stage, and that of the instruction in it, in the order of the file.
    places: HashMap<&'a str, Vec<(usize, usize)>>,
}

impl<'a> Mentions<'a> {
    /// Reads all stages of a file, once.
    pub(crate) fn of(stages: &'a [Stage]) -> Self {
        let definitions =
            stages.iter().flat_map(|stage| &stage.instructions).filter_map(|one| match &one.node {
                Instruction::Arg(arg) => {
                    Some(arg.definitions.iter().map(|definition| definition.name.as_written()))
                }
                _ => None,
            });
        let mut places: HashMap<&str, Vec<_>> =
            definitions.flatten().map(|name| (name, Vec::new())).collect();
        let (mut parents, mut names) = (Vec::new(), HashMap::new());
        for (number, stage) in stages.iter().enumerate() {
            parents.push(names.get(&stage.from.node.base.as_written().to_lowercase()).copied());
            names.extend(stage.name().map(|name| (name.to_owned(), number)));
            if places.is_empty() {
                continue;
            }
            for (position, instruction) in stage.instructions.iter().enumerate() {
                for word in words(instruction) {
                    if let Some(places) = places.get_mut(word) {
                        places.push((number, position));
                    }
                }
            }
        }
        Self { stages, parents, places }
    }

    /// The first instruction of the stage behind `position` that has the name as a word of its own,
    /// with or without `$`.
    fn first_use(&self, stage: usize, position: usize, name: &str) -> Option<usize> {
        let places = self.places.get(name)?;
        let next = places.partition_point(|place| *place <= (stage, position));
        places.get(next).filter(|place| place.0 == stage).map(|place| place.1)
    }

    /// Whether a stage that is built on this one mentions the name.
    fn has_use_in_children(&self, stage: usize, name: &str) -> bool {
        let is_child = |number: &usize| {
            let parent = |number: &usize| self.parents.get(*number).copied().flatten();
            std::iter::successors(parent(number), parent).any(|ancestor| ancestor == stage)
        };
        let places = self.places.get(name).map(Vec::as_slice).unwrap_or_default();
        let later = places.partition_point(|place| place.0 <= stage);
        places.get(later..).unwrap_or_default().iter().any(|place| is_child(&place.0))
    }

    /// Looks at the arguments of one stage. `globals` are the values that an ARG without a default
    /// inherits.
    pub(crate) fn check(
        &self,
        linter: &mut Linter,
        number: usize,
        build_args: &BTreeMap<String, String>,
        globals: &Environment,
    ) {
        let Some(stage) = self.stages.get(number) else { return };
        let is_run = |one: &Spanned<Instruction>| matches!(one.node, Instruction::Run(_));
        let runs: Vec<usize> =
            (0..).zip(&stage.instructions).filter(|(_, one)| is_run(one)).map(|(at, _)| at).collect();
        for (position, instruction) in stage.instructions.iter().enumerate() {
            let Instruction::Arg(arg) = &instruction.node else { continue };
            let next_run = runs.get(runs.partition_point(|run| *run < position)).copied();
            let Some((next_run, busted)) = next_run.and_then(|run| Some((run, stage.instructions.get(run)?)))
            else {
                return;
            };
            linter.enter(&instruction.comments);
            for name in changing(arg, build_args, globals) {
                let first_use = self.first_use(number, position, name);
                if first_use.is_some_and(|first| first <= next_run) {
                    continue;
                }
                let help = match first_use.and_then(|first| stage.instructions.get(first)) {
                    Some(user) => {
                        format!("declare it below, just above its first use: {}", quote(&user.text))
                    }
                    None if self.has_use_in_children(number, name) => {
                        "declare it at the end of the stage: only stages built on it mention it".to_owned()
                    }
                    None if is_meant(name) => continue,
                    None => {
                        "nothing in the stage mentions it: drop it; if a program reads it, say so above it: \
                             # check=skip=ArgBustsCache"
                            .to_owned()
                    }
                };
                let message = format!(
                    "A new value of {name} makes steps run again that do not mention it, the first being {:?}",
                    quote(&busted.text)
                );
                linter.report_with_help(Rule::ArgBustsCache, instruction.span, message, Some(help));
            }
        }
    }
}

/// The arguments whose values come from outside.
fn changing<'a>(
    arg: &'a Arg,
    build_args: &'a BTreeMap<String, String>,
    globals: &'a Environment,
) -> impl Iterator<Item = &'a str> {
    arg.definitions.iter().filter_map(|definition| {
        let name = definition.name.as_written();
        let has_default = definition.default.is_some() || globals.get(name).is_some();
        let comes_from_outside = build_args.contains_key(name) || !has_default;
        (comes_from_outside && !is_proxy_variable(name)).then_some(name)
    })
}

fn is_meant(name: &str) -> bool {
    READ_BY_PROGRAMS.contains(&name)
        || PREFIXES_READ_BY_PROGRAMS.iter().any(|prefix| name.starts_with(prefix))
        || name.to_ascii_uppercase().contains("CACHE")
}

/// The words of an instruction, flags and here-documents included.
fn words(instruction: &Spanned<Instruction>) -> impl Iterator<Item = &str> {
    let documents = heredocs(&instruction.node).into_iter().map(|heredoc| heredoc.content.as_str());
    let texts = std::iter::once(instruction.text.as_str()).chain(documents);
    texts.flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric() && letter != '_'))
}

fn heredocs(instruction: &Instruction) -> Vec<&Heredoc> {
    match instruction {
        Instruction::Run(run) => run.heredocs.iter().collect(),
        Instruction::Copy(copy) => copy.sources.iter().filter_map(document).collect(),
        Instruction::Add(add) => add.sources.iter().filter_map(document).collect(),
        _ => Vec::new(),
    }
}

fn document(source: &CopySource) -> Option<&Heredoc> {
    match source {
        CopySource::Inline(file) => Some(&file.heredoc),
        CopySource::Path(_) => None,
    }
}

/// The start of an instruction, flags left out.
fn quote(text: &str) -> String {
    let (keyword, arguments) = text.split_once(' ').unwrap_or((text, ""));
    let words = arguments.split(' ').skip_while(|word| word.is_empty() || word.starts_with("--"));
    let text = std::iter::once(keyword).chain(words).collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::Rule;
    use crate::testing::{options, remarks};

    /// The names and hints for a text; `B` is given on the command line.
    fn found(text: &str) -> Vec<String> {
        let mut options = options();
        options.build_args.insert("B".to_owned(), "1".to_owned());
        let notes = remarks(text, &options).into_iter().filter(|note| note.rule == Rule::ArgBustsCache);
        notes.map(|note| format!("{}; {}", note.message, note.help.unwrap_or_default())).collect()
    }

    #[test]
    fn an_argument_belongs_above_its_first_use() {
        assert_eq!(
            found(
                "FROM busybox\nARG SHA\nENV A=1\nRUN apt-get update && apt-get install -y curl make\nRUN make\nLABEL sha=$SHA\n"
            ),
            ["A new value of SHA makes steps run again that do not mention it, the first being \
                 \"RUN apt-get update && apt-get install -y…\"; \
                 declare it below, just above its first use: LABEL sha=$SHA"]
        );
    }

    #[test]
    fn an_argument_without_use_is_idle() {
        assert_eq!(
            found("FROM busybox\nARG SHA\nRUN --network=none --mount=type=tmpfs,target=/t make\n"),
            [
                "A new value of SHA makes steps run again that do not mention it, the first being \"RUN make\"; \
                 nothing in the stage mentions it: drop it; if a program reads it, say so above it: # check=skip=ArgBustsCache"
            ]
        );
        let parent = "FROM busybox AS base\nARG SHA\nRUN make\nFROM base AS next\nFROM next\nRUN echo $SHA\n";
        assert!(found(parent)[0].ends_with("only stages built on it mention it"));
    }

    #[test]
    fn only_values_from_outside_change() {
        assert!(found("ARG G=1\nFROM busybox\nARG A=1 G TARGETARCH http_proxy\nRUN make\n").is_empty());
        assert_eq!(found("FROM busybox\nARG B=0\nRUN make\n").len(), 1);
        assert_eq!(found("ARG G\nFROM busybox\nARG G\nRUN make\n").len(), 1);
    }

    #[test]
    fn whatever_may_read_it_is_a_use() {
        for used in [
            "RUN echo ${A:-x}",
            "RUN printenv A",
            "RUN <<EOF\necho $A\nEOF",
            "RUN --mount=type=cache,target=/c,id=$A make",
            "ENV A=$A",
            "COPY <<EOF /a\n$A\nEOF",
        ] {
            let text = format!("FROM busybox\nARG A\n{used}\nRUN make\n");
            assert!(found(&text).is_empty(), "{used}");
        }
        assert_eq!(found("FROM busybox\nARG A\nRUN echo $AB $_A\n").len(), 1);
        for read in ["GOPROXY", "PIP_INDEX_URL", "CACHEBUST", "TZ"] {
            assert!(found(&format!("FROM busybox\nARG {read}\nRUN make\n")).is_empty(), "{read}");
        }
        assert!(found("FROM busybox\nARG A\nCOPY . /\n").is_empty());
    }

    #[test]
    fn it_can_be_skipped() {
        assert!(found("FROM busybox\n# check=skip=ArgBustsCache\nARG A\nRUN make\n").is_empty());
        assert!(found("# check=skip=all\nFROM busybox\nARG A\nRUN make\n").is_empty());
    }
}
