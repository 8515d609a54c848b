//! The tree as text, for tests and for looking at: one line a node, details indented below it.
//!
//! Text that stands for itself is quoted; a word that is yet to be expanded stands between `⟨` and `⟩`.

use std::fmt::{self, Display, Write};

use crate::ast::{
    Add, ArgumentForm, CommandLine, Copy, CopySource, Directive, From, Healthcheck, Instruction, KeyValue,
    KeyValueForm, Literal, Network, Onbuild, Parsed, Run, RunCommand, Security, Spanned,
};
use crate::heredoc::Heredoc;
use crate::{LineIndex, Word};

/// The tree and the diagnostics of `text`. Stable: what is the same text parses to the same dump.
pub fn dump(text: &str, parsed: &Parsed) -> String {
    let mut dump = Dump { out: String::new(), index: LineIndex::new(text), indent: 0 };
    // Writing to a string does not fail.
    let _ = dump.parsed(parsed);
    dump.out
}

struct Dump<'t> {
    out: String,
    index: LineIndex<'t>,
    indent: usize,
}

struct Shown<'w>(&'w Word);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "⟨{}⟩", self.0.as_written().replace('\n', "\\n"))
    }
}

impl Dump<'_> {
    fn line(&mut self, line: impl Display) -> fmt::Result {
        writeln!(self.out, "{:1$}{line}", "", self.indent * 2)
    }

    fn indented(&mut self, body: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        self.indent += 1;
        let result = body(self);
        self.indent -= 1;
        result
    }

    fn parsed(&mut self, parsed: &Parsed) -> fmt::Result {
        let dockerfile = &parsed.dockerfile;
        let directives = &dockerfile.directives;
        self.directive("syntax", directives.syntax.as_ref())?;
        self.directive("escape", directives.escape.as_ref())?;
        self.directive("check", directives.check.as_ref())?;
        for arg in &dockerfile.global_args {
            self.spanned(arg, "global ARG", |dump| dump.arg(&arg.node))?;
        }
        for stage in &dockerfile.stages {
            self.spanned(&stage.from, "FROM", |dump| dump.from(&stage.from.node))?;
            self.indented(|dump| {
                stage.instructions.iter().try_for_each(|instruction| dump.instruction(instruction))
            })?;
        }
        for diagnostic in &parsed.diagnostics {
            let at = self.index.position(diagnostic.span.start);
            let level = if diagnostic.is_error() { "error" } else { "warning" };
            let code = diagnostic.code.as_str();
            self.line(format_args!("{level} {}:{} [{code}] {}", at.line, at.column, diagnostic.message))?;
            let covered = diagnostic.span.of(self.index.text());
            self.indented(|dump| {
                dump.line(format_args!("at {covered:?}"))?;
                for (span, note) in &diagnostic.labels {
                    let covered = span.of(dump.index.text());
                    dump.line(format_args!("{note}: {covered:?}"))?;
                }
                diagnostic.help.iter().try_for_each(|help| dump.line(format_args!("help: {help}")))
            })?;
        }
        Ok(())
    }

    fn directive(&mut self, name: &str, directive: Option<&Directive>) -> fmt::Result {
        directive
            .map_or(Ok(()), |directive| self.line(format_args!("directive {name} {:?}", directive.value)))
    }

    fn instruction(&mut self, instruction: &Spanned<Instruction>) -> fmt::Result {
        self.spanned(instruction, instruction.node.name(), |dump| dump.node(&instruction.node))
    }

    /// The first line of a node, what is known of its text, and its details.
    fn spanned<T>(
        &mut self,
        node: &Spanned<T>,
        name: &str,
        details: impl FnOnce(&mut Self) -> fmt::Result,
    ) -> fmt::Result {
        let (first, last) = self.index.lines(node.span);
        let lines = if first == last { format!("{first}") } else { format!("{first}-{last}") };
        let keyword = &node.keyword.text;
        let written =
            if name.ends_with(keyword.as_str()) { String::new() } else { format!(" as {keyword:?}") };
        self.line(format_args!("{name}{written} @{lines}"))?;
        self.indented(|dump| {
            for comment in &node.comments {
                dump.line(format_args!("comment {:?}", comment.text))?;
            }
            for empty in &node.empty_continuations {
                let line = dump.index.line(empty.start);
                dump.line(format_args!("empty continuation @{line}"))?;
            }
            details(dump)
        })
    }

    fn node(&mut self, node: &Instruction) -> fmt::Result {
        match node {
            Instruction::Add(add) => self.add(add),
            Instruction::Arg(arg) => self.arg(arg),
            Instruction::Cmd(cmd) => self.command(&cmd.command),
            Instruction::Copy(copy) => self.copy(copy),
            Instruction::Entrypoint(entrypoint) => self.command(&entrypoint.command),
            Instruction::Env(env) => self.pairs(&env.pairs, env.form),
            Instruction::Expose(expose) => {
                expose.ports.iter().try_for_each(|port| self.line(format_args!("port {}", Shown(port))))
            }
            Instruction::Healthcheck(healthcheck) => self.healthcheck(healthcheck),
            Instruction::Label(label) => self.pairs(&label.pairs, label.form),
            Instruction::Maintainer(maintainer) => {
                self.line(format_args!("author {:?}", maintainer.author.text))
            }
            Instruction::Onbuild(onbuild) => self.onbuild(onbuild),
            Instruction::Run(run) => self.run(run),
            Instruction::Shell(shell) => self.line(format_args!("shell {:?}", shell.shell)),
            Instruction::StopSignal(stop) => self.line(format_args!("signal {}", Shown(&stop.signal))),
            Instruction::User(user) => self.line(format_args!("user {}", Shown(&user.user))),
            Instruction::Volume(volume) => {
                self.form(volume.form)?;
                volume.paths.iter().try_for_each(|path| self.line(format_args!("path {}", Shown(path))))
            }
            Instruction::Workdir(workdir) => self.line(format_args!("path {}", Shown(&workdir.path))),
        }
    }

    fn from(&mut self, from: &From) -> fmt::Result {
        self.line(format_args!("base {}", Shown(&from.base)))?;
        self.word("platform", from.platform.as_ref())?;
        let Some(name) = &from.name else { return Ok(()) };
        self.line(format_args!(
            "name {:?} written {:?} {:?}",
            name.name, name.keyword.text, name.written.text
        ))
    }

    fn arg(&mut self, arg: &crate::ast::Arg) -> fmt::Result {
        arg.definitions.iter().try_for_each(|definition| match &definition.default {
            Some(default) => self.line(format_args!("{} = {}", Shown(&definition.name), Shown(default))),
            None => self.line(Shown(&definition.name)),
        })
    }

    fn pairs(&mut self, pairs: &[KeyValue], form: KeyValueForm) -> fmt::Result {
        if form == KeyValueForm::Legacy {
            self.line("legacy form")?;
        }
        pairs
            .iter()
            .try_for_each(|pair| self.line(format_args!("{} = {}", Shown(&pair.key), Shown(&pair.value))))
    }

    fn add(&mut self, add: &Add) -> fmt::Result {
        self.transfer(&add.sources, &add.destination, add.form)?;
        self.word("chown", add.chown.as_ref())?;
        self.word("chmod", add.chmod.as_ref())?;
        self.word("checksum", add.checksum.as_ref())?;
        self.switch("link", add.link.then_some(true))?;
        self.switch("keep-git-dir", add.keep_git_dir)?;
        self.switch("unpack", add.unpack)?;
        self.literals("exclude", &add.exclude)
    }

    fn copy(&mut self, copy: &Copy) -> fmt::Result {
        self.transfer(&copy.sources, &copy.destination, copy.form)?;
        self.literals("from", copy.from.as_slice())?;
        self.word("chown", copy.chown.as_ref())?;
        self.word("chmod", copy.chmod.as_ref())?;
        self.switch("link", copy.link.then_some(true))?;
        self.switch("parents", copy.parents.then_some(true))?;
        self.literals("exclude", &copy.exclude)
    }

    fn transfer(&mut self, sources: &[CopySource], destination: &Word, form: ArgumentForm) -> fmt::Result {
        self.form(form)?;
        for source in sources {
            match source {
                CopySource::Path(path) => self.line(format_args!("source {}", Shown(path)))?,
                CopySource::Inline(file) => self.heredoc(&file.heredoc)?,
            }
        }
        self.line(format_args!("destination {}", Shown(destination)))
    }

    fn run(&mut self, run: &Run) -> fmt::Result {
        for mount in &run.mounts {
            self.line("mount")?;
            self.indented(|dump| {
                mount.options.iter().try_for_each(|option| match &option.value {
                    Some(value) => dump.line(format_args!("{} = {}", option.key, Shown(value))),
                    None => dump.line(&option.key),
                })
            })?;
        }
        match run.network {
            Network::Default => {}
            Network::None => self.line("network none")?,
            Network::Host => self.line("network host")?,
        }
        if run.security == Security::Insecure {
            self.line("security insecure")?;
        }
        for device in &run.devices {
            let required = if device.required { " required" } else { "" };
            self.line(format_args!("device {:?}{required}", device.name))?;
        }
        match &run.command {
            RunCommand::Line(command) => self.command(command)?,
            RunCommand::File { name, content } => self.line(format_args!("file {name:?} {content:?}"))?,
        }
        run.heredocs.iter().try_for_each(|heredoc| self.heredoc(heredoc))
    }

    fn healthcheck(&mut self, healthcheck: &Healthcheck) -> fmt::Result {
        let Healthcheck::Probe(probe) = healthcheck else { return self.line("none") };
        self.command(&probe.command)?;
        let times = [
            ("interval", probe.interval),
            ("timeout", probe.timeout),
            ("start-period", probe.start_period),
            ("start-interval", probe.start_interval),
        ];
        for (name, time) in times.into_iter().filter(|(_, time)| !time.is_zero()) {
            self.line(format_args!("{name} {time:?}"))?;
        }
        if probe.retries > 0 { self.line(format_args!("retries {}", probe.retries)) } else { Ok(()) }
    }

    fn onbuild(&mut self, onbuild: &Onbuild) -> fmt::Result {
        self.line(format_args!("trigger {:?}", onbuild.trigger))?;
        onbuild.instruction.as_deref().map_or(Ok(()), |instruction| self.instruction(instruction))
    }

    fn command(&mut self, command: &CommandLine) -> fmt::Result {
        match command {
            CommandLine::Shell(script) => self.line(format_args!("shell form {script:?}")),
            CommandLine::Exec(arguments) => self.line(format_args!("exec form {arguments:?}")),
        }
    }

    fn heredoc(&mut self, heredoc: &Heredoc) -> fmt::Result {
        let expands = if heredoc.expands { "" } else { " verbatim" };
        let tabs = if heredoc.strips_tabs { " without tabs" } else { "" };
        self.line(format_args!("heredoc {:?}{expands}{tabs} {:?}", heredoc.name, heredoc.content))
    }

    fn form(&mut self, form: ArgumentForm) -> fmt::Result {
        if form == ArgumentForm::Json { self.line("json form") } else { Ok(()) }
    }

    fn word(&mut self, name: &str, word: Option<&Word>) -> fmt::Result {
        word.map_or(Ok(()), |word| self.line(format_args!("{name} {}", Shown(word))))
    }

    fn switch(&mut self, name: &str, switch: Option<bool>) -> fmt::Result {
        switch.map_or(Ok(()), |on| self.line(format_args!("{name} {on}")))
    }

    fn literals(&mut self, name: &str, literals: &[Literal]) -> fmt::Result {
        literals.iter().try_for_each(|literal| self.line(format_args!("{name} {:?}", literal.text)))
    }
}
