//! Starting a process in the surroundings of a failed step: a shell, a command, or the step's own once more.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use executor::ssh::AgentSource;
use executor::{Attached, DeviceGrants, Output, SecretSource, SessionOptions};
use graph::Exec;
use graph::exec::{BindAccess, Mount, MountKind};
use graph::source::ContextName;
use graph::vertex::InputIndex;
use image::ImagePath;
use sandbox::Stdio;
use store::{Keep, Kind, Snapshot, StoreError, Tree};

use super::record::InputRecord;
use super::{KeptError, KeptStep};
use crate::engine::Engine;

/// Where a program appears that is brought along.
const BROUGHT: &str = "/.with";

/// What is tried where the step's own shell is not there.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];
const BUSYBOX: &str = "/bin/busybox";

/// A process in the surroundings of a step.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Which tree it sees. What it writes there is thrown away.
    pub moment: Moment,
    /// What is run.
    pub program: Program,
    /// A program of the host, absolute, that is mounted into `/.with`, which is the last directory of `PATH` then.
    /// It has to run without libraries, such as a static busybox.
    pub with: Option<PathBuf>,
    /// The value of `TERM` for a terminal of its own; none for the caller's streams.
    pub terminal: Option<String>,
    /// Secrets by id.
    pub secrets: BTreeMap<String, SecretSource>,
    /// Ssh agents by id.
    pub ssh_agents: BTreeMap<String, AgentSource>,
    /// Proxy variables.
    pub proxy_variables: BTreeMap<String, String>,
}

/// A state of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As the step found it.
    Before,
    /// As the step left it.
    After,
}

/// What is run in the surroundings of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// What the step runs.
    OfStep,
    /// A shell: the one that `SHELL` names, or that the image has, or that is brought along.
    Shell,
    /// This command with its arguments.
    Given(Vec<String>),
}

impl Engine {
    /// Starts a process in the surroundings of a failed step: same user, variables, directory, mounts, network and limits.
    /// Contexts are shown as they are now. Must be called on a thread of the runtime, which serves the agents.
    pub async fn visit(&self, step: &KeptStep, visit: Visit, stdio: &Stdio) -> Result<Attached, KeptError> {
        let record = &step.record;
        let base = match visit.moment {
            Moment::After => step.kept.snapshot().clone(),
            Moment::Before => step.kept.snapshot().parent().unwrap_or_else(|| self.store.scratch()),
        };
        let mut inputs =
            record.inputs.iter().map(|input| self.open_input(input)).collect::<Result<Vec<_>, _>>()?;
        let mut exec = record.exec.clone();
        if let Some(file) = &visit.with {
            bring(file, &mut exec, &mut inputs)?;
        }
        if let Some(terminal) = &visit.terminal
            && !exec.env.iter().any(|(name, _)| name == "TERM")
        {
            exec.env.push(("TERM".to_owned(), terminal.clone()));
        }
        match visit.program {
            Program::OfStep => {}
            Program::Given(args) => exec.args = args,
            Program::Shell => exec.args = shell(&base, &exec, &record.shell, visit.with.as_deref())?,
        }
        let session = self.executor.session(SessionOptions {
            secrets: visit.secrets,
            ssh_agents: visit.ssh_agents,
            proxy_variables: visit.proxy_variables,
            names: record.names.clone(),
            network: record.network,
            shm_size: record.shm_size,
            limits: record.limits.clone(),
            // The step has run with them, so they were allowed.
            devices: DeviceGrants::All,
            ..SessionOptions::default()
        });
        Ok(session.attach(&exec, base, inputs, visit.terminal.is_some(), stdio).await?)
    }

    fn open_input(&self, input: &InputRecord) -> Result<Output, KeptError> {
        match input {
            InputRecord::Snapshot(id) => {
                let snapshot = self.store.snapshot(*id)?.ok_or(StoreError::SnapshotMissing(*id))?;
                Ok(Output::Snapshot(snapshot))
            }
            InputRecord::Context(name, origin) => {
                let tree = origin.open(&self.store).map_err(|error| KeptError::Context(Box::new(error)))?;
                Ok(Output::Context(name.clone(), tree))
            }
        }
    }
}

/// Mounts a program of the host, as a context that has nothing else.
fn bring(file: &Path, exec: &mut Exec, inputs: &mut Vec<Output>) -> Result<(), KeptError> {
    let not_a_file = || KeptError::NotAFile(file.to_owned());
    // Links are followed here: distributions link one name of a program to another.
    let target = file.canonicalize().map_err(|_| not_a_file())?;
    let (Some(directory), Some(name)) = (target.parent(), target.file_name().and_then(OsStr::to_str)) else {
        return Err(not_a_file());
    };
    if !target.is_file() {
        return Err(not_a_file());
    }
    let only = name.to_owned();
    let keep = move |path: &store::TreePath, _| {
        if path.as_bytes() == only.as_bytes() { Keep::Yes } else { Keep::No }
    };
    let input = InputIndex(inputs.len());
    inputs.push(Output::Context(ContextName::named("with"), Tree::host(directory, keep)?));
    let source = ImagePath::new(name);
    exec.mounts.push(Mount {
        target: brought(file),
        kind: MountKind::Bind { input, source, access: BindAccess::ReadOnly },
    });
    match exec.env.iter_mut().find(|(name, _)| name == "PATH") {
        Some((_, path)) => *path = format!("{path}:{BROUGHT}"),
        None => exec.env.push(("PATH".to_owned(), BROUGHT.to_owned())),
    }
    Ok(())
}

/// Where a program of the host appears.
fn brought(file: &Path) -> ImagePath {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    ImagePath::new(BROUGHT).join(&name)
}

/// The first shell that is there.
fn shell(
    base: &Snapshot,
    exec: &Exec,
    of_step: &[String],
    with: Option<&Path>,
) -> Result<Vec<String>, KeptError> {
    let is_busybox = |name: &str| name.rsplit('/').next().is_some_and(|name| name.starts_with("busybox"));
    let command = |program: String| {
        if is_busybox(&program) { vec![program, "sh".to_owned()] } else { vec![program] }
    };
    if let Some(file) = with {
        return Ok(command(brought(file).to_string()));
    }
    let tree = base.tree();
    let mut tried: Vec<String> = Vec::new();
    for candidate in of_step.first().map(String::as_str).into_iter().chain(SHELLS).chain([BUSYBOX]) {
        if is_program(&tree, exec, candidate)? {
            return Ok(command(candidate.to_owned()));
        }
        if !tried.iter().any(|tried| tried == candidate) {
            tried.push(candidate.to_owned());
        }
    }
    Err(KeptError::NoShell(tried))
}

/// Whether a word is found as a program in a tree, as `execvp` would look for it.
fn is_program(tree: &Tree, exec: &Exec, word: &str) -> Result<bool, StoreError> {
    let path = exec.env.iter().find(|(name, _)| name == "PATH").map_or("", |(_, path)| path);
    let places: Vec<ImagePath> = if word.contains('/') {
        vec![exec.cwd.join(word)]
    } else {
        path.split(':').map(|directory| exec.cwd.join(directory).join(word)).collect()
    };
    for place in places {
        let found = tree.resolve(&place, true)?;
        if found.is_some_and(|entry| *entry.kind() == Kind::File && entry.mode() & 0o111 != 0) {
            return Ok(true);
        }
    }
    Ok(false)
}
