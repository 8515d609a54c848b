//! What the commands that step into a failed step have in common: `shell`, `rerun`, `build --on-fail=shell`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use engine::kept::KeptStep;
use engine::kept::record::Wanted;
use engine::kept::visit::{Moment, Program, Visit};
use engine::{AgentSource, Attached, Engine, SecretSource, Stdio};

use super::build::session::{agents, secrets};
use crate::environment::Environment;
use crate::interrupt;
use crate::report::Failure;
use crate::terminal;

/// What a step has to be given anew.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SessionArgs {
    /// Secret that the step mounts, as for build: "id=ID[,src=FILE|,env=VARIABLE]" (repeatable)
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<String>,
    /// Agent that the step mounts, as for build: "default" or "ID=SOCKET" (repeatable)
    #[arg(long = "ssh", value_name = "AGENT")]
    ssh: Vec<String>,
}

/// Secrets and agents by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) secrets: BTreeMap<String, SecretSource>,
    pub(crate) ssh_agents: BTreeMap<String, AgentSource>,
}

impl SessionArgs {
    /// Reads what the flags point to.
    pub(crate) fn read(&self, environment: &Environment) -> Result<Given, Failure> {
        Ok(Given {
            secrets: secrets(&self.secrets, environment)?,
            ssh_agents: agents(&self.ssh, environment)?,
        })
    }
}

/// Which process, in which state of which step.
pub(crate) struct Entry<'a> {
    pub(crate) step: &'a KeptStep,
    pub(crate) moment: Moment,
    pub(crate) program: Program,
    pub(crate) with: Option<PathBuf>,
}

/// Whether the user is there to type and to read.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Runs a process in a step, on a terminal of its own where the user has one and `tty` is set; its exit code.
pub(crate) fn run(
    engine: &Engine,
    entry: Entry<'_>,
    given: Given,
    tty: bool,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    note_missing(entry.step, &given);
    let terminal = tty && is_interactive();
    let visit = Visit {
        moment: entry.moment,
        program: entry.program,
        with: entry.with,
        terminal: terminal.then(|| environment.variable("TERM").unwrap_or("xterm").to_owned()),
        secrets: given.secrets,
        ssh_agents: given.ssh_agents,
        proxy_variables: environment.proxies(),
    };
    // It serves the agents as long as the process runs.
    let runtime = super::runtime()?;
    if !terminal {
        let stdio = Stdio::inherit();
        return runtime.block_on(interruptible(engine.visit(entry.step, visit, &stdio)));
    }
    let signals = terminal::Signals::listen()?;
    let mut attached = runtime.block_on(engine.visit(entry.step, visit, &Stdio::default()))?;
    let process = (attached.killer(), attached.terminal());
    let exit = terminal::attend(signals, process, true, || attached.wait())?;
    Ok(terminal::exit_code(exit.map_err(engine::kept::KeptError::from)?))
}

/// Waits for a process that has no terminal. A signal kills it.
async fn interruptible(
    starting: impl Future<Output = Result<Attached, engine::kept::KeptError>>,
) -> Result<ExitCode, Failure> {
    interrupt::until_interrupted(async {
        let mut attached = starting.await?;
        let _guard = KillOnDrop(attached.killer());
        let waiting = tokio::task::spawn_blocking(move || attached.wait());
        let exit = waiting.await.map_err(|error| Failure::because("cannot wait for the process", error))?;
        Ok(terminal::exit_code(exit.map_err(engine::kept::KeptError::from)?))
    })
    .await
}

/// Kills a process, unless it has ended.
struct KillOnDrop(engine::Killer);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// Tells what the step had, perhaps, and does without now.
fn note_missing(step: &KeptStep, given: &Given) {
    let mut missing: Vec<String> = Vec::new();
    for wanted in step.record.optional() {
        let text = match wanted {
            Wanted::Secret(id) if !given.secrets.contains_key(id) => {
                format!("secret {id} (--secret id={id})")
            }
            Wanted::Agent(id) if !given.ssh_agents.contains_key(id) => format!("ssh agent {id} (--ssh {id})"),
            _ => continue,
        };
        if !missing.contains(&text) {
            missing.push(text);
        }
    }
    if !missing.is_empty() {
        super::print_error(&format!("note: without {}\n", missing.join(", ")));
    }
}
