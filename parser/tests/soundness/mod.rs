//! What holds for every text, whoever wrote it.
//!
//! Each function takes any text and panics where the parser did what it must not do. The random tests
//! (`any_text.rs`) and the fuzz targets (`fuzz/`) are two ways to find such texts; this is their judge.

use parser::ast::{
    Add, Copy, CopySource, Instruction, KeyValue, Literal, MountSpec, Parsed, RunCommand, Spanned,
};
use parser::heredoc::Heredoc;
use parser::ignore::IgnoreFile;
use parser::word::{ExpandError, ExpandFault, Expansion, expand_for_display};
use parser::{Diagnostic, Span, Word, dump, go, parse, parse_instruction};

/// The escape characters that a file can choose.
const ESCAPES: [char; 2] = ['\\', '`'];

/// What stands before the part that an instruction has a syntax of its own for.
const FORMS: [&str; 14] = [
    "RUN ",
    "RUN --",
    "RUN --mount=",
    "RUN --device=",
    "COPY ",
    "COPY --",
    "ADD [",
    "CMD [",
    "HEALTHCHECK --",
    "HEALTHCHECK --interval=",
    "ENV ",
    "EXPOSE ",
    "ONBUILD ",
    "ONBUILD COPY <<",
];

/// Reads a text as a Dockerfile.
pub fn check_file(text: &str) {
    let parsed = parse(text);
    Text(text).diagnostics(&parsed.diagnostics);
    Text(text).tree(&parsed);
    let has_errors = parsed.diagnostics.iter().any(Diagnostic::is_error);
    assert!(has_errors || !parsed.dockerfile.stages.is_empty(), "no stage and no error: {text:?}");
    let escape = parsed.dockerfile.directives.escape_character();
    for instruction in parsed.dockerfile.stages.iter().flat_map(|stage| &stage.instructions) {
        check_again(instruction, escape);
    }
    dump(text, &parsed);
}

/// Reads a text as one instruction, and as what follows each of [`FORMS`].
pub fn check_instruction(text: &str) {
    for text in std::iter::once(text.to_owned()).chain(FORMS.map(|form| form.to_owned() + text)) {
        for escape in ESCAPES {
            let (instruction, diagnostics) = parse_instruction(&text, escape);
            Text(&text).diagnostics(&diagnostics);
            let has_errors = diagnostics.iter().any(Diagnostic::is_error);
            assert!(has_errors || instruction.is_some(), "no instruction and no error: {text:?}");
            if let Some(instruction) = &instruction {
                Text(&text).instruction(instruction);
            }
        }
    }
}

/// Replaces variables in a text, in every way that there is; see [`value`] for their values.
pub fn check_word(text: &str, values: &[&str]) {
    let lookup = |name: &str| value(name, values);
    for escape in ESCAPES {
        let word = Word::new(text, Span::new(0, text.len()), escape);
        let (whole, words) = (word.expand(lookup), word.expand_words(lookup));
        check_expansion(text, &whole, lookup);
        match (&whole, &words) {
            (Ok(whole), Ok(words)) => {
                let without_blanks = |text: &str| text.split_whitespace().collect::<String>();
                assert_eq!(without_blanks(&whole.text), without_blanks(&words.concat()), "{text:?}");
            }
            (Err(error), Err(other)) => assert_eq!(error, other),
            _ => panic!("{text:?} is {whole:?} as one and {words:?} as several words"),
        }
        expand_for_display(text, escape, lookup);
    }
}

/// Replaces variables in the body of a here-document.
pub fn check_heredoc(body: &str, values: &[&str]) {
    let lookup = |name: &str| value(name, values);
    for marker in ["<<E", "<<-E", "<<'E'"] {
        let text = format!("COPY {marker} /file\n{body}\nE");
        let (Some(instruction), _) = parse_instruction(&text, '\\') else {
            panic!("{text:?} is no COPY");
        };
        let Instruction::Copy(Copy { sources, .. }) = instruction.node else {
            panic!("{text:?} is no COPY");
        };
        let Some(CopySource::Inline(file)) = sources.first() else { panic!("{text:?} has no document") };
        let document = file.heredoc.text();
        let expanded = file.heredoc.expand(lookup);
        if !file.heredoc.expands {
            assert_eq!(expanded.as_ref().map(|expansion| &expansion.text), Ok(&document));
        }
        check_expansion(&document, &expanded, lookup);
    }
}

/// Reads a text as the lines of a `.dockerignore` and judges a path by them, which is cleaned first and made relative.
pub fn check_ignore(patterns: &str, path: &str) {
    let path = go::clean(path);
    let path = path.trim_start_matches('/');
    let (file, diagnostics) = IgnoreFile::parse(patterns);
    Text(patterns).diagnostics(&diagnostics);
    let verdict = file.judge_path(path);
    let decided = file.decided_by(&verdict);
    assert_eq!(decided.is_some_and(|rule| !rule.is_exception), verdict.is_ignored());
    assert!(decided.is_none_or(|rule| rule.line <= patterns.split('\n').count()));
    // A directory that need not be entered has nothing in it that is kept.
    if let Some((parent, _)) = path.trim_matches('/').rsplit_once('/') {
        let skipped = file.judge_path(parent).is_ignored() && file.can_prune(parent);
        assert!(!skipped || verdict.is_ignored(), "{patterns:?} skips {path:?}");
    }
}

/// The value of a variable: one of `values`, or none, chosen by its name.
fn value(name: &str, values: &[&str]) -> Option<String> {
    let number: usize = name.bytes().map(usize::from).sum();
    values.get(number % (values.len() + 1)).map(|value| (*value).to_owned())
}

fn check_expansion(
    text: &str,
    result: &Result<Expansion, ExpandError>,
    lookup: impl Fn(&str) -> Option<String>,
) {
    match result {
        Ok(expansion) => {
            for (index, name) in expansion.unset.iter().enumerate() {
                assert_eq!(lookup(name), None, "{text:?}");
                assert!(!expansion.unset[..index].contains(name), "{name} is told twice: {text:?}");
            }
        }
        Err(error) => {
            assert_eq!(error.text, text);
            let required = matches!(error.reason, ExpandFault::Required { .. });
            assert!(required || text.contains(['$', '"', '\'']), "{error} in {text:?}");
        }
    }
}

/// The logical line of an instruction reads as the same instruction, unless it needs lines that follow it:
/// those of a here-document, or those behind an escape character at its end.
fn check_again(instruction: &Spanned<Instruction>, escape: char) {
    if instruction.text.ends_with(escape) {
        return;
    }
    if let Instruction::Add(Add { sources, .. }) | Instruction::Copy(Copy { sources, .. }) = &instruction.node
        && sources.iter().any(|source| matches!(source, CopySource::Inline(_)))
    {
        return;
    }
    if let Instruction::Run(run) = &instruction.node
        && (!run.heredocs.is_empty() || matches!(run.command, RunCommand::File { .. }))
    {
        return;
    }
    let (again, diagnostics) = parse_instruction(&instruction.text, escape);
    let kind = |instruction: &Spanned<Instruction>| (instruction.node.name(), instruction.text.clone());
    assert_eq!(again.as_ref().map(kind), Some(kind(instruction)), "{diagnostics:?}");
}

/// A text that places lie in.
#[derive(Clone, Copy)]
struct Text<'t>(&'t str);

impl Text<'_> {
    /// Both ends lie in the text and on the boundaries of characters.
    fn span(self, span: Span) {
        assert!(self.0.get(span.range()).is_some(), "{span:?} is no part of {:?}", self.0);
    }

    fn word(self, word: &Word) {
        self.span(word.span());
    }

    fn literal(self, literal: &Literal) {
        self.span(literal.span);
    }

    fn diagnostics(self, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            self.span(diagnostic.span);
            diagnostic.labels.iter().for_each(|(span, _)| self.span(*span));
            assert!(!diagnostic.message.is_empty() && !diagnostic.message.contains('\n'), "{diagnostic:?}");
            assert!(diagnostic.help.as_deref() != Some(""), "{diagnostic:?}");
        }
    }

    /// Instructions follow one another, each inside the text.
    fn tree(self, parsed: &Parsed) {
        let dockerfile = &parsed.dockerfile;
        let mut end = 0;
        let mut follow = |span: Span| {
            assert!(end <= span.start, "{span:?} begins before the end of the one before: {:?}", self.0);
            end = span.end;
        };
        for arg in &dockerfile.global_args {
            follow(arg.span);
            self.spanned(arg);
        }
        for stage in &dockerfile.stages {
            follow(stage.from.span);
            self.spanned(&stage.from);
            self.word(&stage.from.node.base);
            stage.from.node.platform.iter().for_each(|platform| self.word(platform));
            if let Some(name) = &stage.from.node.name {
                self.literal(&name.written);
                self.literal(&name.keyword);
            }
            for instruction in &stage.instructions {
                follow(instruction.span);
                self.instruction(instruction);
            }
        }
    }

    fn spanned<T>(self, node: &Spanned<T>) {
        self.span(node.span);
        self.literal(&node.keyword);
        assert!(node.span.to(node.keyword.span) == node.span, "the keyword is outside: {:?}", self.0);
        node.comments.iter().for_each(|comment| self.span(comment.span));
        node.empty_continuations.iter().for_each(|line| self.span(*line));
    }

    fn instruction(self, instruction: &Spanned<Instruction>) {
        self.spanned(instruction);
        match &instruction.node {
            Instruction::Add(add) => {
                self.sources(&add.sources);
                let words = [&add.chown, &add.chmod, &add.checksum];
                words.into_iter().flatten().chain([&add.destination]).for_each(|word| self.word(word));
                add.exclude.iter().for_each(|pattern| self.literal(pattern));
            }
            Instruction::Arg(arg) => {
                for definition in &arg.definitions {
                    self.word(&definition.name);
                    definition.default.iter().for_each(|default| self.word(default));
                }
            }
            Instruction::Copy(copy) => {
                self.sources(&copy.sources);
                let words = [&copy.chown, &copy.chmod];
                words.into_iter().flatten().chain([&copy.destination]).for_each(|word| self.word(word));
                copy.exclude.iter().chain(&copy.from).for_each(|literal| self.literal(literal));
            }
            Instruction::Env(env) => self.pairs(&env.pairs),
            Instruction::Label(label) => self.pairs(&label.pairs),
            Instruction::Expose(expose) => expose.ports.iter().for_each(|port| self.word(port)),
            Instruction::Maintainer(maintainer) => self.literal(&maintainer.author),
            Instruction::Onbuild(onbuild) => {
                onbuild.instruction.iter().for_each(|inner| self.instruction(inner));
            }
            Instruction::Run(run) => {
                run.mounts.iter().for_each(|mount| self.mount(mount));
                run.heredocs.iter().for_each(|heredoc| self.heredoc(heredoc));
            }
            Instruction::StopSignal(stop) => self.word(&stop.signal),
            Instruction::User(user) => self.word(&user.user),
            Instruction::Volume(volume) => volume.paths.iter().for_each(|path| self.word(path)),
            Instruction::Workdir(workdir) => self.word(&workdir.path),
            Instruction::Cmd(_)
            | Instruction::Entrypoint(_)
            | Instruction::Healthcheck(_)
            | Instruction::Shell(_) => {}
        }
    }

    fn sources(self, sources: &[CopySource]) {
        for source in sources {
            match source {
                CopySource::Path(path) => self.word(path),
                CopySource::Inline(file) => self.heredoc(&file.heredoc),
            }
        }
    }

    fn pairs(self, pairs: &[KeyValue]) {
        for pair in pairs {
            self.word(&pair.key);
            self.word(&pair.value);
        }
    }

    fn heredoc(self, heredoc: &Heredoc) {
        self.span(heredoc.span);
        assert_eq!(heredoc.span.of(self.0), heredoc.content);
        assert!(!heredoc.name.is_empty(), "{:?}", self.0);
    }

    /// A mount means something or says why not, whatever its variables are.
    fn mount(self, mount: &MountSpec) {
        self.span(mount.span);
        for option in &mount.options {
            self.span(option.span);
            option.value.iter().for_each(|value| self.word(value));
        }
        for values in [&[][..], &["cache"], &["1", "", "a,b"]] {
            if let Err(error) = mount.resolve(|name| value(name, values)) {
                self.span(error.span);
                assert!(!error.to_string().is_empty());
            }
        }
    }
}
