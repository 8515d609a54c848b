//! `SOURCE_DATE_EPOCH`: the time of everything that a build makes.
//!
//! The value is a number of seconds, or says where to take the time from: `context`, or a stage
//! that is nothing but one remote file or repository (`FROM scratch` and `ADD URL`).

use graph::Name;
use graph::name::{GitName, HttpName, TimedSource};
use parser::ast::{Add, Arg, CopySource, Instruction, Stage};

use crate::environment::Environment;
use crate::error::{Fault, Problem};
use crate::lower::add::{self, Remote};
use crate::options::ContextTime;
use crate::plan::Planner;
use crate::scope::{self, GlobalScope};

/// The argument.
pub(crate) const NAME: &str = "SOURCE_DATE_EPOCH";

/// What is known of the time.
enum Time {
    /// It is this many seconds since 1970.
    Seconds(i64),
    /// There is none.
    None,
    /// It is that of something which has to be pinned first.
    Missing,
}

/// The scope with the argument replaced by its number, and the number. The scope is `None` if a file
/// has to be pinned first.
pub(crate) fn resolve(
    planner: &mut Planner<'_>,
    mut scope: GlobalScope,
) -> Result<(Option<GlobalScope>, Option<i64>), Box<Problem>> {
    let given = planner.options.build_args.get(NAME).map(String::as_str);
    let Some(value) = given.or_else(|| scope.values.get(NAME)).map(str::to_owned) else {
        return Ok((Some(scope), None));
    };
    match time(planner, &value, &scope)? {
        Time::Seconds(seconds) => {
            scope.values.set(NAME, seconds.to_string());
            Ok((Some(scope), Some(seconds)))
        }
        Time::None => {
            scope.values.remove(NAME);
            Ok((Some(scope), None))
        }
        Time::Missing => Ok((None, None)),
    }
}

fn time(planner: &mut Planner<'_>, value: &str, scope: &GlobalScope) -> Result<Time, Box<Problem>> {
    if value.is_empty() {
        return Ok(Time::None);
    }
    if let Ok(seconds) = value.parse() {
        return Ok(Time::Seconds(seconds));
    }
    if value == "context" {
        return Ok(match &planner.options.context_time {
            ContextTime::None => Time::None,
            ContextTime::Seconds(seconds) => Time::Seconds(*seconds),
            ContextTime::Of(source) => time_of(planner, source),
        });
    }
    let is_it = |stage: &&Stage| stage.name().is_some_and(|name| name.eq_ignore_ascii_case(value));
    let Some(stage) = planner.dockerfile.stages.iter().find(is_it) else {
        return Err(Box::new(Problem::of_options(Fault::SourceDateEpoch(value.to_owned()))));
    };
    time_of_stage(planner, stage, scope).map_err(|fault| Box::new(Problem::at(stage.from.span, fault)))
}

/// The time of the one file or repository of a stage.
fn time_of_stage(planner: &mut Planner<'_>, stage: &Stage, scope: &GlobalScope) -> Result<Time, Fault> {
    let mut variables = scope.values.clone();
    variables.remove(NAME);
    if scope::expand(&stage.from.node.base, &variables)?.text != "scratch" {
        return Err(Fault::SourceDateEpochStage("must use FROM scratch"));
    }
    let mut source = None;
    for instruction in &stage.instructions {
        match &instruction.node {
            Instruction::Arg(arg) => declare(planner, arg, &mut variables)?,
            Instruction::Add(add) if source.is_none() => source = Some(remote_source(add, &variables)?),
            Instruction::Add(_) => {
                return Err(Fault::SourceDateEpochStage("must contain exactly one remote ADD"));
            }
            _ => return Err(Fault::SourceDateEpochStage("must contain nothing but ARG and one remote ADD")),
        }
    }
    Ok(match source {
        None => return Err(Fault::SourceDateEpochStage("must contain exactly one remote ADD")),
        Some(Remote::Git(git)) => time_of_commit(planner, git.name()),
        Some(Remote::Http(name)) => time_of_file(planner, name),
    })
}

fn time_of_file(planner: &mut Planner<'_>, name: HttpName) -> Time {
    let Some(pin) = planner.pins.http(&name) else { return missing(planner, Name::Http(name)) };
    pin.last_modified.map_or(Time::None, Time::Seconds)
}

fn time_of_commit(planner: &mut Planner<'_>, name: GitName) -> Time {
    let Some(pin) = planner.pins.git(&name) else { return missing(planner, Name::Git(name)) };
    let commit = pin.commit.clone();
    time_of(planner, &TimedSource::Commit { remote: name.remote, commit })
}

fn time_of(planner: &mut Planner<'_>, source: &TimedSource) -> Time {
    let Some(time) = planner.pins.time(source) else {
        return missing(planner, Name::Time(source.clone()));
    };
    time.map_or(Time::None, Time::Seconds)
}

fn missing(planner: &mut Planner<'_>, name: Name) -> Time {
    planner.need(name);
    Time::Missing
}

fn declare(planner: &Planner<'_>, arg: &Arg, variables: &mut Environment) -> Result<(), Fault> {
    for definition in &arg.definitions {
        let name = definition.name.as_written();
        let given = planner.options.build_args.get(name).cloned();
        let value = match (given, &definition.default) {
            (Some(value), _) => value,
            (None, Some(default)) => scope::expand(default, variables)?.text,
            (None, None) => continue,
        };
        variables.set(name, value);
    }
    Ok(())
}

fn remote_source(add: &Add, variables: &Environment) -> Result<Remote, Fault> {
    let [CopySource::Path(word)] = add.sources.as_slice() else {
        return Err(Fault::SourceDateEpochStage("must contain exactly one remote ADD source"));
    };
    let text = scope::expand(word, variables)?.text;
    let checksum = add.checksum.as_ref().map(|word| scope::expand(word, variables)).transpose()?;
    let checksum = checksum.map(|checksum| checksum.text);
    add::remote(&text, add.keep_git_dir, checksum.as_deref())?
        .ok_or(Fault::SourceDateEpochStage("source must be a single HTTP(S) ADD"))
}
